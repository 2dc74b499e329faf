"""What anybody may read of an accepted signature who has its identifier, such as from the QR code
of a visible seal: the verdict on it as it is kept, made anew."""

from contextlib import ExitStack
from dataclasses import dataclass

from kernel.refusals import NotFound, Unprocessable
from signing_service.archive.accepted import BARE_DIGEST, AcceptedSignature, PartRole
from signing_service.archive.keeping import Archive
from signing_service.formats.document import ByteRangeDigest, DigestedDocument, Document
from signing_service.formats.making import holds_documents
from signing_service.validation.evidence import SignatureFormat
from signing_service.validation.report import ValidationReport
from signing_service.verification import MAX_PRESENTED_BYTES, Verification


@dataclass(frozen=True)
class ArchivedVerdict:
    accepted: AcceptedSignature
    report: ValidationReport


class ArchivePage:
    """The use case. It gives no document away: only its digest, and who signed it when."""

    def __init__(self, archive: Archive, verification: Verification) -> None:
        self._archive = archive
        self._verification = verification

    def verdict(self, identifier: str) -> ArchivedVerdict:
        """Raises NotFound `signature.not-found`; Unprocessable `signature.digest-only` where only
        a digest was signed; Unavailable `archive.*`."""
        accepted = self._archive.find(identifier)
        if accepted is None:
            raise NotFound("signature.not-found", "no such signature is kept here")
        if accepted.format == BARE_DIGEST:
            raise Unprocessable(
                "signature.digest-only",
                "a digest was signed, and the document was never here: verify the file that the "
                "signature went into",
            )
        with ExitStack() as opened:
            signature = self._part(identifier, PartRole.SIGNATURE, opened)
            if not isinstance(signature, bytes) or holds_documents(signature):
                report = self._verification.verify(signature)
            else:
                document = self._document(accepted, opened)
                report = self._verification.verify(document, signature)
            return ArchivedVerdict(accepted, report.complete())

    def _document(self, accepted: AcceptedSignature, opened: ExitStack) -> Document:
        roles = [part.role for part in self._archive.parts(accepted.id)]
        if PartRole.DIGEST not in roles:
            return self._part(accepted.id, PartRole.DOCUMENT, opened)
        digested = DigestedDocument.of(self._archive.read(accepted.id, PartRole.DIGEST))
        if accepted.format == SignatureFormat.PADES:
            return ByteRangeDigest(digested.known, accepted.accepted_at)
        return digested

    def _part(self, identifier: str, role: PartRole, opened: ExitStack) -> Document:
        """In memory where it fits."""
        part = self._archive.open(identifier, role)
        opened.callback(part.close)
        return part if part.size > MAX_PRESENTED_BYTES else self._archive.read(identifier, role)
