"""When a worker last ended a round, and what failed in it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from records.tables import worker_rounds


@dataclass(frozen=True)
class Heartbeat:
    node: str
    at: datetime
    failures: str
    """Empty: none."""


def beat(connection: Connection, heartbeat: Heartbeat) -> None:
    """Replace the node's last one."""
    values = {
        "node": heartbeat.node[:100],
        "at": heartbeat.at,
        "failures": heartbeat.failures[:1000],
    }
    mine = update(worker_rounds).where(worker_rounds.c.node == values["node"])
    if connection.execute(mine, values).rowcount == 0:
        connection.execute(insert(worker_rounds), values)


def newest(connection: Connection) -> Heartbeat | None:
    """Of whichever node."""
    query = select(worker_rounds).order_by(worker_rounds.c.at.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Heartbeat(row.node, row.at, row.failures)
