"""Another access code: made with two codes by two ways, and with nothing less."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event

from kernel.refusals import Unauthenticated
from ra_portal.applications.access_again import _names
from ra_portal.applications.registration import Submitted
from ra_portal.fields import InvalidFields
from ra_portal.notices.channels import Channel
from ra_portal.notices.notices import MOST_IN_A_DAY
from ra_portal.people.contact import Contact
from ra_portal.people.identity import Role
from ra_portal.shared_codes.codes import (
    LIFETIME,
    MOST_MESSAGES,
    MOST_TOLD,
    MOST_TRIES,
    PATIENCE,
    SHARED,
)
from tests.at_once import at_once
from tests.ra_portal import samples
from tests.ra_portal.token_calls import outside_transactions, token_calls
from tests.ra_portal.world import PortalWorld, pkcs10

PHONE, MAIL = "+86 139 5508 7731", "office@sample.example"
NOWHERE = "AP-2026-22222222"


@dataclass(frozen=True)
class Halves:
    sms: str
    mail: str


def applied(portal: PortalWorld, **changes: str) -> Submitted:
    details = samples.details(1, **{"phone": PHONE, "email": MAIL, **changes})
    return portal.services.registration.apply(details, samples.scan())


def ask(portal: PortalWorld, reference: str, contact: str = MAIL) -> str:
    return portal.services.access_again.ask({"reference": reference, "contact": contact})


def halves(portal: PortalWorld) -> Halves:
    """The newest, as they reached the applicant."""
    found = [
        re.findall(r"\b\d{4} \d{4} \d{4}\b", letter.text)
        for channel in (Channel.SMS, Channel.MAIL)
        for letter in [[each for each in portal.sent(channel) if "验证码" in each.text][-1]]
    ]
    sms, mail = (each[0] for each in found)
    return Halves(sms, mail)


def wrong(code: str) -> str:
    return f"{(int(code.replace(' ', '')) + 1) % 10**12:012d}"


def refused(portal: PortalWorld, asked: str, sms: str, mail: str) -> None:
    with pytest.raises(Unauthenticated, match=r"code\.refused"):
        portal.services.access_again.renew(asked, sms, mail)


@pytest.mark.parametrize("contact", [PHONE, "13955087731", MAIL.upper()])
def test_both_codes_make_a_new_access_code_and_the_old_one_dies(
    any_portal: PortalWorld, contact: str
) -> None:
    portal = any_portal
    made, open_it = applied(portal), portal.services.registration.open
    reference = made.application.reference
    asked = ask(portal, f" {reference.lower()} ", contact)
    codes = halves(portal)
    assert (portal.post[Channel.SMS].letters[-1].to, portal.post[Channel.MAIL].letters[-1].to) == (
        PHONE, MAIL,
    )  # fmt: skip
    assert open_it(reference, made.access_code).id == made.application.id, "nothing has changed"
    renewed = portal.services.access_again.renew(asked, f" {codes.sms}", codes.mail)
    assert renewed.application.reference == reference
    assert open_it(reference, renewed.access_code).id == made.application.id
    with pytest.raises(Unauthenticated, match=r"application\.access"):
        open_it(reference, made.access_code)
    assert "查询码已更换" in portal.sent(Channel.MAIL)[-1].subject, "the applicant is told"
    assert portal.events(reference)[-2:] == [
        "application.access-codes-sent", "application.access-renewed",
    ]  # fmt: skip
    refused(portal, asked, codes.sms, codes.mail)
    written = portal.everything_written()
    for secret in (renewed.access_code, codes.sms, codes.mail, PHONE, MAIL, contact):
        assert secret not in written


def test_one_code_of_the_two_opens_nothing(portal: PortalWorld) -> None:
    reference = applied(portal).application.reference
    asked = ask(portal, reference)
    codes = halves(portal)
    for sms, mail in (
        (codes.sms, wrong(codes.mail)),
        (wrong(codes.sms), codes.mail),
        (codes.sms, ""),
        (codes.sms, codes.sms),
        (codes.mail, codes.sms),
    ):
        refused(portal, asked, sms, mail)
    refused(portal, asked, codes.sms, codes.mail)  # five tries are over
    assert portal.events(reference).count("application.access-code-refused") == MOST_TRIES
    again = ask(portal, reference)
    portal.sent(Channel.SMS)
    renewed = portal.services.access_again.renew(again, codes.sms, codes.mail)
    assert renewed.application.reference == reference, "whoever asks anew"


@pytest.mark.parametrize("minutes", [1, 21])
def test_strangers_lock_nobody_out_and_use_up_nobodys_tries(
    portal: PortalWorld, minutes: int
) -> None:
    """Such as know the reference and the telephone number."""
    reference, clock = applied(portal).application.reference, portal.authority.clock
    since = clock.now()
    while clock.now() - since < timedelta(minutes=minutes):
        for stranger in [ask(portal, reference, PHONE) for _ in range(2)]:
            portal.sent(Channel.SMS)
            for _ in range(MOST_TRIES + 1):
                refused(portal, stranger, "1" * 12, "2" * 12)
        clock.advance(timedelta(minutes=2 if minutes > 2 else 1))
    asked = ask(portal, reference)
    codes = halves(portal)
    clock.advance(PATIENCE - timedelta(seconds=1))
    renewed = portal.services.access_again.renew(asked, codes.sms, codes.mail)
    assert renewed.application.reference == reference
    begun = 1 + timedelta(minutes=minutes) // SHARED
    told = portal.events(reference).count("application.access-code-refused")
    assert 0 < told <= begun * MOST_TOLD
    (identifier,) = portal.column("applications", "id")
    past = portal.services.queue.review(portal.officer(Role.REGISTRAR), identifier)
    assert "application.access-code-refused" not in {each.event for each in past.past}


def test_an_hour_brings_few_messages_and_uses_up_nothing_that_must_be_told(
    portal: PortalWorld,
) -> None:
    made, clock = applied(portal).application, portal.authority.clock
    for _ in range(12):
        for _ in range(2):
            ask(portal, made.reference)
        portal.sent(Channel.MAIL)
        clock.advance(timedelta(minutes=5))
    most = MOST_MESSAGES * (timedelta(hours=1) // SHARED)
    assert [len(portal.sent(channel)) for channel in Channel] == [most, most]
    for _ in range(MOST_IN_A_DAY):
        ask(portal, made.reference)
        portal.sent(Channel.MAIL)
        clock.advance(SHARED + timedelta(minutes=1))
    portal.services.registration.send_back(portal.officer(Role.REGISTRAR), made.id, "请更正")
    assert "退回" in portal.sent(Channel.MAIL)[-1].subject


def test_who_cannot_be_reached_both_ways_or_is_somebody_else_gets_no_code(
    portal: PortalWorld,
) -> None:
    made = applied(portal).application
    for reference, contact in (
        (made.reference, "+86 139 5508 7732"),
        (made.reference, "087731"),
        (made.reference, "other@sample.example"),
        (NOWHERE, MAIL),
        ("' OR 1=1", MAIL),
    ):
        asked = ask(portal, reference, contact)
        assert re.fullmatch(r"[0-9a-f]{32}", asked)
        portal.sent(Channel.SMS)
        refused(portal, asked, "1" * 12, "2" * 12)
    one_way = portal.services.registration.apply(
        samples.details(2, phone="", email=MAIL), samples.scan()
    )
    ask(portal, one_way.application.reference)
    assert [portal.sent(channel) for channel in Channel] == [[], []]
    assert "application.access-code-refused" not in portal.events(made.reference)


def test_a_form_without_a_reference_or_with_no_contact_is_refused(portal: PortalWorld) -> None:
    with pytest.raises(InvalidFields) as refusal:
        portal.services.access_again.ask({"reference": " ", "contact": "Tower 3"})
    codes = {name: each.code for name, each in refusal.value.errors.items()}
    assert codes == {"reference": "field.missing", "contact": "field.contact"}
    with pytest.raises(InvalidFields):
        portal.services.access_again.ask({"reference": ["x"], "contact": 5})


def test_codes_and_what_was_asked_for_grow_old(portal: PortalWorld) -> None:
    reference, clock = applied(portal).application.reference, portal.authority.clock
    asked = ask(portal, reference)
    codes = halves(portal)
    clock.advance(LIFETIME)
    refused(portal, asked, codes.sms, codes.mail)
    ask(portal, reference)
    clock.advance(PATIENCE)
    assert len(portal.sent(Channel.SMS)) == 1


def test_once_the_card_is_made_there_is_nothing_to_open(portal: PortalWorld) -> None:
    made = applied(portal).application
    portal.services.registration.register(portal.officer(Role.REGISTRAR), made.id)
    portal.services.registration.approve(portal.officer(Role.APPROVER), made.id)
    asked = ask(portal, made.reference)
    codes = halves(portal)
    _, activation = portal.services.registration.new_activation_code(made.id)
    portal.services.enrolment.enrol(activation, pkcs10())
    with pytest.raises(Unauthenticated, match=r"application\.access-ended"):
        portal.services.access_again.renew(asked, codes.sms, codes.mail)
    sent = len(portal.sent(Channel.SMS))
    portal.authority.clock.advance(SHARED)
    ask(portal, made.reference)
    assert len(portal.sent(Channel.SMS)) == sent


@contextmanager
def written(portal: PortalWorld) -> Iterator[list[str]]:
    """What is written, but for the journal, as statements begin."""
    seen: list[str] = []

    def see(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("INSERT", "UPDATE", "DELETE")) and "journal" not in statement:
            seen.append(" ".join(statement.split()[:3]))

    engine = portal.authority.database.engine
    event.listen(engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", see)


def test_asking_and_guessing_are_the_same_work_whether_there_is_an_application(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, deeds = applied(portal).application.reference, []
    for named in (reference, NOWHERE):
        with token_calls(monkeypatch) as calls, written(portal) as rows:
            asked = ask(portal, named)
            asking = [*calls, *rows]
        portal.sent(Channel.SMS)
        with token_calls(monkeypatch) as calls, written(portal) as rows:
            refused(portal, asked, "1", "2")
            deeds.append((asking, [*calls, *rows]))
    assert deeds[0] == deeds[1]
    assert deeds[0] == (["encrypt", "INSERT INTO outbox"], ["decrypt", "UPDATE one_time_codes SET"])


def test_the_token_is_asked_before_anything_is_locked(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, database = applied(portal), portal.authority.database
    with outside_transactions(database, monkeypatch):
        asked = ask(portal, made.application.reference)
        portal.services.access_again.send_asked()
    codes = halves(portal)
    with outside_transactions(database, monkeypatch):
        portal.services.access_again.renew(asked, codes.sms, codes.mail)
        portal.services.access_again.send_asked()


def test_codes_that_come_twice_at_once_make_one_access_code(
    postgresql_portal: PortalWorld,
) -> None:
    portal = postgresql_portal
    reference = applied(portal).application.reference
    asked = ask(portal, reference)
    codes = halves(portal)
    renew = portal.services.access_again.renew
    errors = at_once(*(lambda: renew(asked, codes.sms, codes.mail),) * 4)
    assert [type(each) for each in errors] == [Unauthenticated] * 3
    assert portal.events(reference).count("application.access-renewed") == 1


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ("0592 1234567", True),
        ("+86 592 1234567", True),
        ("86-592-1234567", True),
        ("592 1234568", False),
        ("1234567", False),
    ],
)
def test_a_number_is_known_however_it_is_written(given: str, same: bool) -> None:
    for kept in ("0592 1234567", "+86 592 1234567"):
        assert _names(Contact(phone=kept, email=None), given) is same
