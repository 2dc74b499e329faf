"""What has happened to an application, for the officers who deal with it: from the journal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from records.events import Event
from records.journal import Fact
from records.tables import journal

MOST = 50
_ELSEWHERE = (Event.APPLICATION_NOTED, Event.APPLICATION_CODE_REFUSED)
"""Notes stand by themselves; strangers' tries are the auditors' matter."""


@dataclass(frozen=True)
class PastEvent:
    at: datetime
    event: str
    """Of the journal's vocabulary."""
    actor: str
    """As the journal names actors; an officer's id stands behind the colon."""
    facts: Mapping[str, Fact]

    @property
    def actor_id(self) -> str:
        return self.actor.partition(":")[2]


def past_of(connection: Connection, reference: str) -> list[PastEvent]:
    """The newest `MOST`, newest first."""
    query = (
        select(journal.c.at, journal.c.event, journal.c.actor, journal.c.facts)
        .where(journal.c.subject == reference, journal.c.event.not_in(_ELSEWHERE))
        .order_by(journal.c.position.desc())
        .limit(MOST)
    )
    return [
        PastEvent(datetime.fromisoformat(row.at), row.event, row.actor, json.loads(row.facts))
        for row in connection.execute(query)
    ]
