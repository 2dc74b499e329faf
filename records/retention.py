"""Rows that have served their turn: removed after a time, a batch at a time, and told of.

Which rows these are is data of whoever knows all tables; the rule is never over what proves
anything. A batch and the record of it stand or fall together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Column, ColumnElement, Table, delete, exists, func, select, tuple_

from kernel.clock import Clock
from records.database import Database
from records.events import Event
from records.journal import Journal

BATCH = 1000
_ACTOR = "worker"


@dataclass(frozen=True)
class Rule:
    """Which rows of one table go."""

    name: str
    """For settings, the journal and people."""
    table: Table
    since: str
    """The column with the time from which a row is of no use; rows without one stay."""
    why: str
    """Of what use the rows were, and of what use they are for as long as they stay."""
    unless: Sequence[Column[str]] = ()
    """Columns of other tables that name a row: while one does, the row stays."""
    newest_of: Sequence[str] = ()
    """Columns of one kind of row: the newest of each kind stays, however old."""
    newest_by: str = ""
    batch: int = BATCH


@dataclass(frozen=True)
class Retention:
    """Applies rules."""

    database: Database
    journal: Journal
    clock: Clock

    def apply(self, rule: Rule, keep: timedelta, batches: int = 20) -> int:
        """Remove what is older than `keep`, at most so many batches; how many rows. May run
        several times at once and be killed anywhere. Raises Unavailable."""
        before, removed = self.clock.now() - keep, 0
        for _ in range(batches):
            count = self._remove(rule, before)
            removed += count
            if count < rule.batch:
                break
        return removed

    def _remove(self, rule: Rule, before: datetime) -> int:
        table = rule.table
        key = list(table.primary_key.columns)
        old = (
            select(*key)
            .where(_is_over(rule, before))
            .order_by(table.c[rule.since])
            .limit(rule.batch)
            .with_for_update(skip_locked=True, of=table)
        )
        with self.database.transaction() as connection:
            rows = connection.execute(old).all()
            if not rows:
                return 0
            count = connection.execute(
                delete(table).where(tuple_(*key).in_([tuple(row) for row in rows]))
            ).rowcount
            self.journal.append(
                connection,
                Event.ROWS_REMOVED,
                subject=rule.name,
                actor=_ACTOR,
                rows=count,
                before=before.isoformat(timespec="seconds"),
            )
        return count


def _is_over(rule: Rule, before: datetime) -> ColumnElement[bool]:
    table = rule.table
    over: ColumnElement[bool] = table.c[rule.since] < before
    (key, *_) = table.primary_key.columns
    for column in rule.unless:
        over &= ~exists().where(column == key)
    if rule.newest_of:
        other = table.alias()
        same = [other.c[name] == table.c[name] for name in rule.newest_of]
        newest = select(func.max(other.c[rule.newest_by])).where(*same).scalar_subquery()
        over &= table.c[rule.newest_by] < newest
    return over
