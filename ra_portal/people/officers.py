"""Officers: who works for the authority, in which roles.

Roles of two families (`policies/permissions.toml`) are never one person's. At the console only the
first of a family are appointed, until one of them holds a card; later that takes an emergency,
which the journal tells.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.refusals import Unprocessable
from policies.permissions import permissions
from ra_portal import fields
from ra_portal.applications.application import LONGEST_NAME
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card
from ra_portal.cards.cards import Cards
from ra_portal.cards.charge import require_first
from ra_portal.people import branches, people_rows
from ra_portal.people.identity import HolderKind, Identity, Role
from ra_portal.people.people import Officer
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal


@dataclass(frozen=True)
class AddedOfficer:
    """A new officer; the activation code is nowhere else.

    None: another officer must confirm the proposal first (`Cards.confirm_code`).
    """

    officer: Officer
    card: Card
    activation_code: str | None


class Officers:
    def __init__(self, database: Database, journal: Journal, clock: Clock, cards: Cards) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._cards = cards

    def add(
        self,
        by: Identity,
        name: str,
        roles: Iterable[str],
        emergency: str = "",
        branch: str = "",
    ) -> AddedOfficer:
        """Add an officer and request the card. The first comes from `identity.console`.

        `emergency`: why the console must appoint though somebody with a card could. `branch`: the
        code of the branch that the officer works at, which only those of the counter do; empty for
        the head office. Raises Forbidden `role.missing`, `console.use-card`,
        `fields.InvalidFields` (`name`, `roles`, `branch`).
        """
        by.require_one_of(*(f"officer.{each.code}.manage" for each in permissions().families))
        reader = fields.FieldReader({"name": name})
        clean = reader.read("name", fields.text(LONGEST_NAME))
        named = reader.attempt("roles", lambda: read_roles(roles))
        with self._database.reading() as connection:
            place = reader.attempt(
                "branch", lambda: read_branch(connection, branch, named or frozenset())
            )
        reader.finish()
        assert named is not None
        officer = Officer(new_id(), clean, named, self._clock.now(), place)
        permission = f"officer.{officer.family}.manage"
        by.require(permission)
        why = {"emergency": emergency.strip()[:200]} if emergency.strip() else {}
        with self._database.transaction() as connection:
            if by.kind is None and not why:
                require_first(connection, permission)
            people_rows.add_officer(connection, officer)
            self._journal.append(
                connection,
                Event.OFFICER_ADDED,
                subject=f"officer:{officer.id}",
                actor=by.actor,
                name=clean,
                roles=",".join(sorted(named)),
                **why,
            )
            card = self._cards.request(connection, officer.holder, by.actor)
            card, code = self._cards.hand_out(connection, by, card)
        return AddedOfficer(officer, card, code)

    def all(self, by: Identity) -> list[tuple[Officer, Card | None]]:
        """Every officer, those who have left too, with the newest card.

        Raises Forbidden `role.missing`.
        """
        by.require("officer.read")
        with self._database.reading() as connection:
            officers = people_rows.all_officers(connection, retired=True)
            cards = card_rows.newest_of(
                connection, HolderKind.OFFICER, [officer.id for officer in officers]
            )
        return [(officer, cards.get(officer.id)) for officer in officers]


def read_branch(connection: Connection, code: str, roles: frozenset[Role]) -> str | None:
    """The branch's id; None, for an empty code: the head office.

    Raises Unprocessable `officer.branch-role`, `branch.unknown`.
    """
    if not code.strip():
        return None
    if not roles <= {Role.REGISTRAR, Role.APPROVER}:
        raise Unprocessable(
            "officer.branch-role", "at a branch there are registrars and approvers only"
        )
    return branches.id_of(connection, code)


def read_roles(roles: Iterable[str]) -> frozenset[Role]:
    """Raises Unprocessable `officer.role`, `officer.roles-apart`."""
    known = {str(role) for role in Role}
    given = frozenset(roles)
    if not given or not given <= known:
        raise Unprocessable("officer.role", "choose at least one of the roles")
    if len(permissions().families_of(given)) > 1:
        raise Unprocessable(
            "officer.roles-apart", "business, system and audit are different people's"
        )
    return frozenset(Role(role) for role in given)
