"""XAdES B-B of a document of 2 kB in this process; signxml beside it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree
from signxml.algorithms import SignatureMethod
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESSigner, XAdESVerifier

from hsm.pyca import as_pyca_private_key
from signing_service.formats import xades
from tests.bench.site import Site
from tests.bench.timing import Pace, Row, Work, best, repeating
from tests.bench.trust import engine, require_passed
from tests.software_keys import write_pem

DOCUMENT = (Path(__file__).parents[1] / "samples" / "ceb621.xml").read_bytes()
_TOKEN = "signatures of the raw token (python-pkcs11)"
_REFERENCES = 3
"""signxml signs its KeyInfo too."""
_VERIFY = "P-256 verifications of pyca"


def signing(site: Site, pace: Pace) -> list[Row]:
    rates = best(
        {
            "ours": repeating(our_signature(site)),
            "limit": repeating(site.raw_token_signature()),
            "peer": repeating(_their_signature(site)),
        },
        pace,
    )
    return [Row("xades.sign.2k", rates["ours"], rates["limit"], _TOKEN, rates["peer"], "signxml")]


def our_signature(site: Site) -> Work:
    key, certificate, chain = site.card_key, site.card, site.chain[:1]
    return lambda: xades.sign(DOCUMENT, key, certificate, datetime.now(UTC), chain=chain)


def verification(site: Site, pace: Pace) -> list[Row]:
    signed = xades.sign(DOCUMENT, site.card_key, site.card, datetime.now(UTC), chain=site.chain[:1])
    theirs = _their_signature(site)()
    rates = best(
        {
            "ours": repeating(_our_verdict(site, signed)),
            "report": repeating(lambda: site.house.verification.verify(signed)),
            "limit": repeating(site.raw_verification()),
            "peer": repeating(_their_verdict(site, theirs)),
        },
        pace,
    )
    limit = rates["limit"]
    return [
        Row("xades.verify.2k", rates["ours"], limit, _VERIFY, rates["peer"], "signxml"),
        Row("xades.verify.2k.report", rates["report"], limit, _VERIFY),
    ]


def _our_verdict(site: Site, signed: bytes) -> Work:
    judge = engine(site)

    def work() -> object:
        (evidence,) = xades.read(signed)
        return judge.validate(evidence, datetime.now(UTC))

    (evidence,) = xades.read(signed)
    require_passed(judge, evidence, datetime.now(UTC))
    return work


def _their_signature(site: Site) -> Callable[[], bytes]:
    key = as_pyca_private_key(site.card_key)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    certificates = [certificate.pem for certificate in (site.card, site.chain[0])]
    signer = XAdESSigner(signature_algorithm=SignatureMethod.ECDSA_SHA256)

    def work() -> bytes:
        signed = signer.sign(
            etree.fromstring(DOCUMENT), key=key, cert=certificates, always_add_key_value=False
        )
        return etree.tostring(signed)

    return work


def _their_verdict(site: Site, signed: bytes) -> Work:
    """signxml builds the path, but asks for no revocation status."""
    roots = str(write_pem(site.directory / "root.pem", [site.chain[1]]))
    expected = XAdESSignatureConfiguration(expect_references=_REFERENCES)
    verifier = XAdESVerifier()
    return lambda: verifier.verify(
        signed, ca_pem_file=roots, expect_references=_REFERENCES, expect_config=expected
    )
