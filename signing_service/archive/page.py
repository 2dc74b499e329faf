"""What anybody may read of an accepted signature who has its identifier, such as from the QR code
of a visible seal: the verdict on it as it is kept, made anew."""

from dataclasses import dataclass

from kernel.refusals import NotFound
from signing_service.archive.accepted import AcceptedSignature, PartRole
from signing_service.archive.keeping import Archive
from signing_service.formats.making import holds_documents
from signing_service.validation.report import ValidationReport
from signing_service.verification import Verification


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
        """Raises NotFound `signature.not-found`; Unavailable `archive.*`."""
        accepted = self._archive.find(identifier)
        if accepted is None:
            raise NotFound("signature.not-found", "no such signature is kept here")
        signature = self._archive.read(identifier, PartRole.SIGNATURE)
        if holds_documents(signature):
            report = self._verification.verify(signature)
        else:
            document = self._archive.read(identifier, PartRole.DOCUMENT)
            report = self._verification.verify(document, signature)
        return ArchivedVerdict(accepted, report.complete())
