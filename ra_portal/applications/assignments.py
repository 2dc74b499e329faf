"""Who looks after which application: taken, handed over, laid back, and the next one of the queue.

Officers take from the queue, the longest waiting first, so that the work spreads by itself. What
was taken by somebody whose card has ended, who has left or has other work now, goes back to
everybody.
"""

from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import Connection, literal, select

from kernel.clock import Clock
from kernel.refusals import Conflict, NotFound
from ra_portal.applications import application_rows, queue_rows
from ra_portal.applications.application import OPEN, Application, ApplicationState
from ra_portal.applications.queue_rows import Filter
from ra_portal.cards import card_rows
from ra_portal.cards.tables import cards
from ra_portal.keyset import Place
from ra_portal.people import branches, people_rows
from ra_portal.people.identity import HolderKind, Identity, Role
from ra_portal.people.people import Officer
from ra_portal.people.tables import officers
from records.database import Database
from records.events import Event
from records.journal import Journal

_DECIDING = frozenset({Role.REGISTRAR, Role.APPROVER})
_TRIES = 5
"""Another officer may take the same one in the same moment."""


class Assignments:
    def __init__(self, database: Database, journal: Journal, clock: Clock) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock

    def assign(self, by: Identity, application_id: str, to: str | None) -> Application:
        """An officer takes it (`to` is the own id), hands it to another of the branch, or lays it
        back (None).

        Raises Forbidden `role.missing`, `branch.foreign`, NotFound `application.unknown`,
        `officer.unknown`, Conflict `application.state`, `officer.other-branch`,
        `officer.not-here` for who decides nothing or holds no card any more.
        """
        by.require("application.assign")
        with self._database.transaction() as connection:
            before = application_rows.by_id(connection, application_id)
            branches.require_branch(by, before.details.branch_id)
            if to is not None:
                _require_there(connection, to, before)
            return self._assign(connection, before, to, by.actor)

    def take_next(self, by: Identity, after: Place | None = None) -> Application | None:
        """The longest waiting application that this officer can move on and nobody else looks
        after, taken; first those that are the officer's already. None: there is none behind
        `after`, the place of one that the officer leaves, which goes back to everybody.

        Raises Forbidden `role.missing`; Conflict `application.taken` when others were faster,
        `officer.other-branch`, `officer.not-here` for who is another since the last page.
        """
        by.require("application.assign")
        if after is not None:
            self._leave(by, after.id)
        for _ in range(_TRIES):
            with self._database.reading() as connection:
                found = _next(connection, by, after)
            if found is None or found.assigned_to == by.subject:
                return found
            try:
                with self._database.transaction() as connection:
                    _require_there(connection, by.subject, found)
                    return self._assign(connection, found, by.subject, by.actor)
            except Conflict as conflict:
                if conflict.code.startswith("officer."):
                    raise
                continue  # somebody else has it now
        raise Conflict("application.taken", "other officers took them first: try again")

    def _leave(self, by: Identity, application_id: str) -> None:
        with suppress(NotFound, Conflict), self._database.transaction() as connection:
            left = application_rows.by_id(connection, application_id)
            if left.assigned_to == by.subject:
                self._assign(connection, left, None, by.actor)

    def give_back(self, connection: Connection, before: Officer, after: Officer, actor: str) -> int:
        """What an officer who has become another may not look after any more goes back into the
        queue; how many. The caller holds the officer's lock (`people_rows.lock_officer`)."""
        lost = before.roles - after.roles
        done = 0
        for application in queue_rows.locked_of(connection, before.id):
            if (
                after.retired_at is not None
                or _MOVED_BY[application.state] in lost
                or not after.roles & _DECIDING
                or after.branch_id not in (None, application.details.branch_id)
            ):
                self._assign(connection, application, None, actor)
                done += 1
        return done

    def lay_back(self, limit: int = 200) -> int:
        """What officers without a card, or without a role that decides, have in charge goes back
        into the queue; how many. For the worker."""
        with self._database.reading() as connection:
            gone = _gone(connection)
            left = queue_rows.in_charge_of(connection, sorted(gone), limit)
        done = 0
        for application in left:
            try:
                with self._database.transaction() as connection:
                    self._assign(connection, application, None, "worker")
            except Conflict:
                continue  # moved or taken meanwhile
            done += 1
        return done

    def colleagues(self, by: Identity) -> list[tuple[str, str]]:
        """Ids and names of the officers to whom an application can be handed: they decide, at this
        branch or for all, and hold a card."""
        by.require("application.assign")
        with self._database.reading() as connection:
            gone = _gone(connection)
            return [
                (officer.id, officer.name)
                for officer in people_rows.all_officers(connection)
                if by.branch is None or officer.branch_id in (None, by.branch)
                if officer.id not in gone
            ]

    def _assign(
        self, connection: Connection, before: Application, to: str | None, actor: str
    ) -> Application:
        after = before.assign(to)
        application_rows.save(connection, after)
        self._journal.append(
            connection,
            Event.APPLICATION_ASSIGNED,
            subject=after.reference,
            actor=actor,
            officer=to,
        )
        return after


_WITHOUT_CARD = (
    select(officers.c.id)
    .outerjoin(cards, cards.c.live_holder == literal(f"{HolderKind.OFFICER}:") + officers.c.id)
    .where(cards.c.id.is_(None))
)
"""Officers without a card that is to be made, in use or frozen."""


_MOVED_BY = {
    ApplicationState.APPLIED: Role.REGISTRAR,
    ApplicationState.REGISTERED: Role.APPROVER,
}
"""Whose next move an open application waits for."""


def _gone(connection: Connection) -> set[str]:
    """Officers who look after nothing any more."""
    everybody = people_rows.all_officers(connection, retired=True)
    idle = {each.id for each in everybody if each.retired_at or not each.roles & _DECIDING}
    return idle | set(connection.execute(_WITHOUT_CARD).scalars())


def _require_there(connection: Connection, identifier: str, application: Application) -> None:
    people_rows.lock_officer(connection, identifier)
    officer = people_rows.officer(connection, identifier)
    if officer.branch_id not in (None, application.details.branch_id):
        raise Conflict("officer.other-branch", "the officer works at another branch")
    here = card_rows.find_live(connection, officer.holder) is not None
    if not officer.roles & _DECIDING or officer.retired_at is not None or not here:
        raise Conflict("officer.not-here", "this officer decides on no applications (any more)")


def _next(connection: Connection, by: Identity, after: Place | None) -> Application | None:
    """Of the officer's own first, then of nobody's; each state by its own walk."""
    found: list[Application] = []
    for own in (True, False):
        for state in _moved_by(by):
            wanted = Filter(
                (state,),
                by.branch,
                assigned_to=by.subject if own else None,
                unassigned=not own,
                not_registered_by=by.subject,
            )
            found += queue_rows.page(connection, wanted, 1, after)
        if found:
            return min(found, key=lambda each: (each.changed_at, each.id))
    return None


def _moved_by(by: Identity) -> Sequence[ApplicationState]:
    may = {
        ApplicationState.APPLIED: by.may("application.register"),
        ApplicationState.REGISTERED: by.may("application.approve"),
    }
    return [state for state in OPEN if may[state]]
