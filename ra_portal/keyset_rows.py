"""Pages by key read from a table, the oldest row first."""

from typing import Any

from sqlalchemy import Column, Connection, Select, tuple_

from ra_portal.keyset import Cut, Place, cut


def oldest_first(
    connection: Connection,
    query: Select[Any],
    at: Column[Any],
    identifier: Column[Any],
    length: int,
    after: Place | None,
    backwards: bool,
) -> Cut[Any]:
    """One page of `query`, whose rows hold `at` and `identifier`, behind `after` (before it when
    `backwards`)."""
    order = (at, identifier)
    if after is not None:
        here, there = tuple_(*order), tuple_(after.at, after.id)
        query = query.where(here < there if backwards else here > there)
    query = query.order_by(*(key.desc() if backwards else key for key in order))
    found = list(connection.execute(query.limit(length + 1)))
    names = at.name, identifier.name

    def place_of(row: Any) -> Place:
        return Place(*(row._mapping[name] for name in names))

    return cut(found[::-1] if backwards else found, length, place_of, after, backwards)
