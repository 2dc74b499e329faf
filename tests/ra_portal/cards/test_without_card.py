"""A holder without the card: by a code to the registered telephone or mail address."""

import re
from datetime import timedelta

import pytest

from kernel.refusals import Conflict, Forbidden, Unauthenticated
from ra_portal.cards.card import Card, CardState
from ra_portal.cards.one_time_codes import MOST_IN_AN_HOUR, MOST_TRIES, Purpose
from ra_portal.fields import InvalidFields
from ra_portal.notices.channels import Channel
from ra_portal.people.identity import Identity, Role
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, pkcs10

REACHED = {"phone": "+86 139 0000 0000", "email": "operator@example.com"}


def reachable(portal: PortalWorld, owner: Identity, number: str = "E-001") -> Card:
    """An operator's card, the operator's telephone registered by the enterprise."""
    added = portal.operator(owner, employee_number=number)
    card = portal.services.enrolment.enrol(added.activation_code, pkcs10()).card
    portal.services.contacts.change(owner, card.number, REACHED)
    return card


def code_of(portal: PortalWorld, channel: Channel = Channel.SMS) -> str:
    found = re.search(r"\b\d{8}\b", portal.sent(channel)[-1].text)
    assert found is not None
    return found[0]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**8:08d}"


@pytest.mark.parametrize("channel", list(Channel))
def test_a_loss_is_reported_with_nothing_but_the_telephone(
    any_portal: PortalWorld, channel: Channel
) -> None:
    portal = any_portal
    card = reachable(portal, portal.legal_person())
    asked = portal.services.without_card.request(Purpose.LOSS, channel, card.number.lower())
    code = code_of(portal, channel)
    assert portal.post[channel].letters[-1].to == REACHED["phone" if channel == "sms" else "email"]
    lost = portal.services.without_card.act(asked, f" {code[:4]} {code[4:]} ")
    assert (lost.number, lost.state) == (card.number, CardState.LOST)
    assert portal.ended == [lost]
    assert "reported lost" in portal.sent(Channel.MAIL)[-1].text, "the holder is told"
    assert "card.loss-timestamped" in portal.events(card.number)
    with pytest.raises(Unauthenticated, match=r"code\.refused"):
        portal.services.without_card.act(asked, code)


def test_who_does_not_know_the_number_names_enterprise_and_employee(
    portal: PortalWorld,
) -> None:
    card = reachable(portal, portal.legal_person(1), "E-017")
    asked = portal.services.without_card.request(
        Purpose.FREEZE, Channel.SMS, uscc=samples.uscc(1), employee="E-017"
    )
    frozen = portal.services.without_card.act(asked, code_of(portal))
    assert (frozen.number, frozen.state) == (card.number, CardState.FROZEN)
    again = portal.services.without_card.request(Purpose.UNFREEZE, Channel.SMS, card.number)
    assert portal.services.without_card.act(again, code_of(portal)).state is CardState.ACTIVE


def test_the_legal_person_is_reached_as_the_application_said(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    own = portal.services.operators.home(owner).card
    assert own is not None
    _, code = portal.services.cards.new_activation_code(
        portal.officer(Role.ADMINISTRATOR), own.number
    )
    code = portal.services.cards.confirm_code(portal.officer(Role.APPROVER), own.number)[1]
    portal.services.enrolment.enrol(code, pkcs10())
    asked = portal.services.without_card.request(Purpose.LOSS, Channel.MAIL, uscc=samples.uscc())
    lost = portal.services.without_card.act(asked, code_of(portal, Channel.MAIL))
    assert lost.number == own.number


def test_what_an_officer_froze_no_telephone_unfreezes(portal: PortalWorld) -> None:
    card = reachable(portal, portal.legal_person())
    portal.services.life.freeze(portal.officer(Role.ADMINISTRATOR), card.number, "investigation")
    asked = portal.services.without_card.request(Purpose.UNFREEZE, Channel.SMS, card.number)
    with pytest.raises(Forbidden, match=r"card\.frozen-by-higher"):
        portal.services.without_card.act(asked, code_of(portal))


def test_a_code_is_for_one_act_on_one_card_for_ten_minutes(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    one, two = reachable(portal, owner, "E-1"), reachable(portal, owner, "E-2")
    act, ask = portal.services.without_card.act, portal.services.without_card.request
    first = ask(Purpose.FREEZE, Channel.SMS, one.number)
    code = code_of(portal)
    second = ask(Purpose.LOSS, Channel.SMS, two.number)
    code_of(portal)
    with pytest.raises(Unauthenticated):
        act(second, code)
    assert act(first, code).number == one.number
    portal.authority.clock.advance(timedelta(minutes=10))
    with pytest.raises(Unauthenticated):
        act(second, code_of(portal))
    assert portal.services.cards.show(owner, two.number).state is CardState.ACTIVE


def test_guessing_ends_after_a_few_tries(portal: PortalWorld) -> None:
    card = reachable(portal, portal.legal_person())
    asked = portal.services.without_card.request(Purpose.LOSS, Channel.SMS, card.number)
    code = code_of(portal)
    for _ in range(MOST_TRIES):
        with pytest.raises(Unauthenticated):
            portal.services.without_card.act(asked, wrong(code))
    with pytest.raises(Unauthenticated):
        portal.services.without_card.act(asked, code)
    refused = "card.one-time-code-refused"
    assert portal.events(card.number).count(refused) == MOST_TRIES


def test_an_hour_has_three_codes(portal: PortalWorld) -> None:
    card = reachable(portal, portal.legal_person())
    for _ in range(MOST_IN_AN_HOUR + 2):
        portal.services.without_card.request(Purpose.LOSS, Channel.SMS, card.number)
    assert len(portal.sent(Channel.SMS)) == MOST_IN_AN_HOUR


def test_a_stranger_learns_nothing_of_what_is_there(portal: PortalWorld) -> None:
    request = portal.services.without_card.request
    portal.operator(portal.legal_person(), employee_number="E-9")  # its card is not made
    for named in (
        {"card": "OP-2026-22222222"},
        {"card": "' OR 1=1"},
        {"uscc": samples.uscc(), "employee": "E-9"},
        {"uscc": samples.uscc(7)},
        {},
    ):
        asked = request(Purpose.LOSS, Channel.SMS, **named)
        assert re.fullmatch(r"[0-9a-f]{32}", asked)
        with pytest.raises(Unauthenticated, match=r"code\.refused"):
            portal.services.without_card.act(asked, "12345678")
    assert portal.sent(Channel.SMS) == []


def test_contacts_are_masked_and_those_reached_before_are_told(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    card = reachable(portal, owner)
    shown = portal.services.contacts.show(owner, card.number)
    assert (shown.phone, shown.email) == ("+86****00", "o***@example.com")
    portal.services.contacts.change(owner, card.number, {"phone": "", "email": "new@example.com"})
    assert portal.sent(Channel.SMS)[-1].to == REACHED["phone"]
    assert portal.sent(Channel.MAIL)[-1].to == REACHED["email"]
    with pytest.raises(InvalidFields):
        portal.services.contacts.change(owner, card.number, {"phone": "abc"})
    for by in (portal.legal_person(2), portal.officer(Role.REGISTRAR)):
        with pytest.raises(Forbidden):
            portal.services.contacts.show(by, card.number)


def test_a_lost_card_cannot_be_lost_again(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    card = reachable(portal, owner)
    asked = portal.services.without_card.request(Purpose.LOSS, Channel.SMS, card.number)
    code = code_of(portal)
    portal.services.life.report_loss(owner, card.number, "legal-person-card")
    with pytest.raises(Conflict, match=r"card\.state"):
        portal.services.without_card.act(asked, code)
