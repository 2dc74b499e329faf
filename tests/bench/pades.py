"""PAdES B-B of 20 pages, signed in the token; three signatures judged; pyHanko beside."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from asn1crypto import algos, x509
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import PdfSignatureMetadata, async_sign_pdf
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers.pdf_cms import Signer
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signing_service.formats.pades import whole as pades
from tests.bench.cades import in_loop
from tests.bench.site import Site
from tests.bench.timing import Pace, Row, Work, best, repeating
from tests.bench.trust import engine, require_passed
from tests.signing_service.formats.pades.pdf.samples import sample

DOCUMENT = sample(20, as_streams=True)
SIGNATURES = 3


def signing(site: Site, pace: Pace) -> list[Row]:
    rates = best(
        {
            "ours": repeating(_our_signature(site)),
            "limit": repeating(site.raw_token_signature()),
            "peer": in_loop(_their_signature(site)),
        },
        pace,
    )
    limit = "signatures of the raw token (python-pkcs11)"
    return [Row("pades.sign", rates["ours"], rates["limit"], limit, rates["peer"], "pyHanko")]


def verification(site: Site, pace: Pace) -> list[Row]:
    """Milliseconds for the whole file; the limit is what three raw verifications take."""
    signed = DOCUMENT
    for _ in range(SIGNATURES):
        signed = _signed(site, signed)
    rates = best(
        {
            "ours": repeating(_our_verdict(site, signed)),
            "limit": repeating(site.raw_verification()),
            "peer": in_loop(_their_verdict(site, signed)),
        },
        pace,
    )
    ours, limit, peer = rates["ours"], rates["limit"] / SIGNATURES, rates["peer"]
    name = f"{SIGNATURES} P-256 verifications of pyca"
    return [
        Row("pades.verify.3sig", 1e3 / ours, 1e3 / limit, name, 1e3 / peer, "pyHanko", "ms"),
    ]


def _signed(site: Site, pdf: bytes) -> bytes:
    return pades.sign(pdf, site.card_key, site.card, datetime.now(UTC), chain=site.chain[:1])


def _our_signature(site: Site) -> Work:
    _ = site.card
    return lambda: _signed(site, DOCUMENT)


def _our_verdict(site: Site, signed: bytes) -> Work:
    judge = engine(site)
    for evidence in pades.read(signed):
        require_passed(judge, evidence, datetime.now(UTC))

    def work() -> object:
        now = datetime.now(UTC)
        return [judge.validate(evidence, now) for evidence in pades.read(signed)]

    return work


class _TokenSigner(Signer):
    """pyHanko's own way for a key that it does not know: only the raw signature is ours."""

    def __init__(self, site: Site) -> None:
        registry = SimpleCertificateStore()  # type: ignore[no-untyped-call]
        registry.register(_certificate(site.chain[0].der))
        super().__init__(
            signing_cert=_certificate(site.card.der),
            cert_registry=registry,
            signature_mechanism=algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
        )
        self._key = site.card_key

    async def async_sign_raw(
        self, data: bytes, digest_algorithm: str, dry_run: bool = False
    ) -> bytes:
        return bytes(72) if dry_run else self._key.sign(data)


def _their_signature(site: Site) -> Callable[[], Any]:
    """Its plain path: open the file, sign in a new invisible field, write the update."""
    signer = _TokenSigner(site)
    about = PdfSignatureMetadata(field_name="Signature1", subfilter=SigSeedSubFilter.PADES)

    async def signed() -> object:
        writer = IncrementalPdfFileWriter(io.BytesIO(DOCUMENT))
        return await async_sign_pdf(writer, about, signer)

    return signed


def _their_verdict(site: Site, signed: bytes) -> Callable[[], Any]:
    """With the revocation lists of both authorities at hand; the context is kept, as ours is."""
    context = ValidationContext(
        trust_roots=[_certificate(site.chain[1].der)],
        other_certs=[_certificate(site.chain[0].der)],
        crls=site.revocation_lists(),
        revocation_mode="require",
        allow_fetching=False,
    )

    async def verdicts() -> object:
        found = PdfFileReader(io.BytesIO(signed)).embedded_regular_signatures
        verdicts = [await async_validate_pdf_signature(each, context) for each in found]
        assert len(verdicts) == SIGNATURES
        assert all(verdict.bottom_line for verdict in verdicts)
        return verdicts

    return verdicts


def _certificate(der: bytes) -> x509.Certificate:
    return x509.Certificate.load(der)
