"""Time passes: holders are told before the end, each day of the policy once."""

from datetime import timedelta

import pytest

from ca.inventory import CertificateState, Inventory
from ca.revocation import Revocation
from kernel.identifiers import Serial, parse_serial
from ra_portal.cards.card import Card, CardState
from ra_portal.notices.channels import Channel
from ra_portal.people.identity import Identity
from tests.ra_portal.world import PortalWorld, pkcs10


def told(portal: PortalWorld, owner: Identity, number: str = "E-001") -> Card:
    code = portal.operator(owner, employee_number=number).activation_code
    card = portal.services.enrolment.enrol(code, pkcs10()).card
    contact = {"phone": "+8613900000000", "email": "a@example.com"}
    portal.services.contacts.change(owner, card.number, contact)
    return card


def until(portal: PortalWorld, card: Card, **left: float) -> None:
    assert card.not_after is not None
    clock = portal.authority.clock
    clock.advance(card.not_after - timedelta(**left) - clock.now())


def test_holders_are_told_30_7_and_1_days_before_each_once(any_portal: PortalWorld) -> None:
    portal = any_portal
    card = told(portal, portal.legal_person())
    give = portal.services.expiry.give_notice
    seen = []
    for left in (31, 30, 29, 8, 7, 7, 6.5, 1, 0.5):
        until(portal, card, days=left)
        for _ in range(2):
            seen.append((left, give()))
    assert [left for left, count in seen if count] == [30, 7, 1]
    assert len(portal.sent(Channel.MAIL)) == len(portal.sent(Channel.SMS)) == 3
    assert [mail.subject.split(" / ")[1] for mail in portal.sent(Channel.MAIL)] == [
        f"Card {card.number} ends in {days} days" for days in (30, 7, 1)
    ]
    assert portal.events(card.number).count("card.notice-queued") == 3


def test_days_that_passed_unseen_are_not_made_up_one_by_one(portal: PortalWorld) -> None:
    card = told(portal, portal.legal_person())
    until(portal, card, hours=20)
    assert [portal.services.expiry.give_notice() for _ in range(3)] == [1, 0, 0]


def test_a_notice_that_could_not_be_sent_is_sent_in_a_later_round(any_portal: PortalWorld) -> None:
    """The card has had as many notices in a day as it may have."""
    portal = any_portal
    card = told(portal, portal.legal_person())
    until(portal, card, days=6)
    give, ways = portal.services.expiry.give_notice, list(Channel)
    values = {"card": card.number, "time": "-", "act_zh": "-", "act_en": "-"}
    with portal.authority.database.transaction() as connection:
        put = portal.services.notices.put
        for channel in ways:
            to = "+8613900000000" if channel is Channel.SMS else "a@example.com"
            while put(connection, channel, to, "card-moved", values, about=card.number):
                pass
    give()
    assert "card.notice-queued" not in portal.events(card.number)
    portal.authority.clock.advance(timedelta(days=1, seconds=1))
    assert [give(), give()] == [1, 0]
    assert portal.sent(Channel.MAIL)[-1].subject.endswith(f"Card {card.number} ends in 5 days")


def test_ended_cards_are_not_told_of(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    card = told(portal, owner)
    portal.services.life.report_loss(owner, card.number, "legal-person-card")
    until(portal, card, days=5)
    assert portal.services.expiry.give_notice() == 0


@pytest.mark.parametrize("in_time", [True, False])
def test_a_card_that_was_to_be_renewed_is_revoked_when_it_was_not(
    portal: PortalWorld, in_time: bool
) -> None:
    owner = portal.legal_person()
    card = told(portal, owner)
    portal.demand_renewal(card)
    portal.authority.clock.advance(timedelta(days=29 if in_time else 31))
    assert portal.services.expiry.end_overdue_renewals() == (0 if in_time else 1)
    now = portal.services.cards.show(owner, card.number)
    record = Inventory(portal.authority.database).by_serial(parse_serial(card.serial or ""))
    assert record is not None
    if in_time:
        assert (now.state, record.state) == (CardState.ACTIVE, CertificateState.ISSUED)
    else:
        assert (now.state, now.end_reason) == (CardState.REVOKED, "superseded")
        assert record.state is CertificateState.REVOKED
        assert portal.ended[-1].number == card.number


def test_one_overdue_card_that_fails_holds_no_other_up(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = portal.legal_person()
    first, second = sorted(
        (told(portal, owner, number) for number in ("E-001", "E-002")), key=lambda c: c.number
    )
    for card in (first, second):
        portal.demand_renewal(card)
    portal.authority.clock.advance(timedelta(days=31))
    revoke = Revocation.revoke

    def fail(self: Revocation, serial: Serial, *more: object) -> None:
        if serial == parse_serial(first.serial or ""):
            raise RuntimeError("this one is broken")
        revoke(self, serial, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(Revocation, "revoke", fail)
    assert portal.services.expiry.end_overdue_renewals(limit=1) == 1
    shown = portal.services.cards.show
    assert shown(owner, first.number).state is CardState.ACTIVE
    assert shown(owner, second.number).state is CardState.REVOKED
