"""Whether a holder may sign something now: the card, the certificate, the right."""

from collections.abc import Sequence
from datetime import datetime

from kernel.asn1.certificate import Certificate
from kernel.refusals import Forbidden
from policies.rights import DeclarationKind, RightsCatalogue
from signing_service.filing import Filing, file_all
from signing_service.formats.document import Document
from signing_service.ports import CertificateStatus, Holder, Holders, StatusSource
from signing_service.trust import TrustAnchors

_LONGEST_PATH = 8


class Authorisation:
    """Asked before anything is prepared, and again before it is accepted."""

    def __init__(
        self,
        holders: Holders,
        status: StatusSource,
        rights: RightsCatalogue,
        anchors: TrustAnchors,
    ) -> None:
        self._holders = holders
        self._status = status
        self._rights = rights
        self._anchors = anchors

    @property
    def kinds(self) -> Sequence[DeclarationKind]:
        """The declarations that can be filed here."""
        return self._rights.kinds

    def check(
        self, documents: Sequence[Document], certificate: Certificate, card: str, now: datetime
    ) -> tuple[Filing, Holder]:
        """What the documents are filed as, and by whom. `card`: the caller's.

        Raises Forbidden `signer.unknown`, `signer.other-card`, `card.not-active`,
        `certificate.revoked`, `certificate.unknown`, `certificate.unknown-issuer`, and as
        `file_as`.
        """
        holder = self.holder(certificate, card, now)
        return file_all(documents, holder, self._rights), holder

    def holder(self, certificate: Certificate, card: str, now: datetime) -> Holder:
        """Whose certificate it is, if it is good for signing now. `card`: the caller's; or the
        seal that shall be used. Raises Forbidden as `check`."""
        holder = self._holders.by_certificate(certificate, now)
        if holder is None:
            raise Forbidden("signer.unknown", "this certificate belongs to no card of ours")
        if holder.card != card:
            raise Forbidden("signer.other-card", "signed in with another card than the signer's")
        if holder.card_state != "active":
            raise Forbidden("card.not-active", "the card is not active", state=holder.card_state)
        above = self.path(certificate)
        answer = self._status.status(certificate, above[0]) if above else None
        if answer is None:
            raise Forbidden(
                "certificate.unknown-issuer", "nobody here speaks for the certificate's issuer"
            )
        if answer.status is CertificateStatus.UNKNOWN:
            raise Forbidden("certificate.unknown", "its issuer does not know the certificate")
        if answer.status is not CertificateStatus.GOOD:
            raise Forbidden("certificate.revoked", "the certificate is not valid any more")
        return holder

    def path(self, certificate: Certificate) -> tuple[Certificate, ...]:
        """The issuers above a certificate, up to and with the anchor."""
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
