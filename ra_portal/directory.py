"""Finds the holder of a certificate, with the rights of the moment that is asked for."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from ra_portal import card_rows, people_rows, seal_rows
from ra_portal.card import Card
from ra_portal.identity import HolderKind
from ra_portal.people import Enterprise
from ra_portal.seal import Seal
from records.database import Database


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
    """As it was at the moment asked for: `active`, `revoked`, `replaced`, `expired`, or
    `enterprise-closed` for what would be active."""
    enterprise_id: str | None = None
    enterprise_name: str | None = None
    enterprise_uscc: str | None = None
    customs_code: str | None = None
    rights: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    branch: str | None = None
    """The branch that an officer works at, by id."""
    key_witness: str | None = None
    """Who saw, and when, that the key was made on which token; None: nobody by that moment."""


class HolderDirectory:
    def __init__(self, database: Database) -> None:
        self._database = database

    def by_certificate(self, fingerprint: str, at: datetime) -> HolderRecord | None:
        """The holder of the certificate with this SHA-256 (hexadecimal); None for a stranger's."""
        with self._database.reading() as connection:
            card = card_rows.find_by_fingerprint(connection, fingerprint)
            if card is not None:
                return _record(connection, card, at)
            seal = seal_rows.find_by_fingerprint(connection, fingerprint)
            return None if seal is None else _of_seal(connection, seal, at)

    def by_card(self, number: str, at: datetime) -> HolderRecord:
        """Raises NotFound `card.unknown`."""
        with self._database.reading() as connection:
            return _record(connection, card_rows.by_number(connection, number), at)

    def holder_name(self, number: str) -> str:
        """The name of the enterprise, operator or officer. Raises NotFound `card.unknown`."""
        with self._database.reading() as connection:
            card = card_rows.by_number(connection, number)
            return _record(connection, card, card.requested_at).name


def _of_seal(connection: Connection, seal: Seal, at: datetime) -> HolderRecord:
    """The enterprise, under the seal's number: no sign-in takes a seal for its card."""
    enterprise = people_rows.enterprise(connection, seal.enterprise_id)
    return HolderRecord(
        kind=HolderKind.LEGAL_PERSON,
        subject=enterprise.id,
        name=enterprise.name,
        card=seal.number,
        card_state=_unless_closed(str(seal.state_at(at)), enterprise, at),
        enterprise_id=enterprise.id,
        enterprise_name=enterprise.name,
        enterprise_uscc=enterprise.uscc,
        customs_code=enterprise.customs_code,
        key_witness="the authority, in its own token",
    )


def _unless_closed(state: str, enterprise: Enterprise, at: datetime) -> str:
    return "enterprise-closed" if state == "active" and enterprise.is_closed_at(at) else state


def _witness(connection: Connection, card: Card, at: datetime) -> str | None:
    if card.witnessed_at is None or card.witnessed_by is None or at < card.witnessed_at:
        return None
    officer = people_rows.officer(connection, card.witnessed_by)
    moment = card.witnessed_at.isoformat(timespec="seconds")
    return f"{officer.name}, {moment}, {card.token_model} {card.token_serial}"


def _record(connection: Connection, card: Card, at: datetime) -> HolderRecord:
    holder, state = card.holder, str(card.state_at(at))
    witness = _witness(connection, card, at)
    if holder.kind is HolderKind.OFFICER:
        officer = people_rows.officer(connection, holder.id)
        roles = tuple(sorted(officer.roles))
        return HolderRecord(
            holder.kind,
            officer.id,
            officer.name,
            card.number,
            state,
            roles=roles,
            branch=officer.branch_id,
            key_witness=witness,
        )
    rights: tuple[str, ...] = ()
    if holder.kind is HolderKind.LEGAL_PERSON:
        enterprise = people_rows.enterprise(connection, holder.id)
        name = enterprise.name
    else:
        operator = people_rows.operator(connection, holder.id)
        enterprise = people_rows.enterprise(connection, operator.enterprise_id)
        name = operator.name
        rights = people_rows.rights_at(connection, operator.id, at)
    return HolderRecord(
        kind=holder.kind,
        subject=holder.id,
        name=name,
        card=card.number,
        card_state=_unless_closed(state, enterprise, at),
        enterprise_id=enterprise.id,
        enterprise_name=enterprise.name,
        enterprise_uscc=enterprise.uscc,
        customs_code=enterprise.customs_code,
        rights=rights,
        key_witness=witness,
    )
