"""One entry, several declarations: one signature of the card over a bundle for several agencies.

The same two steps as for one document. Every declaration needs its own right, and each is kept
with its own proof, as if it had been signed alone.
"""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Conflict, NotFound, Refusal, Unprocessable
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal
from signing_service.acceptance import Acceptance, Finished
from signing_service.archive.accepted import PartRole
from signing_service.archive.keeping import Archive
from signing_service.authorisation import Authorisation
from signing_service.embedding import Embedding
from signing_service.filing import Filing
from signing_service.formats import bundle
from signing_service.formats.bundle import Part
from signing_service.formats.cades import whole as cades
from signing_service.formats.catalogue import raise_to
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import SignatureFormat, SignatureLevel
from signing_service.validation.report import ValidationReport
from signing_service.waiting import Waiting, WaitingSignatures

MAX_PARTS = 64
"""Of a bundle that is signed here; the format has room for more."""
MAX_TOTAL_BYTES = 32 * 1024 * 1024
_ACT = "bundle"
_LEVELS = (SignatureLevel.B_B, SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA)


@dataclass(frozen=True)
class BundlePreparation:
    """What the card is asked to sign, and what the holder's program checks it with."""

    id: str
    level: SignatureLevel
    to_be_signed: bytes
    suite: str
    expires_at: datetime
    proofs: tuple[bytes, ...]
    """Each declaration's proof, not yet signed: its place in the bundle."""
    filings: tuple[Filing, ...]


@dataclass(frozen=True)
class PartReceipt:
    """One declaration's proof, signed."""

    id: str
    recipient: str
    proof: bytes
    report: ValidationReport


class BundleSigning:
    """The use case. One instance serves all threads."""

    def __init__(
        self,
        *,
        authorisation: Authorisation,
        waiting: WaitingSignatures,
        acceptance: Acceptance,
        archive: Archive,
        timestamper: Timestamper,
        embedding: Embedding,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._authorisation = authorisation
        self._waiting = waiting
        self._acceptance = acceptance
        self._archive = archive
        self._timestamper = timestamper
        self._embedding = embedding
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy

    def prepare(
        self,
        parts: Sequence[tuple[str, bytes]],
        certificate: Certificate,
        card: str,
        level: SignatureLevel = SignatureLevel.B_T,
    ) -> BundlePreparation:
        """First step: (recipient, declaration) of each part. `card`: the caller's.

        Raises Forbidden as `Authorisation.check`; Unprocessable `bundle.*`, `level.unknown`;
        TooMany `signature.too-many-prepared`.
        """
        now = self._clock.now()
        if level not in _LEVELS:
            raise Unprocessable("level.unknown", "sign as {levels}", levels=", ".join(_LEVELS))
        if not 1 <= len(parts) <= MAX_PARTS or sum(len(d) for _, d in parts) > MAX_TOTAL_BYTES:
            raise Unprocessable(
                "bundle.count", "1 to {most} declarations, 32 MiB together", most=MAX_PARTS
            )
        filings = tuple(self._file(document, certificate, card, now) for _, document in parts)
        made = bundle.build([Part(*each) for each in parts], self._entropy)
        chain = self._authorisation.path(certificate)[:-1]
        prepared = bundle.prepare(made, certificate, now, chain=chain)
        packed = bundle.pack([document for _, document in parts], made.proofs)
        identifier = new_id()
        waiting = Waiting(
            identifier, card, filings[0].kind, _ACT, level, packed, None, prepared.to_bytes()
        )
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.SIGNATURE_PREPARED,
                subject=identifier,
                actor=card,
                kind=filings[0].kind,
                format=str(SignatureFormat.CADES),
                level=str(level),
                document_sha256=hashlib.sha256(made.manifest).hexdigest(),
            )
            until = self._waiting.put(connection, waiting, now)
        return BundlePreparation(
            identifier, level, prepared.to_be_signed, prepared.suite.name, until,
            tuple(each.to_bytes() for each in made.proofs), filings,
        )  # fmt: skip

    def complete(self, identifier: str, signature_value: bytes, card: str) -> list[PartReceipt]:
        """Last step: the card's one value; every part's proof, or nothing at all. Asked again with
        the same value, because the answer was lost, it answers with what was accepted.

        Raises as `Signing.complete`.
        """
        try:
            now = self._clock.now()
            with self._waiting.attempt(identifier, card, now, (_ACT,)) as waiting:
                return self._completed(waiting, signature_value, now)
        except (NotFound, Conflict):
            accepted = self._accepted_before(identifier, signature_value, card)
            if accepted is None:
                raise
            return accepted

    def _completed(self, waiting: Waiting, value: bytes, now: datetime) -> list[PartReceipt]:
        card = waiting.card
        documents, proofs = bundle.unpack(waiting.document)
        prepared = PreparedSignature.from_bytes(waiting.prepared)
        level = SignatureLevel(waiting.level)
        finished = []
        try:
            filed = [
                self._authorisation.check([each], prepared.certificate, card, now)
                for each in documents
            ]
            manifest = proofs[0].manifest

            def material(made: bytes) -> ValidationMaterial:
                return self._embedding.of(cades.read(made, manifest))

            signed = raise_to(
                level, SignatureFormat.CADES, cades.assemble(prepared, value), manifest,
                self._timestamper, material, signer=0,
            )  # fmt: skip
            whole = [replace(proof, signature=signed).to_bytes() for proof in proofs]
            for index, (document, proof) in enumerate(zip(documents, whole, strict=True)):
                filing, holder = filed[index]
                part = Finished(
                    _part_id(waiting.id, index), SignatureFormat.CADES, level, filing, holder,
                    prepared.certificate, document, (document, proof),
                )  # fmt: skip
                finished.append((part, self._acceptance.judge(part)))
        except Refusal as refusal:
            self._acceptance.record_refusal(refusal, card, proofs[0].manifest)
            raise

        def settle(connection: Connection) -> None:
            self._waiting.remove(connection, waiting.id)

        self._acceptance.keep(now, finished, settle)
        return [
            PartReceipt(part.id, proof.recipient, signed_proof, report)
            for (part, report), proof, signed_proof in zip(finished, proofs, whole, strict=True)
        ]

    def _accepted_before(
        self, identifier: str, value: bytes, card: str
    ) -> list[PartReceipt] | None:
        """Of every part, or None. Raises Unavailable `archive.*`."""
        receipts: list[PartReceipt] = []
        count = 1
        while len(receipts) < count:
            name = _part_id(identifier, len(receipts))
            before = self._acceptance.accepted_before(name, value, card)
            if before is None:
                return None
            _, report = before
            signed = self._archive.read(name, PartRole.SIGNATURE)
            proof = bundle.Proof.from_bytes(signed)
            count = bundle.Manifest.from_bytes(proof.manifest).count
            receipts.append(PartReceipt(name, proof.recipient, signed, report))
        return receipts

    def _file(self, document: bytes, certificate: Certificate, card: str, now: datetime) -> Filing:
        try:
            filing, _ = self._authorisation.check([document], certificate, card, now)
        except Refusal as refusal:
            self._acceptance.record_refusal(refusal, card, document)
            raise
        return filing


def _part_id(bundle_id: str, index: int) -> str:
    """Of a part's signature: told by the bundle's, so that who lost the answer finds it again, and
    as unguessable. 32 hexadecimal digits."""
    return uuid.uuid5(uuid.UUID(bundle_id), str(index)).hex
