"""The certificate of a card: subject data from our records, issued once for a card and key."""

from datetime import datetime

from sqlalchemy import Connection

from ca.inventory import CertificateState, Inventory, RevocationReason
from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields, organization_identifier
from ca.regional import Issuing
from ca.revocation import Revocation
from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.refusals import Unavailable
from ra_portal.cards.card import Card
from ra_portal.people import people_rows
from ra_portal.people.identity import HolderKind

_ORGANIZATION = "2.5.4.10"


class CardMaking:
    """Serves enrolment and renewal. The card's number is the inventory's reference."""

    def __init__(self, authority: Issuing, inventory: Inventory, revocation: Revocation) -> None:
        """`authority` issues the profiles `legal-person`, `operator` and `officer`."""
        self._authority = authority
        self._inventory = inventory
        self._revocation = revocation

    def path_of(self, certificate: Certificate) -> tuple[Certificate, ...]:
        """Issuer first, root last."""
        return self._authority.path_of(certificate)

    def certificate(
        self,
        card: Card,
        key: PublicKey,
        subject: SubjectFields,
        not_after: datetime | None = None,
    ) -> Certificate:
        """What an attempt that died left behind for this card and key, or a new certificate.

        `not_after`: an earlier end than the profile's. Raises as `Authority.prepare`, and
        Unavailable `enrolment.unsettled`.
        """
        return self._left_behind(card, key) or self._issue(card, key, subject, not_after)

    def withdraw_all(self, number: str) -> int:
        """Revoke what was issued for a card that came to nothing; how many."""
        done = 0
        for record in self._inventory.by_reference(number):
            if record.state is CertificateState.ISSUED:
                self._revocation.revoke(record.serial, RevocationReason.SUPERSEDED, "renewal")
                done += 1
        return done

    def subject(self, connection: Connection, card: Card) -> SubjectFields:
        """From our records alone: what the request says of its subject is not looked at."""
        holder = card.holder
        if holder.kind is HolderKind.OFFICER:
            own = self._authority.certificate
            return SubjectFields(
                organization=own.attribute(_ORGANIZATION) if own else None,
                common_name=people_rows.officer(connection, holder.id).name,
                serial_number=card.number,
            )
        if holder.kind is HolderKind.LEGAL_PERSON:
            enterprise = people_rows.enterprise(connection, holder.id)
            enterprise.require_active()
            return SubjectFields(
                organization=enterprise.name,
                organization_identifier=organization_identifier(enterprise.uscc),
                common_name=enterprise.name,
            )
        operator = people_rows.operator(connection, holder.id)
        enterprise = people_rows.enterprise(connection, operator.enterprise_id)
        enterprise.require_active()
        return SubjectFields(
            organization=enterprise.name,
            organization_identifier=organization_identifier(enterprise.uscc),
            common_name=operator.name,
            serial_number=card.number,
        )

    def _left_behind(self, card: Card, key: PublicKey) -> Certificate | None:
        """What an attempt that died had issued for this card: taken over, or revoked."""
        found: Certificate | None = None
        for record in self._inventory.by_reference(card.number):
            if record.key_fingerprint == key.fingerprint:
                if record.state is CertificateState.ISSUED:
                    found = record.certificate
                elif record.state is CertificateState.INTENDED:
                    raise Unavailable(
                        "enrolment.unsettled",
                        "an earlier attempt with this key is being settled; try again shortly",
                    )
            elif record.state is CertificateState.ISSUED:
                self._revocation.revoke(record.serial, RevocationReason.SUPERSEDED, "enrolment")
        return found

    def _issue(
        self, card: Card, key: PublicKey, subject: SubjectFields, not_after: datetime | None
    ) -> Certificate:
        request = CertificateRequest(
            public_key=key,
            subject=subject,
            requester=str(card.holder),
            reference=card.number,
            not_after=not_after,
        )
        intent = self._authority.prepare(str(card.holder.kind), request)
        return self._authority.issue(intent).certificate
