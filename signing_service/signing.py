"""Signing a declaration or document in two steps, with the holder's right checked in both.

`prepare` says what the card shall sign; `complete` takes the card's signature value, checks it
against what was prepared, timestamps and validates the result at once, and keeps it. The
service never sees a private key, and nothing that the caller says about digests is believed.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.refusals import Conflict, NotFound, Refusal, Unprocessable
from policies.rights import RightsCatalogue
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from signing_service.acceptance import Acceptance, Finished, Verifier, sha256_of
from signing_service.archive.accepted import AcceptedSignature, PartRole
from signing_service.archive.keeping import Archive
from signing_service.archive.kept import KeptDocument, keep_written
from signing_service.archive.objects import pieces_of
from signing_service.archive.retention import Retention
from signing_service.authorisation import Authorisation
from signing_service.batch import Batches, BatchItem
from signing_service.embedding import Embedding
from signing_service.filing import Filing
from signing_service.formats import making
from signing_service.formats.asic import whole as asic
from signing_service.formats.catalogue import (
    check_counter_level,
    counter_format,
    raise_container,
)
from signing_service.formats.document import Document
from signing_service.formats.draft import draft_of
from signing_service.formats.manner import Act, Manner, Subject, lies_beside
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES, PreparedSignature
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.ports import Holders, MaterialSource, StatusSource
from signing_service.raising import Raising
from signing_service.timestamping.client import Timestamper
from signing_service.trust import TrustAnchors
from signing_service.uploads import Uploads
from signing_service.validation.evidence import (
    Packaging,
    SignatureFormat,
    SignatureLevel,
)
from signing_service.validation.report import ValidationReport
from signing_service.waiting import Waiting, WaitingSignatures

MAX_MESSAGE_BYTES = 2 * MAX_DOCUMENT_BYTES
"""Of a signature file that is told in a message."""
_LEVELS = (SignatureLevel.B_B, SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA)


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
    context: bytes = b""
    """What lies between the document and `to_be_signed` (see `making.context_of`)."""
    draft: bytes = b""
    """Where it was asked for: the finished file with zeros for the value (see `formats.draft`)."""


@dataclass(frozen=True)
class Receipt:
    """An accepted signature with its report."""

    id: str
    format: SignatureFormat
    level: SignatureLevel
    signature: bytes | None
    """None: a container too large for a message (see `Signing.signature`)."""
    size: int
    """Octets of the signature file."""
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
        uploads: Uploads,
        database: Database,
        journal: Journal,
        clock: Clock,
        page_of: Callable[[str], str] | None = None,
    ) -> None:
        """`page_of`: the address at which anybody reads the verdict on an accepted signature, by
        its identifier; where the QR codes of visible seals lead."""
        self.authorisation = Authorisation(holders, status, rights, anchors)
        self.waiting = WaitingSignatures(database)
        self.uploads = uploads
        self.acceptance = Acceptance(
            verifier, archive, material, retention, database, journal, self.authorisation.path
        )
        self._timestamper = timestamper
        self._archive = archive
        self.embedding = Embedding(self.authorisation.path, material)
        self.raising = Raising(timestamper, self.embedding)
        self._batches = batches
        self._database = database
        self._journal = journal
        self._clock = clock
        self._page_of = page_of

    def prepare(
        self,
        subject: Subject,
        certificate: Certificate,
        manner: Manner,
        card: str,
        level: SignatureLevel | None = None,
        *,
        qr_code: bool = False,
        draft: bool = False,
    ) -> Preparation:
        """First step. `card` is the one that the caller signed in with; `level` what the
        finished signature shall have (None: B-T). With a `qr_code` the visible seal leads to the
        signature's page. `draft`: whether to make one.

        Raises Forbidden as `Authorisation.check`; Unprocessable `level.unknown`, `level.counter`,
        `signature.broken`, `seal.place`; TooMany `signature.too-many-prepared`; and as
        `making.prepare`.
        """
        now = self._clock.now()
        level = _chosen_level(level)
        given = tuple(subject.documents.values())
        presented = given[0] if len(given) == 1 else None
        in_message = presented if isinstance(presented, bytes) else b""
        try:
            documents = making.contents_to_sign(manner, subject)
            filing, _ = self.authorisation.check(documents, certificate, card, now)
        except Refusal as refusal:
            self.acceptance.record_refusal(refusal, card, presented or subject.signed or b"")
            raise
        if subject.signed is not None:
            self.acceptance.require_intact(presented, subject.signed)
        identifier = new_id()
        if qr_code:
            manner = self._leading_to(identifier, manner)
        chain = self.authorisation.path(certificate)[:-1]  # whoever verifies has the anchor already
        prepared = making.prepare(manner, subject, certificate, now, chain=chain)
        if manner.act is Act.COUNTER:
            check_counter_level(level, counter_format(prepared))
        waiting = Waiting(
            identifier, card, filing.kind, manner.act, level, in_message, subject.signed,
            prepared.to_bytes(), _kept(subject),
        )  # fmt: skip
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.SIGNATURE_PREPARED,
                subject=identifier,
                actor=card,
                kind=filing.kind,
                format=str(prepared.format),
                level=str(level),
                document_sha256=sha256_of(documents[0]),
            )
            until = self.waiting.put(connection, waiting, now)
            self.uploads.hold(connection, [sha256 for _, sha256, _ in waiting.kept], until)
        return Preparation(
            identifier, prepared.format, level, prepared.to_be_signed, prepared.suite.name,
            until, filing, making.context_of(prepared, manner.act, subject),
            draft_of(manner.act, prepared, subject.signed) if draft else b"",
        )  # fmt: skip

    def complete(
        self,
        identifier: str,
        signature_value: bytes,
        card: str,
        item: BatchItem | None = None,
    ) -> Receipt:
        """Last step: the value in the X.509 shape, over exactly what was prepared. `item`: the
        claimed item of a job, marked when the signature is accepted. Asked again with the same
        value, because the answer was lost, it answers with the receipt of what was accepted.

        Raises NotFound `signature.not-prepared`; TooMany `signature.too-many-attempts`; Conflict
        `signature.already-completed`, `signature.other-act`; Unprocessable `signature.mismatch`,
        `signature.not-passed` (with the indication as facts); Unavailable `timestamp.*` and
        `archive.*` (a full archive accepts nothing), which count as no attempt; as
        `Batches.mark_signed`; and as `prepare`, because the right may have been withdrawn in
        between.
        """
        try:
            return self._complete(identifier, signature_value, card, item)
        except (NotFound, Conflict):
            accepted = self._accepted_before(identifier, signature_value, card)
            if accepted is None:
                raise
            return accepted

    def _complete(
        self, identifier: str, value: bytes, card: str, item: BatchItem | None
    ) -> Receipt:
        now = self._clock.now()
        attempt = self.waiting.attempt(identifier, card, now, list(Act))
        with attempt as waiting, ExitStack() as opened:
            kept = {
                name: opened.enter_context(closing(KeptDocument(self._archive.store, sha256, size)))
                for name, sha256, size in waiting.kept
            }
            return self._completed(waiting, kept, value, item, now, opened)

    def _accepted_before(self, identifier: str, value: bytes, card: str) -> Receipt | None:
        """What this card completed under this name, if with this value. Raises Unavailable
        `archive.*`."""
        before = self.acceptance.accepted_before(identifier, value, card)
        if before is None:
            return None
        accepted, report = before
        with closing(self._archive.open(identifier, PartRole.SIGNATURE)) as file:
            size = file.size
        whole = (
            self._archive.read(identifier, PartRole.SIGNATURE)
            if size <= MAX_MESSAGE_BYTES
            else None
        )
        return Receipt(
            identifier, SignatureFormat(accepted.format), SignatureLevel(accepted.level), whole,
            size, report,
        )  # fmt: skip

    def _completed(
        self,
        waiting: Waiting,
        kept: Mapping[str, KeptDocument],
        value: bytes,
        item: BatchItem | None,
        now: datetime,
        opened: ExitStack,
    ) -> Receipt:
        """`kept`: the documents on disk; `opened` closes what is opened on the way."""
        prepared = PreparedSignature.from_bytes(waiting.prepared)
        document = waiting.document or next(iter(kept.values()), None)
        try:
            if kept and prepared.format in (SignatureFormat.ASIC_S, SignatureFormat.ASIC_E):
                finished = self._finish_container(waiting, prepared, kept, value, now, opened)
            else:
                finished = self._finish(waiting, prepared, document, value, now)
            is_alone = Act(waiting.act) is Act.FIRST
            report = self.acceptance.judge(finished, None if is_alone else value)
        except Refusal as refusal:
            self.acceptance.record_refusal(refusal, waiting.card, document or waiting.signed or b"")
            raise

        def settle(connection: Connection) -> None:
            self.waiting.remove(connection, waiting.id)
            self.uploads.release(connection, (each.address for each in kept.values()), waiting.card)
            if item is not None:
                self._batches.mark_signed(
                    connection, item, waiting.card, sha256_of(finished.document),
                    finished.format, finished.level, waiting.id,
                )  # fmt: skip

        self.acceptance.keep(now, [(finished, report)], settle)
        signed = finished.signed
        whole, size = (signed, len(signed)) if isinstance(signed, bytes) else (None, signed.size)
        return Receipt(waiting.id, finished.format, finished.level, whole, size, report)

    def receipt(self, identifier: str, card: str) -> tuple[AcceptedSignature, bytes | None]:
        """An accepted signature and its octets, for the card that made it; None for those that
        are too large for a message. Raises NotFound."""
        accepted = self._of_card(identifier, card)
        with closing(self._archive.open(identifier, PartRole.SIGNATURE)) as file:
            if file.size > MAX_MESSAGE_BYTES:
                return accepted, None
        return accepted, self._archive.read(identifier, PartRole.SIGNATURE)

    def signature(self, identifier: str, card: str) -> tuple[int, Iterator[bytes]]:
        """The size and the octets of a signature file of any size, piece by piece, for the card
        that made it. Raises NotFound; Unavailable `archive.*`, while it is read too."""
        self._of_card(identifier, card)
        with closing(self._archive.open(identifier, PartRole.SIGNATURE)) as file:
            size, address = file.size, file.address
        return size, pieces_of(self._archive.store, address)

    def _of_card(self, identifier: str, card: str) -> AcceptedSignature:
        accepted = self._archive.find(identifier)
        if accepted is None or accepted.card != card:
            raise NotFound("signature.not-found", "no such signature of this card")
        return accepted

    def _finish(
        self,
        waiting: Waiting,
        prepared: PreparedSignature,
        document: Document | None,
        value: bytes,
        now: datetime,
    ) -> Finished:
        """`document`: the one that the caller brought, if any."""
        act, level = Act(waiting.act), SignatureLevel(waiting.level)
        made = making.finish(act, prepared, value, waiting.signed)
        # A PDF is kept as it was before this signature; so is a file that others signed first.
        before = waiting.signed if waiting.signed is not None else made
        inside = prepared.packaging is Packaging.INTERNALLY_DETACHED or document is None
        documents = making.contents_of(before) if document is None or inside else (document,)
        certificate = prepared.certificate
        filing, holder = self.authorisation.check(documents, certificate, waiting.card, now)
        is_beside = lies_beside(prepared) if act is Act.FIRST else document is not None
        beside = document if is_beside else None
        made = self.raising.raised(level, prepared, made, value, beside)
        presented = (made, None) if beside is None else (beside, made)
        return Finished(
            waiting.id, prepared.format, level, filing, holder, certificate, documents[0],
            presented,
        )  # fmt: skip

    def _finish_container(
        self,
        waiting: Waiting,
        prepared: PreparedSignature,
        kept: Mapping[str, KeptDocument],
        value: bytes,
        now: datetime,
        opened: ExitStack,
    ) -> Finished:
        """A container around documents on disk: itself on disk."""
        level, certificate = SignatureLevel(waiting.level), prepared.certificate
        container = asic.assemble_large(prepared, value, kept)
        documents = making.contents_of(container)
        filing, holder = self.authorisation.check(documents, certificate, waiting.card, now)

        def material(signed: asic.Container) -> ValidationMaterial:
            return self.embedding.of(asic.read(signed))

        container = raise_container(level, container, self._timestamper, material)
        signed = opened.enter_context(closing(keep_written(self._archive.store, container.write)))
        return Finished(
            waiting.id, prepared.format, level, filing, holder, certificate, documents[0],
            (signed, None),
        )  # fmt: skip

    def _leading_to(self, identifier: str, manner: Manner) -> Manner:
        seal = manner.placement.seal
        if seal is None or self._page_of is None:
            raise Unprocessable("seal.place", "a QR code needs a visible seal")
        leading = replace(seal, verification_url=self._page_of(identifier))
        return replace(manner, placement=replace(manner.placement, seal=leading))


def _kept(subject: Subject) -> tuple[tuple[str, str, int], ...]:
    return tuple(
        (name, each.address, each.size)
        for name, each in subject.documents.items()
        if isinstance(each, KeptDocument)
    )


def _chosen_level(level: SignatureLevel | None) -> SignatureLevel:
    if level is None:
        return SignatureLevel.B_T
    if level not in _LEVELS:
        raise Unprocessable("level.unknown", "sign as {levels}", levels=", ".join(_LEVELS))
    return level
