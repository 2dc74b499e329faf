"""XAdES B-B of documents of 2 kB and 60 kB in this process; signxml beside it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree
from signxml.algorithms import SignatureMethod
from signxml.xades.xades import XAdESSignatureConfiguration, XAdESSigner, XAdESVerifier

from hsm.pyca import as_pyca_private_key
from signing_service.formats.xades import whole as xades
from tests.bench.site import Site
from tests.bench.timing import Pace, Row, Work, best, repeating
from tests.bench.trust import engine, require_passed
from tests.software_keys import write_pem

_SAMPLES = Path(__file__).parents[1] / "samples"
SMALL = (_SAMPLES / "ceb621.xml").read_bytes()
_LINE = re.compile(rb"<DecList>.*</DecList>", re.DOTALL)
_LINES = 54


def _large() -> bytes:
    """The import declaration with many times its lines."""
    short = (_SAMPLES / "dec-import.xml").read_bytes()
    return _LINE.sub(lambda found: b"\n    ".join([found[0]] * _LINES), short)


LARGE = _large()
_TOKEN = "signatures of the raw token (python-pkcs11)"
_REFERENCES = 3
"""signxml signs its KeyInfo too."""
_VERIFY = "P-256 verifications of pyca"


def signing_small(site: Site, pace: Pace) -> list[Row]:
    return _signing("xades.sign.2k", SMALL, site, pace)


def signing_large(site: Site, pace: Pace) -> list[Row]:
    return _signing("xades.sign.60k", LARGE, site, pace)


def verification_small(site: Site, pace: Pace) -> list[Row]:
    return _verification("xades.verify.2k", SMALL, site, pace)


def verification_large(site: Site, pace: Pace) -> list[Row]:
    return _verification("xades.verify.60k", LARGE, site, pace)


def _signing(name: str, document: bytes, site: Site, pace: Pace) -> list[Row]:
    rates = best(
        {
            "ours": repeating(_our_signature(site, document)),
            "limit": repeating(site.raw_token_signature()),
            "peer": repeating(_their_signature(site, document)),
        },
        pace,
    )
    return [Row(name, rates["ours"], rates["limit"], _TOKEN, rates["peer"], "signxml")]


def _our_signature(site: Site, document: bytes) -> Callable[[], bytes]:
    key, certificate, chain = site.card_key, site.card, site.chain[:1]
    return lambda: xades.sign(document, key, certificate, datetime.now(UTC), chain=chain)


def _verification(name: str, document: bytes, site: Site, pace: Pace) -> list[Row]:
    signed = _our_signature(site, document)()
    theirs = _their_signature(site, document)()
    rates = best(
        {
            "ours": repeating(_our_verdict(site, signed)),
            "report": repeating(lambda: site.house.verification.verify(signed).complete()),
            "limit": repeating(site.raw_verification()),
            "peer": repeating(_their_verdict(site, theirs)),
        },
        pace,
    )
    limit = rates["limit"]
    return [
        Row(name, rates["ours"], limit, _VERIFY, rates["peer"], "signxml"),
        Row(f"{name}.report", rates["report"], limit, _VERIFY),
    ]


def _our_verdict(site: Site, signed: bytes) -> Work:
    judge = engine(site)

    def work() -> object:
        (evidence,) = xades.read(signed)
        return judge.validate(evidence, datetime.now(UTC))

    (evidence,) = xades.read(signed)
    require_passed(judge, evidence, datetime.now(UTC))
    return work


def _their_signature(site: Site, document: bytes) -> Callable[[], bytes]:
    key = as_pyca_private_key(site.card_key)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    certificates = [certificate.pem for certificate in (site.card, site.chain[0])]
    signer = XAdESSigner(signature_algorithm=SignatureMethod.ECDSA_SHA256)

    def work() -> bytes:
        signed = signer.sign(
            etree.fromstring(document), key=key, cert=certificates, always_add_key_value=False
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
