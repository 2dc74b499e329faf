"""The past that the pictures are given fills what the administrators' dashboard draws."""

from datetime import UTC, datetime

from kernel.clock import FixedClock
from portseal.demo.people import ENTERPRISE
from ra_portal.cards.card import CardState
from ra_portal.figures import Dashboard, Figures
from ra_portal.people import people_rows
from ra_portal.people.people import Enterprise
from records.database import Database, new_id
from records.outbox import Outbox
from tests.portseal.gallery_register import live_in

_TOLD = ("uscc", "name", "customs_code", "legal_representative", "region")
NOW = datetime(2026, 11, 30, 8, 30, tzinfo=UTC)


def counted(database: Database) -> Dashboard:
    clock = FixedClock(NOW)
    return Figures(database, Outbox(clock), clock).count()


def test_every_chart_has_bars_and_every_state_cards(database: Database) -> None:
    live_in(database, NOW)
    told = counted(database)
    assert {state for state, count in told.cards.items() if count == 0} == {CardState.REQUESTED}
    assert all(count for _, count in told.ending[1:]), "cards end in every month to come"
    assert sum(1 for _, count in told.made if count) > 20
    assert all(sum(count for _, count in days) >= 3 for days in told.moves.values())


def test_the_demonstrations_enterprise_gets_operators(database: Database) -> None:
    uscc, name, customs_code, representative, region = (ENTERPRISE[each] for each in _TOLD)
    ours = Enterprise(new_id(), uscc, name, customs_code, representative, region, NOW)
    with database.transaction() as connection:
        people_rows.add_enterprise(connection, ours)
    live_in(database, NOW)
    with database.reading() as connection:
        assert people_rows.count_operators(connection, ours.id) == 8
