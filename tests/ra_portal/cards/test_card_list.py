"""The officers' list of cards: pages by key, on both databases."""

from datetime import timedelta

from sqlalchemy import insert, text

from ra_portal.cards import card_rows
from ra_portal.cards.card import CardState
from ra_portal.cards.cards import PAGE_LENGTH
from ra_portal.cards.tables import cards
from ra_portal.keyset import Place
from ra_portal.people.identity import HolderKind, Role
from records.database import new_id
from tests.plans import plan_of
from tests.ra_portal.world import PortalWorld


def fill(portal: PortalWorld, count: int) -> None:
    """Cards by the hundred, three of each second; every other one is asked for."""
    now = portal.authority.clock.now()
    rows = [
        {
            "id": new_id(),
            "number": f"OP-2020-{number:06d}",
            "holder_kind": str(HolderKind.OPERATOR),
            "holder_id": new_id(),
            "state": str(CardState.REQUESTED if number % 2 else CardState.REVOKED),
            "requested_at": now - timedelta(seconds=1 + number // 3),
            "failed_attempts": 0,
            "version": 1,
        }
        for number in range(count)
    ]
    with portal.authority.database.transaction() as connection:
        connection.execute(insert(cards), rows)
        if not portal.authority.database.is_sqlite:
            connection.execute(text("ANALYZE cards"))


def test_pages_follow_each_other_newest_first_and_back(any_portal: PortalWorld) -> None:
    fill(any_portal, 150)
    listed, officer = any_portal.services.cards, any_portal.officer(Role.ADMINISTRATOR)
    for state, count in ((CardState.REVOKED, 75), (CardState.REQUESTED, 75)):
        pages = [listed.search(officer, state)]
        while (later := pages[-1].later) is not None:
            pages.append(listed.search(officer, state, after=later))
        seen = [card for page in pages for card, _ in page.cards]
        own = [card for card in seen if card.number.startswith("OP-2020-")]
        assert len(own) == len({card.id for card in own}) == count
        assert {card.state for card in seen} == {state}
        assert seen == sorted(seen, key=lambda each: (each.requested_at, each.id), reverse=True)
        assert all(len(page.cards) == PAGE_LENGTH for page in pages[:-1])
        assert all(page.total == len(seen) for page in pages)
        back = listed.search(officer, state, after=pages[1].earlier, backwards=True)
        assert (back.cards, back.earlier) == (pages[0].cards, None)


def test_a_page_far_behind_costs_what_the_first_does(any_portal: PortalWorld) -> None:
    """It is read along an index, from its place on: nothing is sorted and nothing skipped."""
    fill(any_portal, 3000)
    some = Place(any_portal.authority.clock.now() - timedelta(seconds=900), "0" * 32)
    for backwards in (False, True):
        plan = plan_of(
            any_portal.authority.database, card_rows.walk(PAGE_LENGTH + 1, some, backwards)
        )
        assert "ix_cards_requested" in plan, plan
        for slow in ("SCAN cards", "Seq Scan", "Sort", "TEMP B-TREE"):
            assert slow not in plan, plan
