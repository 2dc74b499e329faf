"""Many rows by one statement are the rows that one by one would be."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, insert, select

from kernel.refusals import Malformed
from records.bulk import insert_rows
from records.database import Database
from records.events import Event
from records.tables import journal, outbox


def test_rows_arrive_as_one_by_one(any_database: Database) -> None:
    now = datetime(2026, 2, 3, 4, 5, 6, 789, UTC)
    rows = [
        {
            "channel": f"频道 '{number}",
            "payload": 'x"\\{,}' * number,
            "created_at": now,
            "due_at": now,
            "attempts": number,
            "refusals": 0,
            "failure": None if number % 2 else Event.CARD_MADE,
        }
        for number in range(40)
    ]
    found = []
    for put in (
        insert_rows,
        lambda connection, table, rows: connection.execute(insert(table), rows),
    ):
        with any_database.transaction() as connection:
            put(connection, outbox, rows)
            columns = [outbox.c[name] for name in rows[0]]
            found.append(connection.execute(select(*columns).order_by(outbox.c.attempts)).all())
            connection.execute(delete(outbox))
    assert found[0] == found[1]
    assert found[0][2].failure == "card.made"


def test_the_columns_limits_hold(any_database: Database) -> None:
    record = {"at": "x" * 90, "event": "e", "subject": "s", "actor": "a", "facts": "{}"}
    rows = [{**record, "position": number, "hash": b"\0" * 32} for number in range(1, 20)]
    if any_database.is_sqlite:  # which limits no text
        return
    with pytest.raises(Malformed, match=r"request\.malformed"):
        with any_database.transaction() as connection:
            insert_rows(connection, journal, rows)
