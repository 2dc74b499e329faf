"""Lint before signing: our own lints on every certificate, pkilint on every new shape.

pkilint (RFC 5280 and X.520) takes as long as everything else in an issue, our lints a tenth.
A certificate's shape is its profile, its issuer, the kind of key and which subject attributes
stand with which string types: what pkilint says of the first of a shape holds for the others,
because our own lints hold everything else fixed. A server's certificate is judged each time, for
its names (docs/decisions/0013-lint-once-for-each-shape.md).
"""

import threading
from functools import lru_cache
from typing import Any

from ca.linting.pkilint_verdicts import verdicts
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from policies.lints.catalogue import lint_certificate
from policies.lints.framework import Finding, Level
from policies.profile import CertificateProfile

_Shape = tuple[str, str, str, bytes]
_MAX_SHAPES = 4096


class Linter:
    """Lints certificates; remembers pkilint's verdict on each shape. Safe for threads."""

    def __init__(self) -> None:
        self._verdicts: dict[_Shape, tuple[Finding, ...]] = {}
        self._lock = threading.Lock()

    def findings(
        self, certificate: Certificate, profile: CertificateProfile, issuer: Certificate | None
    ) -> list[Finding]:
        """Everything found, our own lints first."""
        found = lint_certificate(certificate, profile, issuer)
        found.extend(self._by_pkilint(certificate, profile, issuer))
        return found

    def _by_pkilint(
        self, certificate: Certificate, profile: CertificateProfile, issuer: Certificate | None
    ) -> tuple[Finding, ...]:
        if profile.alternative_names != "none" or certificate.dns_names:
            with self._lock:
                return pkilint_findings(certificate.der)
        shape = (
            profile.digest,
            issuer.fingerprint if issuer else "",
            f"{certificate.public_key.kind} {certificate.public_key.bits}",
            _name_shape(certificate.subject_der),
        )
        verdict = self._verdicts.get(shape)
        if verdict is None:
            with self._lock:
                verdict = pkilint_findings(certificate.der)
                if len(self._verdicts) >= _MAX_SHAPES:
                    self._verdicts.clear()
                # An error may lie in one certificate's text: the next is judged for itself.
                if not any(finding.level is Level.ERROR for finding in verdict):
                    self._verdicts[shape] = verdict
        return verdict


def pkilint_findings(certificate: bytes) -> tuple[Finding, ...]:
    """Run pkilint's PKIX checks on one DER certificate; notices and infos are left out."""
    from pkilint import loader

    document = loader.load_certificate(certificate, "certificate")
    return verdicts(_validator(), document, "PKIX")


@lru_cache(maxsize=1)
def _validator() -> Any:
    from pkilint.pkix import certificate as pkix_certificate
    from pkilint.pkix import extension, name

    return pkix_certificate.create_pkix_certificate_validator_container(
        pkix_certificate.create_decoding_validators(
            name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS
        ),
        [
            pkix_certificate.create_issuer_validator_container([]),
            pkix_certificate.create_validity_validator_container(),
            pkix_certificate.create_subject_validator_container([]),
            pkix_certificate.create_extensions_validator_container([]),
            pkix_certificate.create_spki_validator_container([]),
        ],
    )


def _name_shape(subject: bytes) -> bytes:
    """Attribute types and string tags of a Name, without their values."""
    shape = b""
    for relative in der.children(subject, der.read(subject)):
        for pair in der.children(subject, relative):
            kind, value = der.children(subject, pair)
            shape += subject[kind.start : kind.end] + bytes((value.tag,))
    return shape
