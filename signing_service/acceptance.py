"""Accepting a finished signature: judged at once, kept with its evidence, journalled."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal, Unprocessable
from records.database import Database
from records.events import Event
from records.journal import Journal
from signing_service.archive.accepted import (
    BARE_DIGEST,
    AcceptedSignature,
    Part,
    PartRole,
    StoredPart,
)
from signing_service.archive.evidence import collect_parts
from signing_service.archive.keeping import Archive
from signing_service.archive.kept import KeptDocument
from signing_service.archive.retention import Retention
from signing_service.filing import Filing
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.document import DigestedDocument, Document
from signing_service.formats.recognition import read_signatures
from signing_service.ports import Holder, MaterialSource
from signing_service.validation.evidence import SignatureFormat, SignatureLevel
from signing_service.validation.indications import Indication
from signing_service.validation.report import SignatureReport, ValidationReport, read_report


class Verifier(Protocol):
    """The verification use case, as far as signing needs it."""

    def verify(self, document: Document | None, signature: bytes | None) -> ValidationReport: ...


@dataclass(frozen=True)
class Finished:
    """A signature that is made and not yet accepted."""

    id: str
    format: SignatureFormat
    level: SignatureLevel
    filing: Filing
    holder: Holder
    certificate: Certificate
    document: Document
    """What it is kept under; of several documents the first. One on disk lies in the store."""
    presented: tuple[Document | None, bytes | None]
    """(Document, signature) as a verifier gets them; (signed document, None) where it holds its
    document."""

    @property
    def signed(self) -> Document:
        document, signature = self.presented
        found = signature if signature is not None else document
        assert found is not None
        return found


@dataclass(frozen=True)
class SignedDigest:
    """A signature value over a digest, which is all that was ever here: the document, and the file
    that the signature goes into, are with whoever asked for it."""

    id: str
    holder: Holder
    certificate: Certificate
    suite: AlgorithmSuite
    digest: bytes
    value: bytes
    """In the X.509 shape; verified by the caller."""


def _nothing(connection: Connection) -> None:
    """Nothing is settled with it."""


class Acceptance:
    """One instance serves all threads."""

    def __init__(
        self,
        verifier: Verifier,
        archive: Archive,
        material: MaterialSource,
        retention: Retention,
        database: Database,
        journal: Journal,
        path: Callable[[Certificate], tuple[Certificate, ...]],
    ) -> None:
        """`path`: the issuers above a certificate."""
        self._verifier = verifier
        self._archive = archive
        self._material = material
        self._retention = retention
        self._database = database
        self._journal = journal
        self._path = path

    def require_intact(self, document: Document | None, signed: bytes) -> None:
        """Nobody signs beside or upon what is broken. Raises Unprocessable `signature.broken`."""
        presented = (signed, None) if document is None else (document, signed)
        report = self._verifier.verify(*presented)
        if report.indication is Indication.TOTAL_FAILED:
            raise Unprocessable(
                "signature.broken",
                "the signatures that are there do not hold",
                sub_indication=str(report.sub_indication or ""),
            )

    def judge(self, finished: Finished, value: bytes | None = None) -> ValidationReport:
        """`value`: of the signature that is new, where others are there too: it must pass, and
        none of them may be broken.

        Raises Unprocessable `signature.not-passed` with the indication as facts.
        """
        report = self._verifier.verify(*finished.presented)
        if value is None:
            if not report.passed:
                raise _not_passed(str(report.indication), str(report.sub_indication or ""))
            return report
        wanted = hashlib.sha256(value).hexdigest()
        for each in _all(report.signatures):
            found = each.finding
            is_new = each.signature_value_sha256 == wanted
            if found.indication is Indication.TOTAL_FAILED or (is_new and not each.passed):
                raise _not_passed(str(found.indication), str(found.sub_indication or ""))
        if not is_value_of(value, report):
            raise _not_passed(str(Indication.INDETERMINATE), "")
        return report

    def keep(
        self,
        accepted_at: datetime,
        finished: Sequence[tuple[Finished, ValidationReport]],
        settle: Callable[[Connection], None] = _nothing,
    ) -> None:
        """All or none; `settle` runs first in the same transaction.

        Raises Unavailable `archive.*` (a full archive accepts nothing), and as `settle`.
        """
        self._keep(
            [
                (self._facts(one, accepted_at), self._parts(one, report), one.document)
                for one, report in finished
            ],
            settle,
        )

    def keep_digests(self, accepted_at: datetime, signed: Sequence[SignedDigest]) -> None:
        """What there is of signatures whose documents were never here. All or none. Raises as
        `keep`."""
        self._keep(
            [
                (
                    self._digest_facts(one, accepted_at),
                    self._digest_parts(one, accepted_at),
                    DigestedDocument.of(one.digest),
                )
                for one in signed
            ],
            _nothing,
        )

    def _keep(
        self,
        accepted: Sequence[tuple[AcceptedSignature, Sequence[Part | StoredPart], Document]],
        settle: Callable[[Connection], None],
    ) -> None:
        stored = [
            (facts, self._archive.store_parts(parts), document)
            for facts, parts, document in accepted
        ]
        with self._database.transaction() as connection:
            settle(connection)
            for facts, parts, document in stored:
                self._archive.keep(connection, facts, parts)
                self._journal.append(
                    connection,
                    Event.SIGNATURE_ACCEPTED,
                    subject=facts.id,
                    actor=facts.card,
                    kind=facts.kind,
                    format=facts.format,
                    **_naming(facts, document),
                    signature_sha256=facts.signature_sha256,
                )

    def accepted_before(
        self, identifier: str, value: bytes, card: str
    ) -> tuple[AcceptedSignature, ValidationReport] | None:
        """What this card completed under this name, if with this value. Raises Unavailable
        `archive.*`."""
        accepted = self._archive.find(identifier)
        if accepted is None or accepted.card != card or accepted.format == BARE_DIGEST:
            return None
        report = read_report(self._archive.read(identifier, PartRole.REPORT))
        return (accepted, report) if is_value_of(value, report) else None

    def record_refusal(self, refusal: Refusal, card: str, document: Document) -> None:
        """Into the journal, under the document's digest."""
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.SIGNATURE_REFUSED,
                subject=sha256_of(document),
                actor=card,
                code=refusal.code,
            )

    def _facts(self, one: Finished, accepted_at: datetime) -> AcceptedSignature:
        return AcceptedSignature(
            id=one.id,
            accepted_at=accepted_at,
            format=str(one.format),
            level=str(one.level),
            kind=one.filing.kind,
            card=one.holder.card,
            subject=one.holder.subject,
            enterprise=one.holder.enterprise_uscc,
            rights=one.holder.rights,
            certificate_fingerprint=one.certificate.fingerprint,
            document_sha256=sha256_of(one.document),
            signature_sha256=sha256_of(one.signed),
            keep_until=self._retention.until(one.certificate),
        )

    def _digest_facts(self, one: SignedDigest, accepted_at: datetime) -> AcceptedSignature:
        return AcceptedSignature(
            id=one.id,
            accepted_at=accepted_at,
            format=BARE_DIGEST,
            level="",
            kind=BARE_DIGEST,
            card=one.holder.card,
            subject=one.holder.subject,
            enterprise=one.holder.enterprise_uscc,
            rights=one.holder.rights,
            certificate_fingerprint=one.certificate.fingerprint,
            document_sha256="",
            signature_sha256=sha256_of(one.value),
            keep_until=self._retention.until(one.certificate),
        )

    def _digest_parts(self, one: SignedDigest, accepted_at: datetime) -> list[Part | StoredPart]:
        told = {
            "signed": "a digest; the document was never here, and nothing is said of it",
            "digest": one.digest.hex(),
            "suite": one.suite.name,
            "signature_value": "verified with the certificate's key",
            "certificate_status": "good",
            "accepted_at": accepted_at.isoformat(),
        }
        path = (one.certificate, *self._path(one.certificate))
        report = json.dumps(told, indent=2).encode()
        document = DigestedDocument.of(one.digest)
        return collect_parts(document, one.value, report, (), path, self._material)

    def _parts(self, one: Finished, report: ValidationReport) -> list[Part | StoredPart]:
        """Everything that a judge may ask for later."""
        told = json.dumps(report.to_json(), ensure_ascii=False, indent=2).encode()
        path = (one.certificate, *self._path(one.certificate))
        evidence = read_signatures(*one.presented)
        return collect_parts(one.document, one.signed, told, evidence, path, self._material)


def sha256_of(document: Document) -> str:
    """Hexadecimal; of a document in the store, its address; empty where it cannot be told."""
    if isinstance(document, KeptDocument):
        return document.address
    return (digest_of("sha256", document) or b"").hex()


def is_value_of(value: bytes, report: ValidationReport) -> bool:
    """Whether a signature that was judged has this value (X.509 shape)."""
    wanted = hashlib.sha256(value).hexdigest()
    return any(each.signature_value_sha256 == wanted for each in _all(report.signatures))


def _naming(facts: AcceptedSignature, document: Document) -> dict[str, str]:
    """How the journal names what was signed."""
    if facts.document_sha256 or not isinstance(document, DigestedDocument):
        return {"document_sha256": facts.document_sha256}
    (name, digest), *_ = document.known.items()
    return {f"digest_{name}": digest.hex()}


def _all(reports: Sequence[SignatureReport]) -> Iterator[SignatureReport]:
    for each in reports:
        yield each
        yield from _all(each.counter_signatures)


def _not_passed(indication: str, sub_indication: str) -> Unprocessable:
    return Unprocessable(
        "signature.not-passed",
        "the finished signature does not validate",
        indication=indication,
        sub_indication=sub_indication,
    )
