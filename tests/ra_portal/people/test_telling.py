"""Messages are written before the transaction that sends them: a slow token holds nobody up."""

from datetime import timedelta

import pytest

from ra_portal.applications import reminders
from ra_portal.people.identity import Role
from ra_portal.people.telling import written
from tests.ra_portal.applications.test_reminders import LATE, reachable, waiting
from tests.ra_portal.cards.test_expiry import told
from tests.ra_portal.cards.test_expiry import until as card_until
from tests.ra_portal.people.test_ending_rights import (
    AHEAD,
    LAST_MOMENT,
    enterprise,
    granted,
    operator,
    until,
)
from tests.ra_portal.token_calls import outside_transactions
from tests.ra_portal.world import PortalWorld


def test_officers_are_told_of_what_waits(
    any_portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = any_portal
    waiting(portal, 1, reachable(portal, "one@portseal.example"))
    reachable(portal, "head@portseal.example", role=Role.ADMINISTRATOR)
    portal.authority.clock.advance(LATE)
    with outside_transactions(portal.authority.database, monkeypatch, also_reading=True):
        assert portal.services.reminders.send() == 1
    portal.authority.clock.advance(timedelta(hours=72))
    with outside_transactions(portal.authority.database, monkeypatch, also_reading=True):
        assert portal.services.escalations.send() == 1


def test_what_is_moved_while_its_officers_message_is_written_is_not_reminded_of(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = reachable(portal, "one@portseal.example")
    reference = waiting(portal, 1, one)
    (identifier,) = portal.column("applications", "id")
    portal.authority.clock.advance(LATE)

    def moved_meanwhile(*arguments: object) -> object:
        portal.services.registration.register(one, identifier)
        return written(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(reminders, "written", moved_meanwhile)
        assert portal.services.reminders.send() == 0
    assert "application.reminded" not in portal.events(reference)
    portal.authority.clock.advance(LATE)
    assert portal.services.reminders.send() == 1


def test_holders_are_told_of_rights_and_cards_that_end_and_of_moves(
    any_portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal = any_portal
    owner, _ = enterprise(portal)
    granted(portal, owner, operator(portal, owner), LAST_MOMENT)
    until(portal, AHEAD)
    database = portal.authority.database
    with outside_transactions(database, monkeypatch, also_reading=True):
        assert portal.services.ending_rights.give_notice() == 1
    card = told(portal, owner, "E-002")
    card_until(portal, card, days=29)
    with outside_transactions(database, monkeypatch, also_reading=True):
        assert portal.services.expiry.give_notice() >= 1
    with outside_transactions(database, monkeypatch, also_reading=True):
        portal.services.life.freeze(owner, card.number, "mislaid")
