"""Notices through the outbox: sealed while they wait, forgotten when they have gone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from kernel.refusals import Unavailable
from ra_portal.notices.channels import Channel, Letter
from ra_portal.notices.notices import MOST_IN_A_DAY
from ra_portal.notices.tables import notices
from ra_portal.people.identity import Role
from records.outbox import Deferred, Undeliverable
from records.tables import outbox
from tests.ra_portal.world import PortalWorld

VALUES = {"card": "OP-1", "time": "2026-11-29 09:00", "act_zh": "冻结", "act_en": "frozen"}
VALUES["origin"] = "https://id.example"


def put(portal: PortalWorld, to: str = "a@example.com", **more: timedelta) -> bool:
    with portal.authority.database.transaction() as connection:
        return portal.services.notices.put(
            connection, Channel.MAIL, to, "card-moved", VALUES, about="OP-1", **more
        )


def rows(portal: PortalWorld) -> list[tuple[str | None, bool]]:
    """Outcome, and whether the contents are still there."""
    query = select(notices.c.outcome, notices.c.sealed).order_by(notices.c.created_at, notices.c.id)
    with portal.authority.database.reading() as connection:
        return [(row.outcome, row.sealed is not None) for row in connection.execute(query)]


def behave(portal: PortalWorld, mood: Callable[[Letter], None]) -> None:
    portal.post[Channel.MAIL].mood = mood


def test_a_waiting_notice_shows_neither_address_nor_words(any_portal: PortalWorld) -> None:
    portal = any_portal
    assert put(portal, "who-is-told@example.com")
    with portal.authority.database.reading() as connection:
        sealed = connection.execute(select(notices.c.sealed)).scalar_one()
        payload = connection.execute(select(outbox.c.payload)).scalars().all()
    for text in (bytes(sealed), *(p.encode() for p in payload)):
        assert b"who-is-told" not in text
        assert "冻结".encode() not in text
    (letter,) = portal.sent(Channel.MAIL)
    assert letter.to == "who-is-told@example.com"
    assert "冻结" in letter.text
    assert rows(portal) == [("sent", False)]
    assert portal.sent(Channel.MAIL) == [letter]


def test_one_that_is_put_off_holds_up_no_other(portal: PortalWorld) -> None:
    gone: list[str] = []

    def greylisting(letter: Letter) -> None:
        if letter.to == "slow@example.com" and not gone:
            raise Deferred("450")
        gone.append(letter.to)

    behave(portal, greylisting)
    put(portal, "slow@example.com")
    put(portal, "quick@example.com")
    portal.services.notices.deliver()
    assert gone == ["quick@example.com"]
    portal.services.notices.deliver()
    assert gone == ["quick@example.com"], "it waits before it is tried again"
    portal.authority.clock.advance(timedelta(seconds=2))
    portal.services.notices.deliver()
    assert gone == ["quick@example.com", "slow@example.com"]


def test_when_the_server_is_away_all_wait_and_come(portal: PortalWorld) -> None:
    def away(letter: Letter) -> None:
        raise Unavailable("mail.unavailable", "the mail server does not answer")

    behave(portal, away)
    for number in range(3):
        put(portal, f"{number}@example.com")
    mail = portal.services.notices.deliver()[0]
    assert (mail.delivered, mail.waiting, mail.refused) == (0, 3, 0)
    for _ in range(20):
        portal.authority.clock.advance(timedelta(minutes=6))
        portal.services.notices.deliver()
    gone: list[str] = []
    behave(portal, lambda letter: gone.append(letter.to))
    portal.authority.clock.advance(timedelta(minutes=6))
    portal.services.notices.deliver()
    assert sorted(gone) == ["0@example.com", "1@example.com", "2@example.com"]


def test_a_refused_one_is_a_dead_letter_until_somebody_decides(portal: PortalWorld) -> None:
    def refusing(letter: Letter) -> None:
        raise Undeliverable("550")

    behave(portal, refusing)
    put(portal)
    put(portal, "b@example.com")
    portal.services.notices.deliver()
    administrator, letters = portal.officer(Role.ADMINISTRATOR), portal.services.dead_letters
    found = letters.all(administrator)
    assert [(each.channel, "550" in each.failure) for each in found] == [
        ("notice-mail", True),
        ("notice-mail", True),
    ]
    gone: list[str] = []
    behave(portal, lambda letter: gone.append(letter.to))
    letters.discard(administrator, found[0].id)
    assert [kept for _, kept in rows(portal)].count(False) == 1
    letters.try_again(administrator, found[1].id)
    portal.services.notices.deliver()
    assert gone == ["a@example.com"]
    assert letters.all(administrator) == []
    assert portal.events(f"letter:{found[0].id}") == ["letter.discarded"]


def test_a_refused_one_is_forgotten_when_its_time_is_over(portal: PortalWorld) -> None:
    def refusing(letter: Letter) -> None:
        raise Undeliverable("550")

    behave(portal, refusing)
    put(portal, lifetime=timedelta(minutes=10))
    put(portal, "b@example.com")
    portal.services.notices.deliver()
    assert portal.services.notices.forget_expired() == 0
    portal.authority.clock.advance(timedelta(minutes=10))
    assert portal.services.notices.forget_expired() == 1
    assert sorted(map(str, rows(portal))) == ["('expired', False)", "('refused', True)"]


def test_a_notice_that_came_too_late_is_not_sent(portal: PortalWorld) -> None:
    put(portal, lifetime=timedelta(minutes=10))
    portal.authority.clock.advance(timedelta(minutes=10))
    assert portal.sent(Channel.MAIL) == []
    assert rows(portal) == [("expired", False)]


def test_nobody_is_flooded(portal: PortalWorld) -> None:
    assert [put(portal) for _ in range(MOST_IN_A_DAY + 1)][-2:] == [True, False]
    portal.authority.clock.advance(timedelta(days=1, seconds=1))
    assert put(portal)


def test_a_template_without_its_values_is_a_mistake_of_ours(portal: PortalWorld) -> None:
    with (
        portal.authority.database.transaction() as connection,
        pytest.raises(ValueError, match="lacks"),
    ):
        portal.services.notices.put(
            connection, Channel.MAIL, "a@example.com", "card-moved", {}, about="OP-1"
        )
