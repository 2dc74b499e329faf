"""Officers: who works for the authority, in which roles."""

from collections.abc import Iterable
from dataclasses import dataclass

from kernel.clock import Clock
from kernel.refusals import Unprocessable
from ra_portal import card_rows, fields, people_rows
from ra_portal.application import LONGEST_NAME
from ra_portal.card import Card
from ra_portal.cards import Cards
from ra_portal.identity import HolderKind, Identity, Role
from ra_portal.people import Officer
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

    def add(self, by: Identity, name: str, roles: Iterable[str]) -> AddedOfficer:
        """Add an officer and request the card. The first comes from `identity.console`.

        Raises Forbidden `role.missing`, `fields.InvalidFields` (`name`, `roles`).
        """
        by.require_role(Role.ADMINISTRATOR)
        reader = fields.FieldReader({"name": name})
        clean = reader.read("name", fields.text(LONGEST_NAME))
        named = reader.attempt("roles", lambda: read_roles(roles))
        reader.finish()
        assert named is not None
        officer = Officer(new_id(), clean, named, self._clock.now())
        with self._database.transaction() as connection:
            people_rows.add_officer(connection, officer)
            self._journal.append(
                connection,
                Event.OFFICER_ADDED,
                subject=f"officer:{officer.id}",
                actor=by.actor,
                name=clean,
                roles=",".join(sorted(named)),
            )
            card = self._cards.request(connection, officer.holder, by.actor)
            card, code = self._cards.hand_out(connection, by, card)
        return AddedOfficer(officer, card, code)

    def all(self, by: Identity) -> list[tuple[Officer, Card | None]]:
        """Every officer with the newest card. Raises Forbidden `role.missing`."""
        by.require_role(Role.ADMINISTRATOR)
        with self._database.reading() as connection:
            officers = people_rows.all_officers(connection)
            cards = card_rows.newest_of(
                connection, HolderKind.OFFICER, [officer.id for officer in officers]
            )
        return [(officer, cards.get(officer.id)) for officer in officers]


def read_roles(roles: Iterable[str]) -> frozenset[Role]:
    """Raises Unprocessable `officer.role`."""
    known = {str(role) for role in Role}
    given = frozenset(roles)
    if not given or not given <= known:
        raise Unprocessable("officer.role", "choose at least one of the roles")
    return frozenset(Role(role) for role in given)
