"""The validation report: what a platform reads as JSON and a person on a page.

Frozen values only. `ValidationReport.to_json()` has the stable shape of `report.schema.json`.
A report may be deferred: its verdict is there at once, its words when somebody reads them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from kernel.asn1.certificate import Certificate
from kernel.identifiers import serial_text
from kernel.refusals import Malformed
from policies.rights import Act
from signing_service.ports import HolderKind
from signing_service.validation.article13 import Condition, Text
from signing_service.validation.indications import Conclusion, Indication, SubIndication

REPORT_VERSION = "1.1"


@dataclass(frozen=True)
class Finding:
    """A conclusion with plain words: what was found, why, and what would help."""

    indication: Indication
    sub_indication: SubIndication | None
    step: str
    """The building block or process that concluded, by its clause in EN 319 102-1."""
    reason: str
    """A stable code: `revocation.revoked`."""
    why: Text
    help: Text


@dataclass(frozen=True)
class CertificateSummary:
    subject: str
    """RFC 4514."""
    issuer: str
    serial: str
    """Upper-case hexadecimal."""
    not_before: datetime
    not_after: datetime
    sha256: str
    policies: tuple[str, ...]


@dataclass(frozen=True)
class Enterprise:
    name: str | None
    uscc: str | None
    customs_code: str | None


@dataclass(frozen=True)
class Signer:
    """Who signed. Registry fields are null for a holder that the registry does not know."""

    certificate: CertificateSummary
    name: str
    kind: HolderKind | None
    card: str | None
    enterprise: Enterprise | None
    rights: tuple[str, ...]
    """Codes of the rights in force at the time of signing."""
    known: bool
    """Whether the holder is in the registry."""


@dataclass(frozen=True)
class SigningTime:
    claimed: datetime | None
    """As the signer says."""
    proven: datetime | None
    """As a valid timestamp proves; null where none does."""
    proven_by: str | None
    """The timestamp authority."""
    accuracy_seconds: float | None


@dataclass(frozen=True)
class RevocationSummary:
    subject: str
    serial: str
    status: str
    """`good`, `revoked` or `unknown`."""
    source: str | None
    this_update: datetime | None
    revoked_at: datetime | None
    reason: str | None


@dataclass(frozen=True)
class TimestampSummary:
    kind: str
    finding: Finding
    generated_at: datetime
    accuracy_seconds: float
    serial: str
    policy: str
    authority: str | None
    path: tuple[CertificateSummary, ...]
    revocation: tuple[RevocationSummary, ...]
    sha256: str | None = None
    """Of the token."""


@dataclass(frozen=True)
class ReferenceSummary:
    name: str
    digest: str
    intact: bool


@dataclass(frozen=True)
class SignatureReport:
    """The verdict on one signature with everything that it rests on."""

    finding: Finding
    format: str
    level: str
    packaging: str
    algorithm: str
    signer: Signer | None
    time: SigningTime
    authority: str | None
    """The trusted authority that the path ends on."""
    path: tuple[CertificateSummary, ...]
    """The signer's certificate first, the trust anchor last."""
    revocation: tuple[RevocationSummary, ...]
    timestamps: tuple[TimestampSummary, ...]
    references: tuple[ReferenceSummary, ...]
    steps: tuple[Finding, ...]
    article_13: tuple[Condition, ...]
    observations: tuple[str, ...]
    signature_value_sha256: str | None = None
    """Names the signature among others."""
    counter_signatures: tuple["SignatureReport", ...] = ()
    """Signatures upon this one's value, each with a verdict of its own."""

    @property
    def passed(self) -> bool:
        return self.finding.indication is Indication.TOTAL_PASSED


@dataclass(frozen=True)
class DeclarationSummary:
    """What was signed, where it is a declaration of a known kind."""

    kind: str
    name: Text
    declarant: str
    """Unified social credit code or customs code of the declaring enterprise."""
    filed_within_rights: bool | None
    """Whether every signer held the right, and signed for the own enterprise, at the time of
    signing; null where a signature did not pass or a signer is not in the registry."""
    act: Act = "declare"
    """Whether the document declares (申报), or was only entered (录入) for somebody who will.
    Reports from before it was told are of what was declared."""


@dataclass(frozen=True)
class PolicySummary:
    identifier: str
    name: Text
    sha256: str | None = None
    """Of the policy's file."""


@dataclass(frozen=True)
class ValidationReport:
    """One report on what was presented: an overall finding, and one on each signature."""

    finding: Finding
    signatures: tuple[SignatureReport, ...]
    declaration: DeclarationSummary | None
    document_sha256: str | None
    signature_sha256: str | None
    policy: PolicySummary
    validated_at: datetime
    version: str = REPORT_VERSION

    @classmethod
    def deferred(
        cls, conclusion: Conclusion, build: "Callable[[], ValidationReport]"
    ) -> "ValidationReport":
        """A report with that overall verdict, put together by `build` when it is first read.

        What `build` raises is raised then; `complete` chooses the moment.
        """
        report = object.__new__(cls)
        report.__dict__["_verdict"] = conclusion
        report.__dict__["_build"] = build
        return report

    def complete(self) -> "ValidationReport":
        """This report with nothing left to be put together."""
        build = self.__dict__.get("_build")
        if build is not None:
            self.__dict__.update(build().__dict__)
            self.__dict__.pop("_build", None)
        return self

    if not TYPE_CHECKING:  # called only for what is not there yet

        def __getattr__(self, name: str) -> Any:
            if "_build" not in self.__dict__ or name not in type(self).__dataclass_fields__:
                raise AttributeError(name)
            return self.complete().__dict__[name]

    @property
    def indication(self) -> Indication:
        return self._overall.indication

    @property
    def sub_indication(self) -> SubIndication | None:
        return self._overall.sub_indication

    @property
    def _overall(self) -> Conclusion | Finding:
        verdict: Conclusion | None = self.__dict__.get("_verdict")
        return self.finding if verdict is None else verdict

    @property
    def passed(self) -> bool:
        return self.indication is Indication.TOTAL_PASSED

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values. Times are RFC 3339 in UTC; absent values are null."""
        plain: dict[str, Any] = _ADAPTER.dump_python(self.complete(), mode="json")
        return plain


@lru_cache(maxsize=2048)
def summarise_certificate(certificate: Certificate) -> CertificateSummary:
    return CertificateSummary(
        certificate.subject_text(),
        certificate.issuer_text(),
        serial_text(certificate.serial),
        certificate.not_before,
        certificate.not_after,
        certificate.fingerprint,
        certificate.policies,
    )


_ADAPTER = TypeAdapter(ValidationReport)


def report_schema() -> dict[str, Any]:
    """The JSON Schema of `to_json()`, from which `report.schema.json` was written."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:portseal:schema:validation-report:{REPORT_VERSION}",
        **_ADAPTER.json_schema(mode="serialization"),
    }


def read_report(data: bytes | str) -> ValidationReport:
    """The report that `to_json()` wrote. Raises Malformed `report.malformed`."""
    try:
        return _ADAPTER.validate_json(data, strict=True)
    except ValidationError:
        raise Malformed("report.malformed", "not a validation report") from None
