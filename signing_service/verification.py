"""Verify: bytes in, format recognised, evidence collected, one engine, one report."""

from collections.abc import Callable, Sequence

from kernel.clock import Clock
from kernel.refusals import Forbidden, Malformed, Refusal, TooLarge, Unavailable
from policies.rights import RightsCatalogue
from policies.validation import ValidationPolicy
from signing_service.declaration import Declaration, check_right, read_declaration
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.document import Document
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.formats.recognition import is_xml, read_signatures
from signing_service.ports import Holder, Holders, StatusSource
from signing_service.trust import TrustAnchors
from signing_service.validation.article13 import Text
from signing_service.validation.assembly import finding_of, report_signature, weightiest
from signing_service.validation.engine import SignatureValidation, ValidationEngine
from signing_service.validation.evidence import TimestampEvidence
from signing_service.validation.indications import Step, SubIndication, failed
from signing_service.validation.poe import ProofOfExistence
from signing_service.validation.refusal_words import refusal_in_chinese
from signing_service.validation.report import (
    DeclarationSummary,
    Finding,
    PolicySummary,
    SignatureReport,
    ValidationReport,
)
from signing_service.validation.revocation import StatusFetcher

MAX_PRESENTED_BYTES = MAX_DOCUMENT_BYTES
MAX_SIGNATURES = 64


class Verification:
    """The use case behind the verification page and its API. Safe to use from many threads."""

    def __init__(
        self,
        anchors: TrustAnchors,
        status_sources: Sequence[StatusSource],
        holders: Holders,
        policy: ValidationPolicy,
        clock: Clock,
        rights: RightsCatalogue | None = None,
        *,
        fetcher: StatusFetcher | None = None,
        proofs: ProofOfExistence | None = None,
        trust: Callable[[], TrustAnchors] | None = None,
    ) -> None:
        """`rights`: with them the report also says what declaration was signed, and whether the
        signer might file it. `fetcher`: where status comes from that nobody brought; `proofs`:
        evidence records kept beside signatures; `trust`: the anchors of the moment, where they
        change while the service runs."""
        self._trust = trust

        def engine_with(trusted: TrustAnchors) -> ValidationEngine:
            return ValidationEngine(trusted, status_sources, policy, fetcher)

        self._engine_with = engine_with
        self._judging = anchors, engine_with(anchors)
        self._proofs = proofs
        self._holders = holders
        self._policy = policy
        self._clock = clock
        self._rights = rights

    def verify(self, document: Document | None, signature: bytes | None = None) -> ValidationReport:
        """Judge a signed document, or a document with its detached signature. A document too
        large for memory is read piece by piece.

        The verdict is there at once; the rest of the report is put together when it is read,
        which raises Unavailable where the registry of holders cannot be asked. Whatever cannot
        be read as a signature is TOTAL-FAILED/FORMAT_FAILURE. Raises Malformed
        `verification.nothing-presented`, TooLarge, Unavailable.
        """
        document, signature = _presented(document, signature)
        try:
            validations = self._judge(document, signature)
        except (TooLarge, Unavailable):
            raise
        except Refusal as refusal:
            return self._report(document, signature, _unreadable(refusal), [])
        return ValidationReport.deferred(
            weightiest(validation.conclusion for validation in validations),
            lambda: self._report(document, signature, None, validations),
        )

    def judge(
        self, document: Document | None, signature: bytes | None = None
    ) -> list[SignatureValidation]:
        """The engine's own outcome for every signature, of what is presented as to `verify`.

        Raises as `verify`, and Malformed and others where it cannot be read.
        """
        return self._judge(*_presented(document, signature))

    def _judge(
        self, document: Document | None, signature: bytes | None
    ) -> list[SignatureValidation]:
        anchors, engine = self._judging
        if self._trust is not None and (trusted := self._trust()) is not anchors:
            anchors, engine = self._judging = trusted, self._engine_with(trusted)
        evidence = read_signatures(document, signature, known=anchors.intermediates)
        if not evidence:
            raise Malformed("signature.missing", "there is no signature in it")
        if len(evidence) > MAX_SIGNATURES:
            raise Malformed("signature.too-many", "there are too many signatures in it")
        now, presented = self._clock.now(), signature or document
        records: Sequence[TimestampEvidence] = ()
        if self._proofs is not None and isinstance(presented, bytes):
            records = self._proofs.of(presented)
        return [engine.validate(one, now, records) for one in evidence]

    def _holder(self, validation: SignatureValidation) -> Holder | None:
        """Only a certificate that leads to a trusted authority names a holder."""
        outcome = validation.basic.certificate
        if outcome is None or outcome.path is None:
            return None
        proven = validation.best_signature_time.at
        return self._holders.by_certificate(outcome.path.certificates[0], proven)

    def _upon(self, validation: SignatureValidation) -> list[SignatureReport]:
        """The reports on counter-signatures."""
        return [
            report_signature(each, self._holder(each), self._upon(each))
            for each in validation.counter_signatures
        ]

    def _report(
        self,
        document: Document | None,
        signature: bytes | None,
        unreadable: Finding | None,
        validations: list[SignatureValidation],
    ) -> ValidationReport:
        holders = [self._holder(validation) for validation in validations]
        reports = tuple(
            report_signature(validation, holder, self._upon(validation))
            for validation, holder in zip(validations, holders, strict=True)
        )
        genuine = bool(reports) and all(report.passed for report in reports)
        policy = self._policy
        return ValidationReport(
            finding=unreadable or weightiest(report.finding for report in reports),
            signatures=reports,
            declaration=self._declaration(document or signature, holders, genuine=genuine),
            document_sha256=_sha256(document),
            signature_sha256=_sha256(signature),
            policy=PolicySummary(
                policy.identifier, Text(policy.name_en, policy.name_zh), policy.sha256
            ),
            validated_at=validations[0].validated_at if validations else self._clock.now(),
        )

    def _declaration(
        self, document: Document | None, holders: list[Holder | None], *, genuine: bool
    ) -> DeclarationSummary | None:
        if self._rights is None or not isinstance(document, bytes) or not is_xml(document):
            return None
        try:
            declaration = read_declaration(document, self._rights)
        except Refusal:
            return None
        kind, act = declaration.kind, declaration.act
        name = Text(kind.name_en, kind.name_zh)
        if act == "enter":
            name = Text(f"{kind.name_en}, entered, not declared", f"{kind.name_zh}（录入，未申报）")
        within = _within_rights(declaration, holders, self._rights) if genuine else None
        return DeclarationSummary(kind.code, name, declaration.declarant, within, act)


def _presented(
    document: Document | None, signature: bytes | None
) -> tuple[Document | None, bytes | None]:
    document, signature = document or None, signature or None
    if document is None and signature is None:
        raise Malformed("verification.nothing-presented", "present a signed document")
    for part in (document, signature):
        if isinstance(part, bytes) and len(part) > MAX_PRESENTED_BYTES:
            raise TooLarge(
                "document.too-large",
                "at most {mib} MiB are verified at once",
                mib=MAX_PRESENTED_BYTES >> 20,
            )
    return document, signature


def _within_rights(
    declaration: Declaration, holders: list[Holder | None], rights: RightsCatalogue
) -> bool | None:
    known = [holder for holder in holders if holder is not None]
    try:
        for holder in known:
            check_right(declaration, holder, rights)
    except Forbidden:
        return False
    return True if len(known) == len(holders) else None


def _unreadable(refusal: Refusal) -> Finding:
    conclusion = failed(
        Step.FORMAT_CHECKING,
        SubIndication.FORMAT_FAILURE,
        "format.unreadable",
        detail=refusal.detail,
        detail_zh=refusal_in_chinese(refusal.code),
    )
    return finding_of(conclusion.total())


def _sha256(data: Document | None) -> str | None:
    digest = None if data is None else digest_of("sha256", data)
    return None if digest is None else digest.hex()
