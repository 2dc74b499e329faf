"""A signature between its two steps: what is to be signed is known, the value is not yet.

The three steps of every format are prepare, sign (wherever the key is) and assemble. Between
the first and the last the prepared signature may leave the process as bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat import asn1

from kernel.algorithms import AlgorithmSuite, suite_named
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Unprocessable
from signing_service.validation.evidence import Packaging, SignatureFormat

MAX_DOCUMENT_BYTES = 32 * 1024 * 1024
MAX_SIGNATURE_BYTES = 1024 * 1024
MAX_CHAIN = 16
_VERSION = 1
_MAX_PREPARED_BYTES = MAX_DOCUMENT_BYTES + 2 * MAX_SIGNATURE_BYTES


@asn1.sequence
class _Serialised:
    version: int
    format: str
    packaging: str
    suite: str
    certificates: list[bytes]
    to_be_signed: bytes
    body: bytes


@dataclass(frozen=True)
class PreparedSignature:
    """What `prepare` made and `assemble` needs."""

    format: SignatureFormat
    packaging: Packaging
    suite: AlgorithmSuite
    certificate: Certificate
    chain: tuple[Certificate, ...]
    to_be_signed: bytes
    """The octets that the key signs, under `suite`."""
    body: bytes
    """What else the format needs: an enveloped document; empty for detached CAdES."""

    def to_bytes(self) -> bytes:
        """DER, for `from_bytes`."""
        certificates = (certificate.der for certificate in (self.certificate, *self.chain))
        return der.sequence(
            der.integer(_VERSION),
            der.utf8_string(self.format),
            der.utf8_string(self.packaging),
            der.utf8_string(self.suite.name),
            der.sequence(*map(der.octet_string, certificates)),
            der.octet_string(self.to_be_signed),
            der.octet_string(self.body),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "PreparedSignature":
        """Raises Malformed `prepared.malformed`; Unprocessable as `choose_suite`."""
        if len(data) > _MAX_PREPARED_BYTES:
            raise Malformed("prepared.malformed", "a prepared signature is not that large")
        try:
            raw = asn1.decode_der(_Serialised, data)
            signature_format, packaging = SignatureFormat(raw.format), Packaging(raw.packaging)
        except ValueError:
            raise Malformed("prepared.malformed", "not a prepared signature") from None
        if raw.version != _VERSION or not 1 <= len(raw.certificates) <= MAX_CHAIN + 1:
            raise Malformed("prepared.malformed", "not a prepared signature")
        certificate, *chain = map(Certificate.parse, raw.certificates)
        suite = choose_suite(certificate, suite_named(raw.suite))
        return cls(
            signature_format,
            packaging,
            suite,
            certificate,
            tuple(chain),
            raw.to_be_signed,
            raw.body,
        )

    def check(self, signature_value: bytes) -> None:
        """Verify the value (X.509 shape) against what was prepared.

        Raises Unprocessable `signature.mismatch`.
        """
        if not self.certificate.public_key.verify(self.suite, signature_value, self.to_be_signed):
            raise Unprocessable(
                "signature.mismatch",
                "the signature value is not the certificate's over what was prepared",
            )


def choose_suite(certificate: Certificate, suite: AlgorithmSuite | None) -> AlgorithmSuite:
    """The suite to sign with: the one asked for, or the key's own.

    Raises Unprocessable `algorithm.unfit` (not for this key, or not for new signatures) and
    `public-key.unsupported`.
    """
    if suite is None:
        return certificate.public_key.default_suite()
    if not certificate.public_key.fits(suite) or suite.digest == "sha1":
        raise Unprocessable("algorithm.unfit", "this key does not sign so", suite=suite.name)
    return suite


def check_chain(chain: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """Raises Unprocessable `chain.too-long`."""
    if len(chain) > MAX_CHAIN:
        raise Unprocessable(
            "chain.too-long", "at most {most} certificates above the signer", most=MAX_CHAIN
        )
    return tuple(chain)
