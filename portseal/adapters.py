"""Where rooms meet that must not know each other: small translations, nothing else."""

from datetime import datetime

from ca.status import OwnStatus
from kernel.asn1.certificate import Certificate
from ra_portal.directory import HolderDirectory
from ra_portal.identity import HolderKind as PortalKind
from ra_portal.identity import Identity, Role
from signing_service.ports import CertificateStatus, Holder, HolderKind, StatusAnswer
from signing_service.sso.sessions import SignedIn


class PortalHolders:
    """Fulfils `signing_service.ports.Holders` from the registration portal's records."""

    def __init__(self, directory: HolderDirectory) -> None:
        self._directory = directory

    def by_certificate(self, certificate: Certificate, at: datetime) -> Holder | None:
        found = self._directory.by_certificate(certificate.fingerprint, at)
        if found is None:
            return None
        return Holder(
            kind=HolderKind(found.kind),
            subject=found.subject,
            name=found.name,
            card=found.card,
            card_state=found.card_state,
            enterprise_name=found.enterprise_name,
            enterprise_uscc=found.enterprise_uscc,
            customs_code=found.customs_code,
            rights=found.rights,
            roles=found.roles,
        )


def portal_identity(signed_in: SignedIn, directory: HolderDirectory, at: datetime) -> Identity:
    """Who acts in the portal: the holder of the card that signed in."""
    record = directory.by_card(signed_in.holder.card, at)
    return Identity(
        kind=PortalKind(record.kind),
        subject=record.subject,
        name=record.name,
        roles=frozenset(Role(role) for role in record.roles),
        enterprise_id=record.enterprise_id,
    )


class AuthorityStatus:
    """Fulfils `signing_service.ports.StatusSource` from the authority's own records."""

    def __init__(self, own: OwnStatus) -> None:
        self._own = own

    def status(self, certificate: Certificate, issuer: Certificate) -> StatusAnswer | None:
        answer = self._own.status(certificate, issuer)
        if answer is None:
            return None
        return StatusAnswer(
            CertificateStatus(answer.status),
            answer.this_update,
            answer.revoked_at,
            answer.reason,
            answer.source,
            answer.evidence,
        )
