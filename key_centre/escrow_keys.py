"""Which secret key of the centre's token wraps escrowed keys: one after the other, each a row.

Until there is a row the ceremony's key is in use, which every centre begins with.
"""

from datetime import datetime

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from kernel.refusals import Unavailable
from key_centre.tables import escrow_keys

_COLUMNS = escrow_keys.c


def current(connection: Connection, first: str) -> str:
    """Its label; `first`: the ceremony's."""
    query = select(_COLUMNS.label).where(_COLUMNS.retired_at.is_(None))
    return connection.execute(query).scalar_one_or_none() or first


def held(connection: Connection, first: str, at: datetime) -> str:
    """As `current`, and nobody retires it before this transaction is over.

    Raises Unavailable `escrow.unsettled`: it is being retired now.
    """
    query = select(_COLUMNS.label).where(_COLUMNS.retired_at.is_(None))
    locked = query.with_for_update(read=True)
    found = connection.execute(locked).scalar_one_or_none()
    if found is None and _begin(connection, first, at):
        found = connection.execute(locked).scalar_one_or_none()
    if found is None:
        raise Unavailable("escrow.unsettled", "the escrow key is being replaced; try again shortly")
    return str(found)


def replace(connection: Connection, first: str, new: str, at: datetime) -> str:
    """`new` takes the place of the one in use, whose label is returned."""
    old = held(connection, first, at)
    connection.execute(
        update(escrow_keys)
        .where(_COLUMNS.label == old, _COLUMNS.retired_at.is_(None))
        .values(retired_at=at)
    )
    connection.execute(insert(escrow_keys), {"label": new, "begun_at": at})
    return old


def former(connection: Connection) -> list[str]:
    """Labels of those that are in use no more; some may be destroyed."""
    query = select(_COLUMNS.label).where(_COLUMNS.retired_at.is_not(None))
    return list(connection.execute(query.order_by(_COLUMNS.begun_at)).scalars())


def _begin(connection: Connection, first: str, at: datetime) -> bool:
    """The first row of all. False: there are rows."""
    try:
        with connection.begin_nested():
            connection.execute(insert(escrow_keys), {"label": first, "begun_at": at})
    except IntegrityError:
        return False
    return True
