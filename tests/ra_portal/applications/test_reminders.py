"""Reminders reach the officer in charge, once each, by a real mail server."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, text, update

from policies.registration import load_registration
from portseal.sandbox.ports import free_port
from ra_portal.applications import queue_rows
from ra_portal.applications.application import ApplicationState
from ra_portal.applications.escalations import EVERY
from ra_portal.applications.queue_rows import Filter
from ra_portal.applications.tables import applications
from ra_portal.applications.telling import MOST_NAMED
from ra_portal.cards.card import Holder
from ra_portal.notices.channels import Channel
from ra_portal.notices.mail import MailServer, SmtpGateway
from ra_portal.people.identity import HolderKind, Identity, Role, console
from tests.plans import plan_of
from tests.ra_portal import samples
from tests.ra_portal.applications.test_queue import fill
from tests.ra_portal.world import PortalWorld
from tests.servers.mail import Mailbox, make_certificate, running

LATE = load_registration().remind_after + timedelta(minutes=1)


@pytest.fixture
def one(any_portal: PortalWorld) -> Identity:
    """An officer who left a mail address."""
    return reachable(any_portal, "one@portseal.example")


def reachable(
    portal: PortalWorld, email: str, phone: str = "", role: Role = Role.REGISTRAR
) -> Identity:
    officer = portal.officer(role)
    (card,) = portal.cards_of(Holder(HolderKind.OFFICER, officer.subject))
    portal.services.contacts.change(officer, card.number, {"email": email, "phone": phone})
    return officer


def waiting(portal: PortalWorld, number: int, officer: Identity | None) -> str:
    """The reference of an application that the officer is in charge of."""
    made = portal.services.registration.apply(samples.details(number), samples.scan()).application
    if officer is not None:
        portal.services.assignments.assign(officer, made.id, officer.subject)
    return made.reference


def test_one_mail_names_what_waits_in_the_officers_charge(
    any_portal: PortalWorld, one: Identity, tmp_path: Path
) -> None:
    portal = any_portal
    certificate, port, box = make_certificate(tmp_path / "mail"), free_port(), Mailbox()
    server = MailServer(
        "127.0.0.1", port, "starttls", "id@portseal.example", ca_file=certificate.certificate
    )
    portal.post[Channel.MAIL].mood = SmtpGateway(server, portal.authority.clock).send
    first, second = (waiting(portal, number, one) for number in (1, 2))
    nobodys = waiting(portal, 3, None)
    with running(box, port, "starttls", certificate):
        assert portal.services.reminders.send() == 0
        portal.authority.clock.advance(LATE)
        assert portal.services.reminders.send() == 3
        assert portal.services.reminders.send() == 0
        portal.services.notices.deliver(at_once=True)
        portal.services.notices.deliver(at_once=True)
    assert box.envelopes == [("id@portseal.example", ["one@portseal.example"], True)]
    (mail,) = box.received
    words = mail.get_content()
    assert {first, second} == {each for each in (first, second, nobodys) if each in words}
    assert "等待" in mail["Subject"]
    assert "have waited" in mail["Subject"]
    assert "由您负责的 2 份申请等待处理已超过 24 小时" in words
    assert "Applications in your charge have waited for more than 24 hours (2)" in words
    assert "https://id.example/officer/applications?mine=1" in words
    assert "东海样本" not in words  # no enterprise's name leaves by mail
    assert portal.events(nobodys)[-1] == "application.reminded"


def test_who_takes_over_is_reminded_too_and_a_move_begins_the_wait_anew(
    any_portal: PortalWorld, one: Identity
) -> None:
    portal = any_portal
    reference = waiting(portal, 1, one)
    portal.authority.clock.advance(LATE)
    assert portal.services.reminders.send() == 1
    other = reachable(portal, "other@portseal.example")
    (identifier,) = portal.column("applications", "id")
    portal.services.assignments.assign(one, identifier, other.subject)
    assert portal.services.reminders.send() == 1
    portal.services.registration.register(one, identifier)
    assert portal.services.reminders.send() == 0
    sent = portal.sent(Channel.MAIL)
    assert [letter.to for letter in sent] == ["one@portseal.example", "other@portseal.example"]
    assert all(reference in letter.text for letter in sent)


def test_without_a_mail_address_a_text_message_goes_and_without_either_none(
    any_portal: PortalWorld,
) -> None:
    portal = any_portal
    silent, by_phone = portal.officer(Role.REGISTRAR), reachable(portal, "", "0574-5550 1234")
    waiting(portal, 1, silent)
    waiting(portal, 2, by_phone)
    portal.authority.clock.advance(LATE)
    assert portal.services.reminders.send() == 2
    assert portal.sent(Channel.MAIL) == []
    (letter,) = portal.sent(Channel.SMS)
    assert "1 份申请" in letter.text


def test_an_officer_whose_card_has_ended_learns_nothing(
    any_portal: PortalWorld, one: Identity
) -> None:
    portal = any_portal
    waiting(portal, 1, one)
    (card,) = portal.cards_of(Holder(HolderKind.OFFICER, one.subject))
    portal.services.cards.revoke(console("root"), card.number, "affiliationChanged")
    portal.authority.clock.advance(LATE)
    assert portal.services.reminders.send() == 1
    assert portal.sent(Channel.MAIL) == []


def test_a_long_list_is_cut_and_its_length_told(any_portal: PortalWorld, one: Identity) -> None:
    portal = any_portal
    references = [waiting(portal, number, one) for number in range(1, MOST_NAMED + 3)]
    portal.authority.clock.advance(LATE)
    assert portal.services.reminders.send() == len(references)
    (letter,) = portal.sent(Channel.MAIL)
    assert sum(reference in letter.text for reference in references) == MOST_NAMED
    assert f"({len(references)})" in letter.text


def test_what_nobody_moves_for_long_is_told_to_the_administrators_once(
    any_portal: PortalWorld, one: Identity
) -> None:
    """Also what nobody is in charge of; an officer who is ill need not be asked."""
    portal = any_portal
    reachable(portal, "head@portseal.example", role=Role.ADMINISTRATOR)
    gone = reachable(portal, "gone@portseal.example", role=Role.ADMINISTRATOR)
    (card,) = portal.cards_of(Holder(HolderKind.OFFICER, gone.subject))
    portal.services.cards.revoke(console("root"), card.number, "affiliationChanged")
    portal.officer(Role.ADMINISTRATOR)  # left no address
    taken, nobodys = waiting(portal, 1, one), waiting(portal, 2, None)
    escalations, clock = portal.services.escalations, portal.authority.clock
    clock.advance(LATE)
    assert escalations.send() == 0
    clock.advance(load_registration().escalate_after)
    assert (escalations.send(), escalations.send()) == (2, 0)
    (letter,) = portal.sent(Channel.MAIL)
    assert letter.to == "head@portseal.example"
    assert taken in letter.text
    assert nobodys in letter.text
    assert "?overdue=1" in letter.text
    assert portal.events(nobodys)[-1] == "application.escalated"
    (first, _) = portal.column("applications", "id")
    portal.services.assignments.assign(one, first, None)
    assert escalations.send() == 0  # the wait is the same
    portal.services.registration.register(one, first)
    clock.advance(load_registration().escalate_after + timedelta(minutes=1))
    assert escalations.send() == 1


def use_up_the_day(portal: PortalWorld, officer: Identity) -> None:
    """The officer has had as many mails as one may have."""
    values = {"count": "1", "hours": "1", "references": "x"}
    about = str(Holder(HolderKind.OFFICER, officer.subject))
    with portal.authority.database.transaction() as connection:
        while portal.services.notices.put(
            connection, Channel.MAIL, "x@portseal.example", "application-waits", values, about=about
        ):
            pass


def test_what_was_not_sent_is_told_in_a_later_round_and_holds_up_nobody(
    any_portal: PortalWorld, one: Identity
) -> None:
    """An officer who may have no more mails today, with more waiting than a round takes."""
    portal, clock = any_portal, any_portal.authority.clock
    mine = [waiting(portal, number, one) for number in (1, 2, 3)]
    others = waiting(portal, 4, reachable(portal, "other@portseal.example"))
    send = portal.services.reminders.send
    clock.advance(LATE)
    use_up_the_day(portal, one)
    assert (send(limit=2), send(limit=2)) == (1, 0)
    assert portal.events(mine[0])[-1] != "application.reminded"
    portal.sent(Channel.MAIL)
    clock.advance(timedelta(days=1))
    portal.post[Channel.MAIL].letters.clear()
    assert (send(limit=2), send(limit=2), send(limit=2)) == (2, 1, 0)
    letters = portal.sent(Channel.MAIL)
    assert [letter.to for letter in letters] == ["one@portseal.example"] * 2
    told = " ".join(letter.text for letter in letters)
    assert [reference in told for reference in (*mine, others)] == [True, True, True, False]


def test_what_is_stuck_is_collected_into_few_messages_and_nothing_is_lost(
    any_portal: PortalWorld,
) -> None:
    """One more every five minutes of two hours; and none counts as told when nobody was."""
    portal, clock = any_portal, any_portal.authority.clock
    head = reachable(portal, "head@portseal.example", "0574-5550 1234", role=Role.ADMINISTRATOR)
    send = portal.services.escalations.send
    for number in range(1, 25):
        waiting(portal, number, None)
        clock.advance(timedelta(minutes=5))
    clock.advance(load_registration().escalate_after - timedelta(minutes=115))
    rounds = []
    for _ in range(24):
        rounds.append(send())
        clock.advance(timedelta(minutes=5))
    assert sum(each > 0 for each in rounds) == 1
    clock.advance(EVERY)
    use_up_the_day(portal, head)
    assert send() == 0  # the day's mails are used up
    clock.advance(timedelta(days=1))
    assert sum(rounds) + send() == 24
    assert portal.sent(Channel.SMS) == []


@pytest.mark.parametrize(
    ("told", "index"),
    [
        ("reminded_at", "ix_applications_unreminded"),
        ("escalated_at", "ix_applications_unescalated"),
    ],
)
def test_what_waits_is_found_by_the_index_of_what_was_not_told(
    any_portal: PortalWorld, told: str, index: str
) -> None:
    """Nothing that was told is read past; the order comes with the index."""
    database = any_portal.authority.database
    with database.transaction() as connection:
        fill(connection, any_portal, 20_000)
        connection.execute(update(applications).values({told: func.now()}))
        if not database.is_sqlite:
            connection.execute(text("ANALYZE applications"))
    wanted = Filter((ApplicationState.APPLIED,), overdue_before=any_portal.authority.clock.now())
    query = queue_rows.untold_of_state(wanted, ApplicationState.APPLIED, applications.c[told], 1000)
    plan = plan_of(database, query)
    assert index in plan, plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan
