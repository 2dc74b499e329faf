"""One act on many cards: seen first, proposed by one, confirmed by another, done as a durable job.

The certificates are written down with the proposal, as a job of the authority (`ca.mass`) that is
started by the confirmation: no card can join them in between. The worker moves them first; when
none is open any more, the cards follow. Each of its turns is short, so that others have theirs.
Dying anywhere, the next turn goes on: what is done is not done again.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Update, func, insert, select, update

from ca.inventory import RevocationReason
from ca.mass.job import RELEASE, MassProgress, MassRevocation
from kernel.clock import Clock
from kernel.refusals import Conflict, Forbidden, NotFound, Unprocessable
from ra_portal import fields
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card
from ra_portal.cards.card_moves import LONGEST_REASON
from ra_portal.cards.cards import read_reason
from ra_portal.cards.tables import card_moves, cards
from ra_portal.mass_actions.mass_change import MassChange
from ra_portal.mass_actions.mass_filter import STATES, Act, CardFilter, joined, meant_by
from ra_portal.mass_actions.mass_preview import Preview, preview, told
from ra_portal.mass_actions.tables import mass_actions
from ra_portal.people import people_rows
from ra_portal.people.identity import Identity
from records.database import Database, new_id
from records.events import Event
from records.journal import Entry, Journal

_BATCH = 1000
_CERTIFICATES_IN_A_TURN = 5000
_BATCHES_IN_A_TURN = 3
"""Of cards that follow."""
MOST_CARDS = 3_000_000


class ActionState(StrEnum):
    PROPOSED = "proposed"
    RUNNING = "running"
    DONE = "done"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class MassAction:
    id: str
    act: Act
    filter: CardFilter
    reason: str
    total: int
    state: ActionState
    proposed_by: str
    proposed_at: datetime
    confirmed_by: str | None
    moved: int
    """Cards that have followed."""


@dataclass(frozen=True)
class MassFile:
    """One action as its second officer reads it, before and after."""

    action: MassAction
    cards: Preview | None
    """The very cards that were written down with the proposal; told until it is decided."""
    progress: MassProgress | None
    """Of their certificates, from the confirmation on."""
    names: Mapping[str, str]
    """Of the officers, by actor."""


class MassActions:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        mass: MassRevocation,
        on_cards_ended: Callable[[Sequence[Card]], None],
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._mass = mass
        self._on_cards_ended = on_cards_ended

    def preview(self, by: Identity, act: Act, wanted: CardFilter) -> Preview:
        """A dry run. Raises Forbidden `branch.foreign`, `role.missing`."""
        require_head_office(by)
        by.require("card.manage")
        with self._database.reading() as connection:
            return preview(connection, act, wanted)

    def file(self, by: Identity, identifier: str) -> MassFile:
        """Raises Forbidden `branch.foreign`, `role.missing`, NotFound `mass.unknown`."""
        require_head_office(by)
        by.require_one_of("card.manage", "card.confirm")
        meant = progress = None
        with self._database.reading() as connection:
            row = _row(connection, identifier)
            action, job = _action(row), row.job or ""
            if action.state is ActionState.PROPOSED:
                meant = told(connection, cards.c.serial.in_(self._mass.serials(job)))
            names = officers_named(connection, (action.proposed_by, action.confirmed_by))
        if action.state in (ActionState.RUNNING, ActionState.DONE):
            progress = self._mass.progress(job)
        return MassFile(action, meant, progress, names)

    def propose(
        self, by: Identity, act: Act, wanted: CardFilter, reason: str, seen: int | None = None
    ) -> MassAction:
        """Record it for another officer. `reason`: for a revocation one of `cards.REASONS`;
        `seen`: how many cards the dry run told of.

        Raises Forbidden `branch.foreign`, `role.missing`, Unprocessable `card.reason`,
        `mass.nothing`, `mass.too-many`, Malformed `field.*`, Conflict `mass.not-as-seen` when
        it is not as many.
        """
        require_head_office(by)
        by.require("card.manage")
        if act is Act.REVOKE:
            why = str(read_reason(reason))
        else:
            why = fields.text(LONGEST_REASON)(fields.paragraph(reason, LONGEST_REASON))
        with self._database.transaction() as connection:
            total = connection.execute(
                joined(select(func.count())).where(meant_by(act, wanted))
            ).scalar_one()
            if total == 0:
                raise Unprocessable("mass.nothing", "no card is meant")
            if total > MOST_CARDS:
                raise Unprocessable("mass.too-many", "too many cards for one action")
            if seen is not None and total != seen:
                raise Conflict(
                    "mass.not-as-seen", "other cards are meant by now: look again", now=total
                )
            identifier = new_id()
            job = self._mass.freeze(
                connection, joined(select(cards.c.serial)).where(meant_by(act, wanted))
            )
            values = {
                "id": identifier,
                "act": str(act),
                "filter": json.dumps(asdict(wanted), ensure_ascii=False),
                "reason": why,
                "total": total,
                "state": str(ActionState.PROPOSED),
                "proposed_by": by.actor,
                "proposed_at": self._clock.now(),
                "job": job,
                "moved": 0,
                "followed": 0,
            }
            connection.execute(insert(mass_actions), values)
            self._record(connection, Event.MASS_ACTION_PROPOSED, identifier, by.actor, total)
            return _action(_row(connection, identifier))

    def revoke_listed(
        self,
        officers: Sequence[str],
        serials: Sequence[str],
        reason: str,
        alone: Sequence[str] = (),
    ) -> tuple[str | None, str | None]:
        """Revoke the cards that were made with these certificates (`sort_out`), and certificates
        that stand `alone`; the action's id and, of those alone, the job's (`ca.mass`). Both are
        recorded together; None where there is nothing to do.

        For the console, where both have signed for just this list (`ra_portal.console`):
        `officers` are who proposed and who confirmed, as the journal names actors. The worker does
        it, as every other. Raises Unprocessable `card.reason`, `mass.nothing`, `mass.too-many`.
        """
        if not serials and not alone:
            raise Unprocessable("mass.nothing", "no card is meant")
        why = str(read_reason(reason)) if serials else str(RevocationReason(reason))
        if len(serials) > MOST_CARDS:
            raise Unprocessable("mass.too-many", "too many cards for one action")
        action = job = None
        with self._database.transaction() as connection:
            if serials:
                action = self._start_listed(connection, officers, serials, why)
            if alone:
                job = self._mass.freeze_list(connection, alone)
                self._mass.start(connection, job, why, officers[-1])
        return action, job

    def _start_listed(
        self, connection: Connection, officers: Sequence[str], serials: Sequence[str], why: str
    ) -> str:
        first, second, identifier = officers[0], officers[-1], new_id()
        job = self._mass.freeze_list(connection, serials)
        values = {
            "id": identifier,
            "act": str(Act.REVOKE),
            "filter": json.dumps(asdict(CardFilter(listed=job))),
            "reason": why,
            "total": len(serials),
            "state": str(ActionState.RUNNING),
            "proposed_by": first,
            "proposed_at": self._clock.now(),
            "confirmed_by": second,
            "job": job,
            "moved": 0,
            "followed": 0,
        }
        connection.execute(insert(mass_actions), values)
        self._mass.start(connection, job, why, second)
        for event, actor in (
            (Event.MASS_ACTION_PROPOSED, first),
            (Event.MASS_ACTION_CONFIRMED, second),
        ):
            self._record(connection, event, identifier, actor, len(serials))
        return identifier

    def followed(self, identifier: str) -> int | None:
        """How many cards a finished action moved; None: it is not finished. Raises NotFound."""
        with self._database.reading() as connection:
            action = _action(_row(connection, identifier))
        return action.moved if action.state is ActionState.DONE else None

    def all(self, by: Identity, limit: int = 50) -> list[MassAction]:
        """Newest first. Raises Forbidden `branch.foreign`, `role.missing`."""
        require_head_office(by)
        by.require_one_of("card.manage", "card.confirm")
        query = select(mass_actions).order_by(mass_actions.c.proposed_at.desc()).limit(limit)
        with self._database.reading() as connection:
            return [_action(row) for row in connection.execute(query)]

    def confirm(self, by: Identity, identifier: str) -> MassAction:
        """The second pair of eyes; from now on the worker does it.

        Raises Forbidden `branch.foreign`, `role.missing`, `approval.same-officer`, NotFound
        `mass.unknown`, Conflict `mass.state`, `mass.changed` when other cards are meant by now.
        """
        require_head_office(by)
        by.require("card.confirm")
        with self._database.transaction() as connection:
            row = _row(connection, identifier)
            action = _action(row)
            if action.proposed_by == by.actor:
                raise Forbidden(
                    "approval.same-officer", "another officer must confirm what you proposed"
                )
            self._move(connection, action, ActionState.RUNNING, confirmed_by=by.actor)
            self._require_unchanged(connection, action, row.job)
            self._mass.start(connection, row.job, _reason(action), by.actor)
            self._record(
                connection, Event.MASS_ACTION_CONFIRMED, identifier, by.actor, action.total
            )
            return _action(_row(connection, identifier))

    def withdraw(self, by: Identity, identifier: str) -> MassAction:
        """Never mind. Raises as `confirm`."""
        require_head_office(by)
        by.require_one_of("card.manage", "card.confirm")
        with self._database.transaction() as connection:
            row = _row(connection, identifier)
            action = _action(row)
            self._move(connection, action, ActionState.WITHDRAWN)
            self._mass.discard(connection, row.job or "")
            self._record(
                connection, Event.MASS_ACTION_WITHDRAWN, identifier, by.actor, action.total
            )
            return _action(_row(connection, identifier))

    # -- the worker ----------------------------------------------------------------------------

    def has_work(self) -> bool:
        with self._database.reading() as connection:
            return bool(_running(connection))

    def run(self) -> int:
        """A turn at what was confirmed; how many cards followed. Call it again while `has_work`."""
        with self._database.reading() as connection:
            running = _running(connection)
        return sum(self._turn(row) for row in running)

    def _turn(self, row: Any) -> int:
        if self._mass.go_on(row.job, batch=_CERTIFICATES_IN_A_TURN, batches=1):
            return 0  # the rest is for another turn, or another node has it in hand
        action, followed, done = _action(row), row.followed, 0
        for _ in range(_BATCHES_IN_A_TURN):
            moved = self._mass.moved(row.job, followed, _BATCH)
            if not moved:
                self._end(action)
                break
            done += self._follow(action, [serial for _, serial in moved])
            followed = moved[-1][0]
            self._note(action, followed)
        return done

    def _follow(self, action: MassAction, serials: Sequence[str]) -> int:
        """One batch of cards whose certificates the job has moved; those that have followed, or
        have ended otherwise meanwhile, are left alone. Their sessions end, unless they are in use
        again."""
        actor = action.confirmed_by or action.proposed_by
        change = MassChange(action.act, action.id, actor, action.reason, self._clock.now())
        values = {"version": cards.c.version + 1, **change.columns}
        with self._database.transaction() as connection:
            mine = (cards.c.serial.in_(serials)) & cards.c.state.in_(STATES[action.act])
            changed = update(cards).where(mine).values(values)
            batch = connection.execute(changed.returning(cards.c.number, cards.c.serial)).all()
            if batch:
                moved = {"at": change.at, "move": str(change.move), "actor": actor}
                moves = [{"card": card.number, **moved, "why": change.why} for card in batch]
                connection.execute(insert(card_moves), moves)
                more = {"moved": mass_actions.c.moved + len(batch)}
                connection.execute(_of(action).values(more))
                about = {"reason": change.why, "mass_action": action.id}
                entries = [
                    Entry(change.event, card.number, actor, {"serial": card.serial, **about})
                    for card in batch
                ]
                self._journal.append_many(connection, entries)
        if action.act is not Act.UNFREEZE:
            # Also of those that followed in a turn that died before this.
            with self._database.reading() as connection:
                ended = card_rows.by_serials(connection, serials, [str(change.state)])
            self._on_cards_ended(ended)
        return len(batch)

    def _note(self, action: MassAction, followed: int) -> None:
        with self._database.transaction() as connection:
            connection.execute(_of(action).values(followed=followed))

    def _end(self, action: MassAction) -> None:
        with self._database.transaction() as connection:
            running = _of(action).where(mass_actions.c.state == str(ActionState.RUNNING))
            ended = running.values(state=str(ActionState.DONE)).returning(mass_actions.c.moved)
            moved = connection.execute(ended).scalar_one_or_none()
            if moved is not None:
                self._record(connection, Event.MASS_ACTION_DONE, action.id, "worker", moved)

    def _require_unchanged(
        self, connection: Connection, action: MassAction, job: str | None
    ) -> None:
        """The cards that are meant now are those that were seen, one by one. `job`: None for a
        proposal from before the serials were written down. Raises Conflict `mass.changed`."""
        meant = joined(select(func.count())).where(meant_by(action.act, action.filter))
        seen = meant.where(cards.c.serial.in_(self._mass.serials(job or "")))
        now_meant = connection.execute(meant).scalar_one()
        if not connection.execute(seen).scalar_one() == now_meant == action.total:
            raise Conflict(
                "mass.changed",
                "other cards are meant by now: propose it again",
                then=action.total,
                now=now_meant,
            )

    def _move(
        self, connection: Connection, action: MassAction, state: ActionState, **more: object
    ) -> None:
        mine = (mass_actions.c.id == action.id) & (
            mass_actions.c.state == str(ActionState.PROPOSED)
        )
        values = {"state": str(state), **more}
        if connection.execute(update(mass_actions).where(mine).values(values)).rowcount != 1:
            raise Conflict("mass.state", "this action is decided already")

    def _record(
        self, connection: Connection, event: Event, identifier: str, actor: str, count: int
    ) -> None:
        self._journal.append(connection, event, subject=identifier, actor=actor, cards=count)


def require_head_office(by: Identity) -> None:
    """Many cards are of many branches. Raises Forbidden `branch.foreign`."""
    if by.branch is not None:
        raise Forbidden("branch.foreign", "this is for the head office alone")


def _reason(action: MassAction) -> str:
    """Of the job over the certificates."""
    if action.act is Act.UNFREEZE:
        return RELEASE
    return action.reason if action.act is Act.REVOKE else RevocationReason.CERTIFICATE_HOLD


def _of(action: MassAction) -> Update:
    return update(mass_actions).where(mass_actions.c.id == action.id)


def officers_named(connection: Connection, actors: Iterable[str | None]) -> dict[str, str]:
    """Names by actor, of those that are officers."""
    by_id = {each.partition(":")[2]: each for each in actors if each}
    return {by_id[key]: name for key, name in people_rows.officer_names(connection, by_id).items()}


def _running(connection: Connection) -> list[Any]:
    query = select(mass_actions).where(mass_actions.c.state == str(ActionState.RUNNING))
    return list(connection.execute(query.order_by(mass_actions.c.proposed_at)))


def _row(connection: Connection, identifier: str) -> Any:
    query = select(mass_actions).where(mass_actions.c.id == identifier[:32])
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("mass.unknown", "there is no such action")
    return row


def _action(row: Any) -> MassAction:
    return MassAction(
        id=row.id,
        act=Act(row.act),
        filter=CardFilter(**json.loads(row.filter)),
        reason=row.reason,
        total=row.total,
        state=ActionState(row.state),
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        confirmed_by=row.confirmed_by,
        moved=row.moved,
    )
