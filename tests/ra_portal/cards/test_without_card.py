"""A holder without the card: by a code to the registered telephone or mail address."""

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, update

from kernel.refusals import Conflict, Forbidden, Unauthenticated
from ra_portal.cards.card import Card, CardState
from ra_portal.cards.one_time_codes import Purpose
from ra_portal.fields import InvalidFields
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import MOST_IN_A_DAY as MOST_NOTICES
from ra_portal.notices.notices import Notices, SealedNotice
from ra_portal.people.identity import Identity, Role
from ra_portal.shared_codes.codes import (
    LIFETIME,
    MOST_MESSAGES,
    MOST_TOLD,
    MOST_TRIES,
    PATIENCE,
    SHARED,
    SharedCodes,
)
from records.tables import outbox
from tests.at_once import at_once
from tests.ra_portal import samples
from tests.ra_portal.token_calls import outside_transactions, token_calls
from tests.ra_portal.world import PortalWorld, pkcs10

REACHED = {"phone": "+86 139 0000 0000", "email": "operator@example.com"}


def reachable(portal: PortalWorld, owner: Identity, number: str = "E-001") -> Card:
    """An operator's card, the operator's telephone registered by the enterprise."""
    added = portal.operator(owner, employee_number=number)
    card = portal.services.enrolment.enrol(added.activation_code, pkcs10()).card
    portal.services.contacts.change(owner, card.number, REACHED)
    return card


def code_of(portal: PortalWorld, channel: Channel = Channel.SMS) -> str:
    found = re.search(r"\b\d{4} \d{4} \d{4}\b", portal.sent(channel)[-1].text)
    assert found is not None
    return found[0].replace(" ", "")


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**12:012d}"


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
    own = portal.services.operators.page(owner).card
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


def test_a_code_is_for_one_act_on_one_card_for_half_an_hour(portal: PortalWorld) -> None:
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
    code = code_of(portal)
    portal.authority.clock.advance(LIFETIME)
    with pytest.raises(Unauthenticated):
        act(second, code)
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


def strangers(portal: PortalWorld, card: Card, purpose: Purpose, count: int = 12) -> list[str]:
    """They know the card's number and ask from everywhere."""
    ask = portal.services.without_card.request
    return [ask(purpose, Channel.SMS, card.number) for _ in range(count)]


@pytest.mark.parametrize("minutes", [1, 19, 21, 45])
def test_whoever_asked_before_the_holder_can_report_the_loss(
    any_portal: PortalWorld, minutes: int
) -> None:
    portal = any_portal
    card = reachable(portal, portal.legal_person())
    since = portal.authority.clock.now()
    while portal.authority.clock.now() - since < timedelta(minutes=minutes):
        strangers(portal, card, Purpose.LOSS, 2)
        portal.sent(Channel.SMS)
        portal.authority.clock.advance(timedelta(minutes=2 if minutes > 2 else 1))
    asked = portal.services.without_card.request(Purpose.LOSS, Channel.SMS, card.number)
    code = code_of(portal)  # the last that reached the telephone
    portal.authority.clock.advance(PATIENCE - timedelta(seconds=1))
    assert portal.services.without_card.act(asked, code).state is CardState.LOST


def test_strangers_have_few_messages_sent(any_portal: PortalWorld) -> None:
    portal = any_portal
    card = reachable(portal, portal.legal_person())
    for _ in range(12):
        strangers(portal, card, Purpose.LOSS, 2)
        portal.sent(Channel.SMS)
        portal.authority.clock.advance(timedelta(minutes=5))
    codes = [letter.text for letter in portal.sent(Channel.SMS)]
    assert len(codes) == MOST_MESSAGES * (timedelta(hours=1) // SHARED)


def test_whom_the_first_message_did_not_reach_gets_the_same_code_once_more(
    portal: PortalWorld,
) -> None:
    card, clock = reachable(portal, portal.legal_person()), portal.authority.clock
    request = portal.services.without_card.request
    request(Purpose.LOSS, Channel.SMS, card.number)
    first = code_of(portal)
    request(Purpose.LOSS, Channel.SMS, card.number)
    assert len(portal.sent(Channel.SMS)) == 1, "it may still be on its way"
    clock.advance(timedelta(minutes=2))
    again = request(Purpose.LOSS, Channel.SMS, card.number)
    assert (code_of(portal), len(portal.sent(Channel.SMS))) == (first, 2)
    assert "28" in portal.sent(Channel.SMS)[-1].text, "the message says how long it still holds"
    request(Purpose.LOSS, Channel.MAIL, card.number)
    assert code_of(portal, Channel.MAIL) != first, "another channel has codes of its own"
    assert portal.services.without_card.act(again, first).state is CardState.LOST


def test_what_strangers_guess_uses_up_nothing_of_the_holders(portal: PortalWorld) -> None:
    card = reachable(portal, portal.legal_person())
    others = strangers(portal, card, Purpose.LOSS, 6)
    code = code_of(portal)
    for other in others:
        for _ in range(MOST_TRIES):
            with pytest.raises(Unauthenticated):
                portal.services.without_card.act(other, wrong(code))
        with pytest.raises(Unauthenticated):
            portal.services.without_card.act(other, code)
    assert portal.events(card.number).count("card.one-time-code-refused") == MOST_TOLD
    asked = portal.services.without_card.request(Purpose.LOSS, Channel.SMS, card.number)
    portal.sent(Channel.SMS)
    assert portal.services.without_card.act(asked, code).state is CardState.LOST


def test_a_code_that_several_share_acts_once(portal: PortalWorld) -> None:
    card = reachable(portal, portal.legal_person())
    act = portal.services.without_card.act
    one, other = strangers(portal, card, Purpose.FREEZE, 2)
    code = code_of(portal)
    assert act(one, code).state is CardState.FROZEN
    (thaw,) = strangers(portal, card, Purpose.UNFREEZE, 1)
    act(thaw, code_of(portal))
    with pytest.raises(Unauthenticated):
        act(other, code)
    (again,) = strangers(portal, card, Purpose.FREEZE, 1)
    assert act(again, code_of(portal)).state is CardState.FROZEN, "the next has a code of its own"


def test_with_the_legal_person_card_a_loss_is_reported_whatever_strangers_do(
    portal: PortalWorld,
) -> None:
    owner = portal.legal_person()
    card = reachable(portal, owner)
    for asked in strangers(portal, card, Purpose.LOSS):
        portal.sent(Channel.SMS)
        with pytest.raises(Unauthenticated):
            portal.services.without_card.act(asked, "000000000000")
    lost = portal.services.life.report_loss(owner, card.number, "legal-person-card")
    assert lost.state is CardState.LOST


def test_who_asks_for_codes_all_day_keeps_nobody_from_freezing_or_reporting_the_loss(
    portal: PortalWorld,
) -> None:
    """And the telephone gets no more messages than two for each code."""
    card, clock = reachable(portal, portal.legal_person()), portal.authority.clock
    hours = 12  # a thief, for half a day
    for _ in range(hours):
        for purpose in (Purpose.FREEZE, Purpose.UNFREEZE):
            strangers(portal, card, purpose, 2)
        portal.sent(Channel.SMS)
        clock.advance(timedelta(hours=1))
    assert len(portal.sent(Channel.SMS)) == 2 * hours
    for purpose, state in (
        (Purpose.FREEZE, CardState.FROZEN),
        (Purpose.UNFREEZE, CardState.ACTIVE),
        (Purpose.LOSS, CardState.LOST),
    ):
        asked = portal.services.without_card.request(purpose, Channel.SMS, card.number)
        assert portal.services.without_card.act(asked, code_of(portal)).state is state


def test_codes_that_strangers_ask_for_use_up_no_notice_that_the_holder_must_have(
    portal: PortalWorld,
) -> None:
    owner = portal.legal_person()
    card, clock = reachable(portal, owner), portal.authority.clock
    for _ in range(MOST_NOTICES):
        portal.services.without_card.request(Purpose.LOSS, Channel.SMS, card.number)
        portal.sent(Channel.SMS)
        clock.advance(SHARED + timedelta(minutes=1))
    assert len(portal.sent(Channel.SMS)) == MOST_NOTICES
    changed = {"phone": "+86 139 0000 0001", "email": REACHED["email"]}
    portal.services.contacts.change(owner, card.number, changed)
    assert "变更联系方式" in portal.sent(Channel.SMS)[-1].text


def test_asking_and_guessing_are_the_same_work_whether_there_is_a_card(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token, and the rows that are written, would tell a stranger by the time they take."""
    card = reachable(portal, portal.legal_person())
    written: list[str] = []
    deeds: list[list[str]] = []

    def see(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")):
            written.append(" ".join(statement.split()[:3]))

    engine = portal.authority.database.engine
    event.listen(engine, "before_cursor_execute", see)
    try:
        for number in (card.number, "OP-2026-22222222"):
            with token_calls(monkeypatch) as calls:
                asked = portal.services.without_card.request(Purpose.LOSS, Channel.SMS, number)
                assert calls == []
                portal.sent(Channel.SMS)
                calls.clear()
                deeds.append(written[:1])
                written.clear()
                with pytest.raises(Unauthenticated):
                    portal.services.without_card.act(asked, "1")
            tried = [deed for deed in written if "journal" not in deed]
            deeds.append([*calls, *tried])
            written.clear()
    finally:
        event.remove(engine, "before_cursor_execute", see)
    known, nobody = deeds[:2], deeds[2:]
    assert known == nobody
    assert known == [["INSERT INTO outbox"], ["decrypt", "UPDATE one_time_codes SET"]]


def test_nobodys_code_opens_nothing(portal: PortalWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SharedCodes, "_new_code", lambda self: "123456789012")
    asked = portal.services.without_card.request(Purpose.LOSS, Channel.SMS, "OP-2026-22222222")
    portal.sent(Channel.SMS)
    with pytest.raises(Unauthenticated, match=r"code\.refused"):
        portal.services.without_card.act(asked, "123456789012")


def test_a_code_is_sent_once_and_not_when_nobody_waits_for_it_any_more(
    portal: PortalWorld,
) -> None:
    card = reachable(portal, portal.legal_person())
    services, database = portal.services, portal.authority.database
    services.without_card.request(Purpose.LOSS, Channel.SMS, card.number)
    portal.sent(Channel.SMS)
    with database.transaction() as connection:  # as if its worker had died before it said so
        connection.execute(update(outbox).values(delivered_at=None, due_at=outbox.c.created_at))
    assert len(portal.sent(Channel.SMS)) == 1
    services.without_card.request(Purpose.LOSS, Channel.SMS, card.number)
    portal.authority.clock.advance(PATIENCE)
    assert len(portal.sent(Channel.SMS)) == 1


def test_the_token_is_asked_before_anything_is_locked(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = portal.legal_person()
    card, database = reachable(portal, owner), portal.authority.database
    with outside_transactions(database, monkeypatch):
        portal.services.contacts.change(owner, card.number, {**REACHED, "phone": "+8613900000001"})
    with outside_transactions(database, monkeypatch, also_reading=True):
        asked = portal.services.without_card.request(Purpose.FREEZE, Channel.SMS, card.number)
        portal.services.without_card.send_codes()
    code = code_of(portal)
    with outside_transactions(database, monkeypatch), pytest.raises(Unauthenticated):
        portal.services.without_card.act(asked, wrong(code))
    with outside_transactions(database, monkeypatch):
        assert portal.services.without_card.act(asked, code).state is CardState.FROZEN


def test_a_contact_that_somebody_else_just_changed_is_not_overwritten(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = portal.legal_person()
    card, contacts = reachable(portal, owner), portal.services.contacts
    portal.authority.clock.advance(timedelta(minutes=1))
    seal = Notices.seal

    def meanwhile(*arguments: Any, **named: Any) -> SealedNotice:
        monkeypatch.undo()
        contacts.change(owner, card.number, {**REACHED, "phone": "+8613900000001"})
        return seal(*arguments, **named)

    monkeypatch.setattr(Notices, "seal", meanwhile)
    with pytest.raises(Conflict, match=r"contact\.changed"):
        contacts.change(owner, card.number, {**REACHED, "phone": "+8613900000002"})
    assert contacts.show(owner, card.number).phone == "+86****01"


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


# -- several at the same time ----------------------------------------------------------------------


def test_a_code_is_sent_no_oftener_when_many_ask_at_once(postgresql_portal: PortalWorld) -> None:
    portal = postgresql_portal
    card = reachable(portal, portal.legal_person())
    before, codes = len(portal.sent(Channel.SMS)), portal.services.without_card
    at_once(*(lambda: codes.request(Purpose.LOSS, Channel.SMS, card.number),) * 8)
    at_once(*(lambda: codes.send_codes(at_once=True),) * 4)  # the workers of four nodes
    assert len(portal.sent(Channel.SMS)) - before == 1


def test_a_code_takes_so_many_tries_also_at_once(postgresql_portal: PortalWorld) -> None:
    portal = postgresql_portal
    card = reachable(portal, portal.legal_person())
    asked = portal.services.without_card.request(Purpose.LOSS, Channel.SMS, card.number)
    code = code_of(portal)
    refused = at_once(*(lambda: portal.services.without_card.act(asked, wrong(code)),) * 10)
    assert [type(each) for each in refused] == [Unauthenticated] * 10
    assert portal.events(card.number).count("card.one-time-code-refused") == MOST_TRIES
    with pytest.raises(Unauthenticated):
        portal.services.without_card.act(asked, code)


def test_a_code_that_comes_twice_at_once_acts_once(postgresql_portal: PortalWorld) -> None:
    portal = postgresql_portal
    card = reachable(portal, portal.legal_person())
    asked = portal.services.without_card.request(Purpose.LOSS, Channel.SMS, card.number)
    code = code_of(portal)
    refused = at_once(*(lambda: portal.services.without_card.act(asked, code),) * 6)
    assert [type(each) for each in refused] == [Unauthenticated] * 5
    assert [lost.number for lost in portal.ended] == [card.number]
