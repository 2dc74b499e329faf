"""CAdES B-B in this process: signed in the token, verified to a verdict; pyHanko beside it."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asn1crypto import algos, cms
from asn1crypto import x509 as asn1_x509
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes, Signer
from pyhanko.sign.validation.generic_cms import async_validate_detached_cms
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from signing_service.formats.cades import whole as cades
from tests.bench.site import Site
from tests.bench.timing import Measure, Pace, Row, Work, best, repeating
from tests.bench.trust import engine, require_passed

DOCUMENT = (Path(__file__).parents[1] / "samples" / "dec-import.xml").read_bytes()
_TOKEN = "signatures of the raw token (python-pkcs11)"
RAW_COPY = "signatures of the raw token with a copy of the key in the session"
_VERIFY = "P-256 verifications of pyca"


def signing(site: Site, pace: Pace) -> list[Row]:
    rates = best(
        {
            "ours": repeating(our_signature(site)),
            "limit": repeating(site.raw_token_signature()),
            "copy": repeating(site.raw_copy_signature()),
            "peer": in_loop(_PyHankoSigner(site).signed),
        },
        pace,
    )
    return [
        Row("cades.sign", rates["ours"], rates["limit"], _TOKEN, rates["peer"], "pyHanko"),
        Row("cades.sign.token", rates["ours"], rates["limit"], _TOKEN, rates["peer"], "pyHanko"),
        Row("cades.sign.copy", rates["ours"], rates["copy"], RAW_COPY),
    ]


def our_signature(site: Site) -> Work:
    key, certificate, chain = site.card_key, site.card, site.chain[:1]
    return lambda: cades.sign(DOCUMENT, key, certificate, datetime.now(UTC), chain=chain)


def verification(site: Site, pace: Pace) -> list[Row]:
    signed = cades.sign(DOCUMENT, site.card_key, site.card, datetime.now(UTC), chain=site.chain[:1])
    rates = best(
        {
            "ours": repeating(_our_verdict(site, signed)),
            "report": repeating(
                lambda: site.house.verification.verify(DOCUMENT, signed).complete()
            ),
            "limit": repeating(site.raw_verification()),
            "peer": in_loop(_their_verdict(site, signed)),
        },
        pace,
    )
    limit = rates["limit"]
    return [
        Row("cades.verify", rates["ours"], limit, _VERIFY, rates["peer"], "pyHanko"),
        Row("cades.verify.cached", rates["ours"], limit, _VERIFY, rates["peer"], "pyHanko"),
        Row("cades.verify.report", rates["report"], limit, _VERIFY),
    ]


def _our_verdict(site: Site, signed: bytes) -> Work:
    judge = engine(site)

    def work() -> object:
        (evidence,) = cades.read(signed, DOCUMENT)
        return judge.validate(evidence, datetime.now(UTC))

    (evidence,) = cades.read(signed, DOCUMENT)
    require_passed(judge, evidence, datetime.now(UTC))
    return work


class _PyHankoSigner(Signer):
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

    async def signed(self) -> bytes:
        settings = PdfCMSSignedAttributes(signing_time=datetime.now(UTC))
        made = await self.async_sign_general_data(
            DOCUMENT, "sha256", use_cades=True, signed_attr_settings=settings
        )
        der: bytes = made.dump()
        return der


def _their_verdict(site: Site, signed: bytes) -> Callable[[], Any]:
    """With the revocation lists of both authorities at hand; the context is kept, as ours is."""
    context = ValidationContext(
        trust_roots=[_certificate(site.chain[1].der)],
        other_certs=[_certificate(site.chain[0].der)],
        crls=site.revocation_lists(),
        revocation_mode="require",
        allow_fetching=False,
    )

    async def verdict() -> object:
        content = cms.ContentInfo.load(signed)
        status = await async_validate_detached_cms(DOCUMENT, content["content"], context)
        assert status.bottom_line
        return status

    return verdict


def in_loop(make: Callable[[], Any]) -> Measure:
    """Time a coroutine function inside an event loop."""

    def measure(seconds: float) -> float:
        with asyncio.Runner() as runner:
            return repeating(lambda: runner.run(make()))(seconds)

    return measure


def _certificate(der: bytes) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(der)
