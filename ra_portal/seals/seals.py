"""Seals of enterprises: asked for with the legal-person card, approved by an officer.

The key is made in the authority's token when the officer approves, and stays there. As in
`ra_portal.cards.enrolment`, a process may die between the steps; approving again takes up what is
left:

1. The seal counts as approved, and the key's label is written down.
2. The token makes the key; nothing is locked meanwhile. Dying here leaves a key that nobody takes:
   the worker destroys it (`ra_portal.seals.seal_keys`), and approving again makes another.
3. The seal has its key.
4. The certificate is prepared and issued; the seal's number is the inventory's reference.
5. The seal becomes active with the certificate.
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from ca.inventory import CertificateState, Inventory, RevocationReason
from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields, organization_identifier
from ca.regional import Issuing
from ca.revocation import Revocation
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.identifiers import parse_serial, serial_text
from kernel.refusals import Conflict, Forbidden, Malformed, NotFound, Unavailable
from ra_portal import fields
from ra_portal.cards.card import Holder
from ra_portal.cards.cards import read_reason
from ra_portal.codes import new_number
from ra_portal.people import branches, people_rows
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.seals import seal_rows
from ra_portal.seals.seal import NUMBER_PREFIX, Seal, SealState
from ra_portal.seals.seal_keys import SealKeys, TokenOfSeals
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

PROFILE = "enterprise-seal"
MOST_SEALS = 20
"""Of one enterprise, that wait or are in use."""
_LONGEST_NAME = 64
_LONGEST_QUEUE = 200
_TRIES = 5
"""So often are seals looked at again that somebody else moves while their enterprise closes."""
_LIVE = (SealState.REQUESTED, SealState.APPROVED, SealState.ACTIVE)


class Seals:
    """The use cases of a seal's life, but for its use (`signing_service.remote`)."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        authority: Issuing,
        inventory: Inventory,
        revocation: Revocation,
        token: TokenOfSeals,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._authority = authority
        self._inventory = inventory
        self._revocation = revocation
        self.keys = SealKeys(database, journal, clock, token)

    def request(self, by: Identity, name: str) -> Seal:
        """The enterprise asks for a seal. Raises Forbidden `legal-person.required`; Conflict
        `enterprise.closed`, `seal.too-many`; Malformed or Unprocessable `field.*` of the name."""
        enterprise_id = by.require_legal_person()
        if not name.strip():
            raise Malformed("field.missing", "say what the seal is for")
        seal = Seal(
            id=new_id(),
            number=new_number(NUMBER_PREFIX, self._clock, self._entropy),
            enterprise_id=enterprise_id,
            name=fields.text(_LONGEST_NAME)(name),
            state=SealState.REQUESTED,
            requested_at=self._clock.now(),
            requested_by=by.actor,
        )
        with self._database.transaction() as connection:
            people_rows.lock_enterprise(connection, enterprise_id)  # one counts after the other
            people_rows.enterprise(connection, enterprise_id).require_active()
            live = [
                each
                for each in seal_rows.of_enterprise(connection, enterprise_id)
                if each.state in _LIVE
            ]
            if len(live) >= MOST_SEALS:
                raise Conflict("seal.too-many", "the enterprise has too many seals")
            seal_rows.add(connection, seal)
            self._record(connection, Event.SEAL_REQUESTED, seal, by, enterprise=enterprise_id)
        return seal

    def visible(self, by: Identity) -> list[Seal]:
        """An enterprise sees its own seals, an officer those that wait for approval."""
        with self._database.reading() as connection:
            if by.kind is HolderKind.LEGAL_PERSON:
                return seal_rows.of_enterprise(connection, by.require_legal_person())
            by.require("card.read")
            waiting = (SealState.REQUESTED, SealState.APPROVED)
            return [
                each
                for state in waiting
                for each in seal_rows.in_state(connection, state, _LONGEST_QUEUE, by.branch)
            ]

    def approve(self, by: Identity, number: str) -> Seal:
        """An officer agrees: key, certificate, active seal. The legal person asked, so two people
        stand for it.

        Raises Forbidden `role.missing`; NotFound `seal.unknown`; Conflict `enterprise.closed`,
        `seal.state`, `seal.changed`, `seal.other-key`; Unavailable `seal.unsettled` and from the
        token; as `Authority.prepare`.
        """
        by.require("seal.decide")
        with self._database.transaction() as connection:
            seal = seal_rows.by_number(connection, number, locked=True)
            _require_branch(connection, by, seal)
            seal = seal.approve(by.actor)
            subject = self._subject(connection, seal)
            seal_rows.save(connection, seal)
            label = seal.key_label or self.keys.intend(connection, seal.id)
            self._record(connection, Event.SEAL_APPROVED, seal, by, key_label=label)
        if not seal.key_label:
            seal = self._with_new_key(by, number, label)
        certificate = self._left_behind(seal) or self._issue(by, seal, subject)
        return self._activate(by, seal, certificate)

    def _with_new_key(self, by: Identity, number: str, label: str) -> Seal:
        key = self.keys.make(label)
        with self._database.transaction() as connection:
            seal = seal_rows.by_number(connection, number, locked=True)
            seal = seal.with_key(label, key.fingerprint)
            seal_rows.save(connection, seal)
            self.keys.used(connection, label)
            self._record(connection, Event.SEAL_KEY_MADE, seal, by, key=key.fingerprint)
        return seal

    def refuse(self, by: Identity, number: str) -> Seal:
        """Raises Forbidden `role.missing`, NotFound `seal.unknown`, Conflict `seal.state`."""
        by.require("seal.decide")
        with self._database.transaction() as connection:
            seal = seal_rows.by_number(connection, number)
            _require_branch(connection, by, seal)
            seal = seal.refuse(by.actor, self._clock.now())
            seal_rows.save(connection, seal)
            self._record(connection, Event.SEAL_REFUSED, seal, by)
        return seal

    def revoke(self, by: Identity, number: str, reason: str) -> Seal:
        """End a seal: its enterprise or an administrator. The certificate is revoked first.

        Raises Forbidden `seal.foreign`, NotFound `seal.unknown`, Conflict `seal.state`,
        Unprocessable `card.reason`.
        """
        why = read_reason(reason)
        with self._database.reading() as connection:
            seal = seal_rows.by_number(connection, number)
            _require_branch(connection, by, seal)
        _require_charge(by, seal)
        ended = seal.revoke(why, self._clock.now())
        self._withdraw(seal, why, by.actor)
        with self._database.transaction() as connection:
            seal_rows.save(connection, ended)
            self._record(
                connection, Event.SEAL_REVOKED, ended, by, serial=seal.serial, reason=str(why)
            )
        return ended

    def end_of_enterprise(self, by: Identity, enterprise_id: str) -> None:
        """Revoke the seals of an enterprise that closes, those that wait or are being made among
        them; repeating it does what is left."""
        for left in reversed(range(_TRIES)):
            try:
                for seal in self.of_enterprise(enterprise_id):
                    if seal.state in _LIVE:
                        self.revoke(by, seal.number, str(RevocationReason.CESSATION_OF_OPERATION))
                return
            except Conflict:  # an officer moved it meanwhile: looked at again
                if not left:
                    raise

    def enterprise_names(self, seals: Iterable[Seal]) -> dict[str, str]:
        """The names of the seals' enterprises, by id."""
        wanted = {seal.enterprise_id for seal in seals}
        with self._database.reading() as connection:
            return {each: people_rows.enterprise(connection, each).name for each in wanted}

    # -- for the remote signing interface, through the front hall ------------------------------

    def of_enterprise(self, enterprise_id: str) -> list[Seal]:
        with self._database.reading() as connection:
            return seal_rows.of_enterprise(connection, enterprise_id)

    def find(self, number: str) -> Seal | None:
        with self._database.reading() as connection:
            try:
                return seal_rows.by_number(connection, number)
            except NotFound:
                return None

    # -- inside ----------------------------------------------------------------------------------

    def _subject(self, connection: Connection, seal: Seal) -> SubjectFields:
        """Raises Conflict `enterprise.closed`."""
        enterprise = people_rows.enterprise(connection, seal.enterprise_id)
        enterprise.require_active()
        return SubjectFields(
            organization=enterprise.name,
            organization_identifier=organization_identifier(enterprise.uscc),
            organizational_unit=seal.name,
            common_name=enterprise.name,
            serial_number=seal.number,
        )

    def _left_behind(self, seal: Seal) -> Certificate | None:
        """What an attempt that died had issued for this seal."""
        for record in self._inventory.by_reference(seal.number):
            if record.state is CertificateState.ISSUED:
                return record.certificate
            if record.state is CertificateState.INTENDED:
                raise Unavailable(
                    "seal.unsettled", "an earlier attempt is being settled; try again shortly"
                )
        return None

    def _issue(self, by: Identity, seal: Seal, subject: SubjectFields) -> Certificate:
        key = self.keys.public_key(seal.key_label)
        request = CertificateRequest(
            public_key=key, subject=subject, requester=by.actor, reference=seal.number
        )
        return self._authority.issue(self._authority.prepare(PROFILE, request)).certificate

    def _activate(self, by: Identity, seal: Seal, certificate: Certificate) -> Seal:
        active = seal.activate(
            certificate.der,
            serial_text(certificate.serial),
            certificate.fingerprint,
            self._clock.now(),
            certificate.not_after,
        )
        try:
            with self._database.transaction() as connection:
                seal_rows.save(connection, active)
                self._record(
                    connection, Event.SEAL_MADE, active, by,
                    serial=active.serial, sha256=active.fingerprint,
                )  # fmt: skip
        except Conflict:  # withdrawn meanwhile
            self._withdraw(active, RevocationReason.CESSATION_OF_OPERATION, "seals")
            raise
        return active

    def _withdraw(self, seal: Seal, reason: RevocationReason, actor: str) -> None:
        if seal.serial is None:  # an attempt that died may have left a certificate
            for record in self._inventory.by_reference(seal.number):
                if record.state is CertificateState.ISSUED:
                    self._revocation.revoke(record.serial, reason, actor)
            return
        try:
            self._revocation.revoke(parse_serial(seal.serial), reason, actor)
        except Conflict as conflict:
            if conflict.code != "certificate.already-revoked":
                raise

    def _record(
        self, connection: Connection, event: Event, seal: Seal, by: Identity, **facts: str | None
    ) -> None:
        self._journal.append(connection, event, subject=seal.number, actor=by.actor, **facts)


def _require_branch(connection: Connection, by: Identity, seal: Seal) -> None:
    """Raises Forbidden `branch.foreign`."""
    branches.require_holder(connection, by, Holder(HolderKind.LEGAL_PERSON, seal.enterprise_id))


def _require_charge(by: Identity, seal: Seal) -> None:
    if by.kind is HolderKind.LEGAL_PERSON and by.enterprise_id == seal.enterprise_id:
        return
    if by.may("seal.end"):
        return
    raise Forbidden("seal.foreign", "this seal belongs to somebody else")
