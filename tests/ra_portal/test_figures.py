"""The dashboard's figures: counted by the worker, read as one row, quick at any size."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select

from kernel.refusals import Forbidden
from ra_portal.cards.tables import card_moves, cards
from ra_portal.days import day_of
from ra_portal.people.identity import Role
from records.database import Database, new_id
from tests.ra_portal.world import PortalWorld, pkcs10

MANY = 50_000


def test_figures_tell_states_ends_and_moves(any_portal: PortalWorld) -> None:
    portal = any_portal
    owner, administrator = portal.legal_person(), portal.officer(Role.ADMINISTRATOR)
    figures = portal.services.figures
    assert figures.latest(administrator) is None
    codes = [portal.operator(owner, employee_number=f"E-{n}").activation_code for n in range(3)]
    made = [portal.services.enrolment.enrol(code, pkcs10()).card for code in codes]
    portal.services.life.freeze(owner, made[0].number, "leave")
    portal.services.life.report_loss(owner, made[1].number, "legal-person-card")
    figures.count()
    told = figures.latest(administrator)
    assert told is not None
    assert (told.cards["active"], told.cards["frozen"], told.cards["lost"]) == (1, 1, 1)
    assert told.made[-1][1] == 3
    assert told.moves["report-loss"][-1][1] == 1
    assert len(told.ending) == 12
    assert {each.what for each in told.waiting} >= {"applied", "recoveries"}
    for by in (owner, portal.officer(Role.REGISTRAR)):
        with pytest.raises(Forbidden, match=r"role\.missing"):
            figures.latest(by)


def test_a_month_is_counted_in_its_own_bar(portal: PortalWorld) -> None:
    code = portal.operator(portal.legal_person()).activation_code
    card = portal.services.enrolment.enrol(code, pkcs10()).card
    assert card.not_after is not None
    clock = portal.authority.clock
    clock.advance(card.not_after - timedelta(days=70) - clock.now())
    told = portal.services.figures.count()
    assert [month for month, count in told.ending if count] == [f"{day_of(card.not_after):%Y-%m}"]


def test_a_card_made_past_midnight_in_beijing_counts_for_the_new_day(portal: PortalWorld) -> None:
    clock = portal.authority.clock
    evening = clock.now().replace(hour=17, minute=5) + timedelta(days=1)
    code = portal.operator(portal.legal_person()).activation_code
    clock.advance(evening - clock.now())
    portal.services.enrolment.enrol(code, pkcs10())
    shown = (evening + timedelta(days=1)).date().isoformat()
    assert portal.services.figures.count().made[-1] == (shown, 1)


def steps(database: Database, work: Callable[[], object]) -> int:
    """Instructions of SQLite's virtual machine that its queries take."""
    counted = [0]

    def count() -> int:
        counted[0] += 1
        return 0  # go on

    def watch(connection: Connection, *_: object) -> None:
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(count, 1)

    event.listen(database.engine, "before_cursor_execute", watch)
    work()
    event.remove(database.engine, "before_cursor_execute", watch)
    return counted[0]


@pytest.mark.long
def test_reading_the_figures_and_finding_a_card_takes_no_more_with_many_cards(
    portal: PortalWorld,
) -> None:
    administrator, figures = portal.officer(Role.ADMINISTRATOR), portal.services.figures
    code = portal.operator(portal.legal_person()).activation_code
    card = portal.services.enrolment.enrol(code, pkcs10()).card
    figures.count()
    search = portal.services.cards.search
    works: list[Callable[[], object]] = [
        lambda: figures.latest(administrator),
        lambda: search(administrator, None, card.number),
    ]
    database = portal.authority.database
    few = [steps(database, work) for work in works]
    now = portal.authority.clock.now()
    with database.transaction() as connection:
        mine = select(cards).where(cards.c.number == card.number)
        pattern = dict(connection.execute(mine).one()._mapping)
        rows = [
            {
                **pattern,
                "id": new_id(),
                "number": f"XX-{number}",
                "holder_id": new_id(),
                "live_holder": None,
                "activation_hash": None,
                "serial": None,
                "fingerprint": None,
                "state": "active",
                "not_after": now + timedelta(days=number % 700),
                "activated_at": now - timedelta(days=number % 300),
                "requested_at": now - timedelta(minutes=number),
            }
            for number in range(MANY)
        ]
        connection.execute(insert(cards), rows)
        moves = [
            {"card": row["number"], "at": now, "move": "revoke", "actor": "x", "why": "x"}
            for row in rows
        ]
        connection.execute(insert(card_moves), moves)
    assert figures.count().cards["active"] >= MANY
    many = [steps(database, work) for work in works]
    assert all(few)
    assert all(after < 2 * before for before, after in zip(few, many, strict=True)), (few, many)
