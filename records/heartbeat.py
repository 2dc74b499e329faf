"""The nodes that run jobs: when each told last that it lives, and how its clock stands."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from records.tables import worker_rounds


@dataclass(frozen=True)
class Heartbeat:
    node: str
    at: datetime
    """By the node's own clock."""
    failures: str
    """What fails in the jobs; empty: nothing."""
    skew_ms: int = 0
    """How far the node's clock is ahead of the database's."""


def beat(connection: Connection, heartbeat: Heartbeat) -> None:
    """Replace the node's last one."""
    values = {
        "node": heartbeat.node[:100],
        "at": heartbeat.at,
        "failures": heartbeat.failures[:1000],
        "skew_ms": max(-(2**31), min(heartbeat.skew_ms, 2**31 - 1)),
    }
    mine = update(worker_rounds).where(worker_rounds.c.node == values["node"])
    if connection.execute(mine, values).rowcount == 0:
        connection.execute(insert(worker_rounds), values)


def forget(connection: Connection, node: str) -> bool:
    """A node that ended or died; False: somebody else has forgotten it already."""
    gone = delete(worker_rounds).where(worker_rounds.c.node == node[:100])
    return connection.execute(gone).rowcount == 1


def newest(connection: Connection) -> Heartbeat | None:
    """Of whichever node."""
    query = select(worker_rounds).order_by(worker_rounds.c.at.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else Heartbeat(**row._mapping)


def every(connection: Connection) -> list[Heartbeat]:
    """Of every node that is not forgotten, by name."""
    rows = connection.execute(select(worker_rounds).order_by(worker_rounds.c.node))
    return [Heartbeat(**row._mapping) for row in rows]
