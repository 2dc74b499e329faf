"""An address that a real mail server refuses for good: who sees the contact sees it, too."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from portseal.sandbox.ports import free_port
from ra_portal.cards.card import Card
from ra_portal.notices.channels import Channel
from ra_portal.notices.mail import MailServer, SmtpGateway
from ra_portal.notices.tables import refused_addresses
from ra_portal.people.identity import Identity, Role
from tests.ra_portal.cards.test_recovery import COOLING, asked, enterprise
from tests.ra_portal.web.browser import Browser
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld, pkcs10
from tests.servers.mail import Mailbox, make_certificate, running

DEAD, ALIVE = "gone@example.com", "here@example.com"
WARNING = {
    "en": r"This address refuses mail, since [^.]*2026",
    "zh": r"该地址自 2026[^：]* 起拒收邮件",
}


@pytest.fixture
def box(portal: PortalWorld, tmp_path: Path) -> Iterator[Mailbox]:
    """A server that knows no mailbox `gone`, by which the portal's mail goes."""
    certificate, port, box = make_certificate(tmp_path / "mail"), free_port(), Mailbox()
    box.answer_recipient = answering("550 5.1.1 no such mailbox")
    server = MailServer(
        "127.0.0.1", port, "starttls", "id@portseal.example", ca_file=certificate.certificate
    )
    portal.post[Channel.MAIL].mood = SmtpGateway(server, portal.authority.clock).send
    with running(box, port, "starttls", certificate):
        yield box


def answering(reply: str) -> Callable[[str], str | None]:
    return lambda address: reply if address == DEAD else None


def reached_at(portal: PortalWorld, owner: Identity, address: str) -> Card:
    code = portal.operator(owner).activation_code
    card = portal.services.enrolment.enrol(code, pkcs10()).card
    portal.services.contacts.change(owner, card.number, {"email": address})
    return card


def told_something(portal: PortalWorld, owner: Identity, card: Card) -> None:
    """By one mail, which the worker sends."""
    life = portal.services.life
    life.freeze(owner, card.number, "出差")
    portal.services.notices.deliver(at_once=True)
    life.unfreeze(owner, card.number, "回来")


def marked(portal: PortalWorld) -> list[str]:
    with portal.authority.database.reading() as connection:
        return list(connection.execute(select(refused_addresses.c.address_index)).scalars())


def test_the_enterprise_and_the_officer_read_that_an_address_refuses_mail(
    browser: Browser, portal: PortalWorld, seat: Seat, box: Mailbox
) -> None:
    owner = portal.legal_person()
    card = reached_at(portal, owner, DEAD)
    page, people = f"/cards/{card.number}", (owner, portal.officer(Role.ADMINISTRATOR))
    for seat.identity in people:
        assert "refuses mail" not in browser.text(page)
    told_something(portal, owner, card)
    assert box.received == []
    for seat.identity in people:
        for language, words in WARNING.items():
            browser.headers["Accept-Language"] = language
            shown = browser.text(page)
            assert re.search(words, shown), language
            assert DEAD not in shown
        told = browser.client.get(f"/api/v1{page}/contact").get_json()
        assert told["mail_refused_at"] == portal.authority.clock.now().isoformat()
    assert DEAD not in portal.everything_written()


def test_it_is_said_until_a_later_mail_is_taken(portal: PortalWorld, box: Mailbox) -> None:
    owner = portal.legal_person()
    card, contacts = reached_at(portal, owner, DEAD), portal.services.contacts
    since = portal.authority.clock.now()
    for _ in range(2):  # the second refusal does not make it younger
        told_something(portal, owner, card)
        assert contacts.show(owner, card.number).mail_refused_at == since
        portal.authority.clock.advance(timedelta(hours=1))
    box.answer_recipient = lambda address: None
    told_something(portal, owner, card)
    assert box.received
    assert contacts.show(owner, card.number).mail_refused_at is None
    assert marked(portal) == []


def test_it_is_said_until_the_contact_changes(portal: PortalWorld, box: Mailbox) -> None:
    owner = portal.legal_person()
    card, contacts = reached_at(portal, owner, DEAD), portal.services.contacts
    told_something(portal, owner, card)
    contacts.change(owner, card.number, {"email": ALIVE})
    assert marked(portal) == []
    # That it changed is told at the former address, too, which refuses: the new one is not blamed.
    portal.services.notices.deliver(at_once=True)
    assert len(marked(portal)) == 1
    assert contacts.show(owner, card.number).mail_refused_at is None
    contacts.change(owner, card.number, {"email": DEAD})
    assert contacts.show(owner, card.number).mail_refused_at is None


@pytest.mark.parametrize(
    "reply", ["450 4.2.1 later", "530 5.7.0 log in first", "554 5.7.1 no relaying for you"]
)
def test_an_address_is_not_blamed_for_what_is_about_the_sender(
    portal: PortalWorld, box: Mailbox, reply: str
) -> None:
    box.answer_recipient = answering(reply)
    owner = portal.legal_person()
    card = reached_at(portal, owner, DEAD)
    told_something(portal, owner, card)
    assert box.received == []
    assert portal.services.contacts.show(owner, card.number).mail_refused_at is None


def test_officers_who_decide_on_a_recovery_read_it(
    browser: Browser, portal: PortalWorld, seat: Seat, box: Mailbox
) -> None:
    owner, card = enterprise(portal)
    portal.services.contacts.change(owner, card.number, {"phone": "+8613900000000", "email": DEAD})
    portal.authority.clock.advance(COOLING)
    asked(portal)
    seat.identity = portal.officer(Role.APPROVER)
    assert "refuses mail" not in browser.text("/officer/recoveries")
    told_something(portal, owner, card)
    assert "refuses mail since" in browser.text("/officer/recoveries")
