"""Signing a declaration or document in two steps, with the holder's right checked in both.

`prepare` says what the card shall sign; `complete` takes the card's signature value, checks it
against what was prepared, timestamps and validates the result at once, and keeps it. The
service never sees a private key, and nothing that the caller says about digests is believed.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import delete, func, insert, select, update

from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.refusals import Conflict, Forbidden, NotFound, Refusal, TooMany, Unprocessable
from policies.rights import RightsCatalogue
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from signing_service.archive.accepted import AcceptedSignature, Part, PartRole
from signing_service.archive.evidence import collect_parts
from signing_service.archive.keeping import Archive
from signing_service.archive.retention import Retention
from signing_service.batch import Batches, BatchItem
from signing_service.filing import Filing, file_as
from signing_service.formats.catalogue import making_of, raise_to
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.recognition import read_signatures
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.ports import CertificateStatus, Holder, Holders, MaterialSource, StatusSource
from signing_service.tables import prepared_signatures
from signing_service.timestamping.client import Timestamper
from signing_service.trust import TrustAnchors
from signing_service.validation.evidence import (
    SignatureEvidence,
    SignatureFormat,
    SignatureLevel,
)
from signing_service.validation.report import ValidationReport

PREPARED_FOR = timedelta(minutes=10)
MAX_PREPARED_PER_CARD = 50
MAX_ATTEMPTS = 3
_LONGEST_PATH = 8
_LEVELS = (SignatureLevel.B_B, SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA)


class Verifier(Protocol):
    """The verification use case, as far as signing needs it."""

    def verify(self, document: bytes | None, signature: bytes | None) -> ValidationReport: ...


@dataclass(frozen=True)
class Preparation:
    """What the card is asked to sign."""

    id: str
    format: SignatureFormat
    level: SignatureLevel
    """What `complete` will make of it."""
    to_be_signed: bytes
    suite: str
    expires_at: datetime
    filing: Filing


@dataclass(frozen=True)
class Receipt:
    """An accepted signature with its report."""

    id: str
    format: SignatureFormat
    level: SignatureLevel
    signature: bytes
    report: ValidationReport


class Signing:
    """The use case. One instance serves all threads."""

    def __init__(
        self,
        *,
        holders: Holders,
        status: StatusSource,
        rights: RightsCatalogue,
        anchors: TrustAnchors,
        timestamper: Timestamper,
        verifier: Verifier,
        archive: Archive,
        material: MaterialSource,
        retention: Retention,
        batches: Batches,
        database: Database,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._holders = holders
        self._status = status
        self._rights = rights
        self._anchors = anchors
        self._timestamper = timestamper
        self._verifier = verifier
        self._archive = archive
        self._material = material
        self._retention = retention
        self._batches = batches
        self._database = database
        self._journal = journal
        self._clock = clock

    def prepare(
        self,
        document: bytes,
        certificate: Certificate,
        format_: SignatureFormat,
        card: str,
        level: SignatureLevel = SignatureLevel.B_T,
    ) -> Preparation:
        """First step. `card` is the one that the caller signed in with; `level` what the
        finished signature shall have.

        Raises Forbidden `signer.unknown`, `signer.other-card`, `card.not-active`,
        `certificate.revoked`, `certificate.unknown`, `certificate.unknown-issuer`, and as
        `file_as`; Unprocessable `format.unsupported`, `level.unknown`; TooMany
        `signature.too-many-prepared`; and as the format.
        """
        now = self._clock.now()
        if level not in _LEVELS:
            raise Unprocessable("level.unknown", f"sign as {', '.join(_LEVELS)}")
        making = making_of(format_)
        try:
            filing, _ = self._authorise(document, certificate, card, now)
        except Refusal as refusal:
            self._record_refusal(refusal, card, document)
            raise
        chain = self._path(certificate)[:-1]  # whoever verifies has the anchor already
        prepared = making.prepare(document, certificate, now, chain=chain)
        identifier = new_id()
        with self._database.transaction() as connection:
            connection.execute(
                delete(prepared_signatures).where(prepared_signatures.c.expires_at < now)
            )
            row = {
                "id": identifier,
                "card": card,
                "kind": filing.kind,
                "level": str(level),
                "document": document,
                "prepared": prepared.to_bytes(),
                "expires_at": now + PREPARED_FOR,
                "attempts": 0,
            }
            connection.execute(insert(prepared_signatures), row)
            self._journal.append(
                connection,
                Event.SIGNATURE_PREPARED,
                subject=identifier,
                actor=card,
                kind=filing.kind,
                format=str(format_),
                level=str(level),
                document_sha256=hashlib.sha256(document).hexdigest(),
            )
            # Counted under the journal's lock, so that two at once see each other.
            of_card = select(func.count()).where(prepared_signatures.c.card == card)
            if connection.execute(of_card).scalar_one() > MAX_PREPARED_PER_CARD:
                raise TooMany(
                    "signature.too-many-prepared", "finish or abandon some signatures first"
                )
        return Preparation(
            identifier, format_, level, prepared.to_be_signed, prepared.suite.name,
            now + PREPARED_FOR, filing,
        )  # fmt: skip

    def complete(
        self,
        identifier: str,
        signature_value: bytes,
        card: str,
        item: BatchItem | None = None,
    ) -> Receipt:
        """Last step: the value in the X.509 shape, over exactly what was prepared. `item`: the
        claimed item of a job, marked when the signature is accepted.

        Raises NotFound `signature.not-prepared`; TooMany `signature.too-many-attempts`; Conflict
        `signature.already-completed`; Unprocessable `signature.mismatch`,
        `signature.not-passed` (with the indication as facts); Unavailable `timestamp.*` and
        `archive.*` (a full archive accepts nothing); as `Batches.mark_signed`; and as `prepare`,
        because the right may have been withdrawn in between.
        """
        now = self._clock.now()
        document, level, prepared = self._take_attempt(identifier, card, now)
        making = making_of(prepared.format)
        try:
            filing, holder = self._authorise(document, prepared.certificate, card, now)
            signed = raise_to(
                level,
                prepared.format,
                making.assemble(prepared, signature_value),
                document,
                self._timestamper,
                self._validation_material,
            )
            presented = (document, signed) if making.detached else (signed, None)
            report = self._verifier.verify(*presented)
            _require_passed(report)
        except Refusal as refusal:
            self._record_refusal(refusal, card, document)
            raise
        accepted = AcceptedSignature(
            id=identifier,
            accepted_at=now,
            format=str(prepared.format),
            level=str(level),
            kind=filing.kind,
            card=card,
            subject=holder.subject,
            enterprise=holder.enterprise_uscc,
            rights=holder.rights,
            certificate_fingerprint=prepared.certificate.fingerprint,
            document_sha256=hashlib.sha256(document).hexdigest(),
            signature_sha256=hashlib.sha256(signed).hexdigest(),
            keep_until=self._retention.until(prepared.certificate),
        )
        evidence = read_signatures(*presented)
        self._keep(accepted, self._evidence(document, signed, prepared, report, evidence), item)
        return Receipt(identifier, prepared.format, level, signed, report)

    def receipt(self, identifier: str, card: str) -> tuple[AcceptedSignature, bytes]:
        """An accepted signature and its bytes, for the card that made it. Raises NotFound."""
        accepted = self._archive.find(identifier)
        if accepted is None or accepted.card != card:
            raise NotFound("signature.not-found", "no such signature of this card")
        return accepted, self._archive.read(identifier, PartRole.SIGNATURE)

    def _evidence(
        self,
        document: bytes,
        signed: bytes,
        prepared: PreparedSignature,
        report: ValidationReport,
        evidence: list[SignatureEvidence],
    ) -> list[Part]:
        """Everything that a judge may ask for later."""
        told = json.dumps(report.to_json(), ensure_ascii=False, indent=2).encode()
        path = (prepared.certificate, *self._path(prepared.certificate))
        return collect_parts(document, signed, told, evidence, path, self._material)

    def _authorise(
        self, document: bytes, certificate: Certificate, card: str, now: datetime
    ) -> tuple[Filing, Holder]:
        holder = self._holders.by_certificate(certificate, now)
        if holder is None:
            raise Forbidden("signer.unknown", "this certificate belongs to no card of ours")
        if holder.card != card:
            raise Forbidden("signer.other-card", "signed in with another card than the signer's")
        if holder.card_state != "active":
            raise Forbidden(
                "card.not-active", f"the card is {holder.card_state}", state=holder.card_state
            )
        above = self._path(certificate)
        answer = self._status.status(certificate, above[0]) if above else None
        if answer is None:
            raise Forbidden(
                "certificate.unknown-issuer", "nobody here speaks for the certificate's issuer"
            )
        if answer.status is CertificateStatus.UNKNOWN:
            raise Forbidden("certificate.unknown", "its issuer does not know the certificate")
        if answer.status is not CertificateStatus.GOOD:
            raise Forbidden("certificate.revoked", "the certificate is not valid any more")
        return file_as(document, holder, self._rights), holder

    def _validation_material(self, evidence: list[SignatureEvidence]) -> ValidationMaterial:
        """Of signers and timestamp authorities, with the authorities above them."""
        wanted: list[Certificate] = []
        for one in evidence:
            for signature in (one, *(stamp.signature for stamp in one.timestamps)):
                if signature.signing_certificate is not None:
                    wanted.append(signature.signing_certificate)
                    wanted += self._path(signature.signing_certificate)
        certificates = list(dict.fromkeys(wanted))
        embedded = ValidationMaterial(tuple(each.der for each in certificates))
        return embedded + self._material.of(certificates)

    def _path(self, certificate: Certificate) -> tuple[Certificate, ...]:
        """The issuers above the signer's certificate, up to and with the anchor."""
        path: list[Certificate] = []
        current = certificate
        while len(path) < _LONGEST_PATH and not self._anchors.authorities_of(current):
            candidates = self._anchors.issuer_candidates(current)
            issuer = next((each for each in candidates if current.is_signed_by(each)), None)
            if issuer is None:
                break
            path.append(issuer)
            current = issuer
        return tuple(path)

    def _take_attempt(
        self, identifier: str, card: str, now: datetime
    ) -> tuple[bytes, SignatureLevel, PreparedSignature]:
        """Count an attempt before working, so that a wrong value cannot be tried for ever."""
        table = prepared_signatures
        mine = (table.c.id == identifier) & (table.c.card == card) & (table.c.expires_at > now)
        # One statement: of many attempts at once, no more are counted than are granted.
        counted = (
            update(table)
            .where(mine, table.c.attempts < MAX_ATTEMPTS)
            .values(attempts=table.c.attempts + 1)
            .returning(table.c.document, table.c.level, table.c.prepared)
        )
        with self._database.transaction() as connection:
            row = connection.execute(counted).one_or_none()
            if row is None and connection.execute(select(table.c.id).where(mine)).first():
                raise TooMany("signature.too-many-attempts", "prepare the signature again")
        if row is None:
            raise NotFound("signature.not-prepared", "nothing was prepared under this name")
        return row.document, SignatureLevel(row.level), PreparedSignature.from_bytes(row.prepared)

    def _keep(
        self, accepted: AcceptedSignature, evidence: list[Part], item: BatchItem | None
    ) -> None:
        parts = self._archive.store_parts(evidence)
        with self._database.transaction() as connection:
            done = connection.execute(
                delete(prepared_signatures).where(prepared_signatures.c.id == accepted.id)
            )
            if done.rowcount != 1:
                raise Conflict("signature.already-completed", "this signature was completed before")
            self._archive.keep(connection, accepted, parts)
            if item is not None:
                self._batches.mark_signed(
                    connection, item, accepted.card, accepted.document_sha256,
                    SignatureFormat(accepted.format), SignatureLevel(accepted.level), accepted.id,
                )  # fmt: skip
            self._journal.append(
                connection,
                Event.SIGNATURE_ACCEPTED,
                subject=accepted.id,
                actor=accepted.card,
                kind=accepted.kind,
                format=accepted.format,
                document_sha256=accepted.document_sha256,
                signature_sha256=accepted.signature_sha256,
            )

    def _record_refusal(self, refusal: Refusal, card: str, document: bytes) -> None:
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.SIGNATURE_REFUSED,
                subject=hashlib.sha256(document).hexdigest(),
                actor=card,
                code=refusal.code,
            )


def _require_passed(report: ValidationReport) -> None:
    if not report.passed:
        raise Unprocessable(
            "signature.not-passed",
            "the finished signature does not validate",
            indication=str(report.indication),
            sub_indication=str(report.sub_indication or ""),
        )
