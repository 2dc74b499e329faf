"""Finds the holder of a certificate, with the rights of the moment that is asked for."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ca.mass.successors import live_of_key, predecessors
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.refusals import NotFound
from ra_portal.cards.holder_rows import HeldCard, HeldCards
from ra_portal.people import people_rows
from ra_portal.people.identity import HolderKind
from ra_portal.people.people import Grant
from ra_portal.seals import seal_rows
from ra_portal.seals.seal import Seal
from records.database import Database

_KEY = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class HolderRecord:
    """Who holds a card."""

    kind: HolderKind
    subject: str
    """The id of the enterprise, operator or officer."""
    name: str
    card: str
    """The card's number."""
    card_state: str
    """As it was at the moment asked for: `active`, `frozen`, `lost`, `revoked`, `replaced`,
    `expired`, or `enterprise-closed` or `officer-retired` for what would be active."""
    enterprise_id: str | None = None
    enterprise_name: str | None = None
    enterprise_uscc: str | None = None
    customs_code: str | None = None
    rights: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    """Those in force at the moment asked for, by right."""
    employee_number: str | None = None
    """An operator's."""
    roles: tuple[str, ...] = ()
    branch: str | None = None
    """The branch that an officer works at, by id."""
    key_witness: str | None = None
    """Who saw, and when, that the key was made on which token; None: nobody by that moment."""
    is_seal: bool = False
    """Whether `card` is a seal's number, whose key the authority holds."""
    card_state_since: datetime | None = None
    """Since when a card is frozen or lost."""


class HolderDirectory:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._held_cards = HeldCards(database)

    def by_certificate(self, certificate: Certificate, at: datetime) -> HolderRecord | None:
        """The holder of a certificate, or of the one that it was re-issued for; None for a
        stranger's."""
        known = self._of_own(certificate, at)
        if known is not None:
            return known
        found = (self._of_own(each, at) for each in self.before(certificate))
        return next((each for each in found if each is not None), None)

    def before(self, certificate: Certificate) -> list[Certificate]:
        """Those that a certificate was re-issued for, the last first."""
        with self._database.reading() as connection:
            return list(predecessors(connection, certificate))

    def newest_certificate(self, key: str) -> Certificate:
        """The newest certificate in force of the active card that has this key
        (`PublicKey.fingerprint`). Raises NotFound `card.unknown`.
        """
        now, live = self._clock.now(), []
        if _KEY.fullmatch(key):
            with self._database.reading() as connection:
                live = live_of_key(connection, key, now)
        for certificate in live:
            holder = self.by_certificate(certificate, now)
            if holder is not None and holder.card_state == "active" and not holder.is_seal:
                return certificate
        raise NotFound("card.unknown", "no active card has this key")

    def newest_of(self, certificate: Certificate) -> Certificate:
        """What a certificate of a card or a seal was last re-issued as, of what is in force;
        without that the certificate itself."""
        with self._database.reading() as connection:
            key = certificate.public_key.fingerprint
            live = live_of_key(connection, key, self._clock.now())
        return live[0] if live else certificate

    def _of_own(self, certificate: Certificate, at: datetime) -> HolderRecord | None:
        """By the certificate that a card or seal was made with."""
        held = self._held_cards.by_fingerprint(certificate.fingerprint)
        if held is not None:
            return _record(held, at)
        with self._database.reading() as connection:
            seal = seal_rows.find_by_fingerprint(connection, certificate.fingerprint)
            return None if seal is None else _of_seal(connection, seal, at)

    def by_card(self, number: str, at: datetime) -> HolderRecord:
        """Raises NotFound `card.unknown`."""
        return _record(self._held(number), at)

    def holder_name(self, number: str) -> str:
        """The name of the enterprise, operator or officer. Raises NotFound `card.unknown`."""
        return self._held(number).name

    def officer_names(self, identifiers: Iterable[str]) -> dict[str, str]:
        """By id; who is no officer is left out."""
        with self._database.reading() as connection:
            return people_rows.officer_names(connection, identifiers)

    def _held(self, number: str) -> HeldCard:
        held = self._held_cards.by_number(number)
        if held is None:
            raise NotFound("card.unknown", "there is no card of this number")
        return held


def _of_seal(connection: Connection, seal: Seal, at: datetime) -> HolderRecord:
    """The enterprise, under the seal's number: no sign-in takes a seal for its card."""
    enterprise = people_rows.enterprise(connection, seal.enterprise_id)
    return HolderRecord(
        kind=HolderKind.LEGAL_PERSON,
        subject=enterprise.id,
        name=enterprise.name,
        card=seal.number,
        card_state=_unless_closed(str(seal.state_at(at)), enterprise.is_closed_at(at)),
        enterprise_id=enterprise.id,
        enterprise_name=enterprise.name,
        enterprise_uscc=enterprise.uscc,
        customs_code=enterprise.customs_code,
        key_witness="the authority, in its own token",
        is_seal=True,
    )


def _unless_closed(state: str, closed: bool) -> str:
    return "enterprise-closed" if state == "active" and closed else state


def _witness(held: HeldCard, at: datetime) -> str | None:
    card = held.card
    if card.witnessed_at is None or held.witness is None or at < card.witnessed_at:
        return None
    moment = card.witnessed_at.isoformat(timespec="seconds")
    return f"{held.witness}, {moment}, {card.token_model} {card.token_serial}"


def _record(held: HeldCard, at: datetime) -> HolderRecord:
    card = held.card
    state = _unless_closed(str(card.state_at(at)), held.is_enterprise_closed_at(at))
    if state == "active" and held.is_officer_retired_at(at):
        state = "officer-retired"  # before the card is revoked, a moment later
    grants = held.grants_at(at)
    return HolderRecord(
        kind=card.holder.kind,
        subject=card.holder.id,
        name=held.name,
        card=card.number,
        card_state=state,
        enterprise_id=held.enterprise_id,
        enterprise_name=held.enterprise_name,
        enterprise_uscc=held.enterprise_uscc,
        customs_code=held.customs_code,
        rights=tuple(dict.fromkeys(each.right for each in grants)),
        grants=grants,
        employee_number=held.employee_number,
        roles=held.roles,
        branch=held.branch,
        key_witness=_witness(held, at),
        card_state_since={"frozen": card.held_at, "lost": card.ended_at}.get(state),
    )
