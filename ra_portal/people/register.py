"""The register as officers look at it: its enterprises in pages, and one with its people."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from kernel.identifiers import parse_customs_code, parse_uscc
from kernel.refusals import Refusal, Unprocessable
from policies.identity_number import is_identity_card_number
from ra_portal import keyset
from ra_portal.applications.tables import applications
from ra_portal.cards import card_rows
from ra_portal.cards.card import NUMBER_PREFIXES, Card
from ra_portal.keyset import Place
from ra_portal.people import branches, name_search, people_rows, register_rows
from ra_portal.people.branches import Branch
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.people.people import Enterprise, Operator
from ra_portal.people.register_rows import EnterpriseState, Filter
from records.database import Database

PAGE_LENGTH = 20
"""Enterprises on one page."""
OPERATORS_SHOWN = 50
"""Operators on one page of an enterprise."""


@dataclass(frozen=True)
class Asked:
    """What an officer wants to see."""

    states: tuple[EnterpriseState, ...] = tuple(EnterpriseState)
    branch_id: str | None = None
    text: str = ""
    """Part of a name, a credit code, a customs code or a card's number."""
    after: Place | None = None
    backwards: bool = False


@dataclass(frozen=True)
class RegisterPage:
    enterprises: list[Enterprise]
    cards: Mapping[str, Card]
    """The newest legal-person card, by enterprise."""
    earlier: Place | None
    """Where the page before this one ends; None: this is the first."""
    later: Place | None
    cut: bool = False
    """More were found than are looked at."""


@dataclass(frozen=True)
class EnterpriseFile:
    """One enterprise with everything that hangs on it."""

    enterprise: Enterprise
    branch: Branch | None
    card: Card | None
    application: tuple[str, str] | None
    """Id and reference of the application that it came from."""
    operators: list[tuple[Operator, Card | None]]
    """In the order of employee numbers, each with the newest card."""
    more_after: str | None
    """The employee number that the next page begins behind."""


class Register:
    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, by: Identity, asked: Asked) -> RegisterPage:
        """One page, the newest first.

        Raises Forbidden `role.missing`, `branch.foreign`, Unprocessable `search.identity-number`.
        """
        by.require("enterprise.read")
        if asked.branch_id is not None:
            branches.require_branch(by, asked.branch_id)
        wanted = Filter(asked.states, by.branch or asked.branch_id)
        turned = (PAGE_LENGTH, register_rows.place_of, asked.after, asked.backwards)
        with self._database.reading() as connection:
            if asked.text.strip():
                found = _search(connection, wanted, asked.text.strip()[:80])
                cut = len(found) >= name_search.MOST_MATCHES
                page = keyset.turn(found, *turned, newest_first=True)
            else:
                cut, limit = False, PAGE_LENGTH + 1
                found = register_rows.page(connection, wanted, limit, asked.after, asked.backwards)
                page = keyset.cut(found, *turned)
            cards = card_rows.newest_of(
                connection, HolderKind.LEGAL_PERSON, [each.id for each in page.shown]
            )
        return RegisterPage(page.shown, cards, page.earlier, page.later, cut)

    def show(self, by: Identity, identifier: str, after: str = "") -> EnterpriseFile:
        """Raises Forbidden `role.missing`, `branch.foreign`, NotFound `enterprise.unknown`."""
        by.require("enterprise.read")
        with self._database.reading() as connection:
            enterprise = people_rows.enterprise(connection, identifier)
            branches.require_branch(by, enterprise.branch_id)
            own = card_rows.newest_of(connection, HolderKind.LEGAL_PERSON, [enterprise.id])
            found = register_rows.operators_after(
                connection, enterprise.id, after, OPERATORS_SHOWN + 1
            )
            shown = found[:OPERATORS_SHOWN]
            cards = card_rows.newest_of(
                connection, HolderKind.OPERATOR, [each.id for each in shown]
            )
            return EnterpriseFile(
                enterprise,
                branches.by_id(connection, enterprise.branch_id),
                own.get(enterprise.id),
                _application(connection, enterprise.id),
                [(each, cards.get(each.id)) for each in shown],
                shown[-1].employee_number if len(found) > len(shown) else None,
            )


def _search(connection: Connection, wanted: Filter, text: str) -> list[Enterprise]:
    """By what the text looks like."""
    upper = "".join(text.split()).upper()
    if is_identity_card_number(upper):
        raise Unprocessable("search.identity-number", "nobody is searched by an identity number")
    if upper.startswith(tuple(f"{prefix}-" for prefix in NUMBER_PREFIXES.values())):
        card = card_rows.find_by_number(connection, upper)
        owner = people_rows.enterprise_of(connection, card.holder) if card else None
        return register_rows.among(connection, wanted, [owner.uscc] if owner else [])
    try:
        return register_rows.among(connection, wanted, [parse_uscc(upper)])
    except Refusal:
        pass
    try:
        return register_rows.by_customs_code(connection, wanted, parse_customs_code(upper))
    except Refusal:
        usccs = name_search.ENTERPRISES.find(connection, text)
        return register_rows.among(connection, wanted, usccs)


def _application(connection: Connection, enterprise_id: str) -> tuple[str, str] | None:
    query = select(applications.c.id, applications.c.reference).where(
        applications.c.enterprise_id == enterprise_id
    )
    row = connection.execute(query.limit(1)).one_or_none()
    return None if row is None else (row.id, row.reference)
