"""From the public page to the new card: officers, real mail, a text message, `card recover`."""

import json
import re
import time
from pathlib import Path

import pytest
import requests

from portseal.demo.people import ENTERPRISE
from portseal.holder.service import ServiceRefusal
from portseal.sandbox.ports import free_port
from tests.portseal.cli.conftest import Holder
from tests.portseal.service import RunningService, Twin, recovery_of
from tests.portseal.text_messages import TextMessages
from tests.servers.mail import Mailbox, make_certificate, running

PIN, HALVES = "40962-vTq", "TEST_HALVES"
PART = r"(?:[2-9A-HJ-NP-Z]{4}-){2,3}[2-9A-HJ-NP-Z]{4}"
_SECONDS = 60


def first_part(box: Mailbox) -> str:
    """From the mail; waited for."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        for message in box.received:
            if found := re.search(PART, message.get_content()):
                return found[0]
        time.sleep(0.1)  # the worker sends it; nobody tells the test
    raise AssertionError("no mail with a part of the secret")


def ask_on_the_public_page(twin: Twin) -> None:
    stranger = requests.Session()
    page = stranger.get(f"{twin.origin}/recover", timeout=30).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "uscc": ENTERPRISE["uscc"], "why": "PIN 输错被锁定"}
    headers = {"Referer": f"{twin.origin}/recover", "Origin": twin.origin}
    asked = stranger.post(f"{twin.origin}/recover", data=form, headers=headers, timeout=30)
    assert (asked.status_code, asked.url) == (200, f"{twin.origin}/recover/asked"), asked.text


def granted(
    service: RunningService, twin: Twin, tmp_path: Path, **more: str
) -> tuple[str, str, str]:
    """The card that is locked, and both halves of the secret as they arrived, once the officers
    agreed; the twin serves, with `more` settings."""
    box, port, spool = Mailbox(), free_port(), tmp_path / "sms"
    certificate = make_certificate(tmp_path / "mail")
    settings = {
        "PORTSEAL_MAIL__HOST": "127.0.0.1",
        "PORTSEAL_MAIL__PORT": str(port),
        "PORTSEAL_MAIL__SENDER": "id@portseal.example",
        "PORTSEAL_MAIL__CA_FILE": str(certificate.certificate),
        "PORTSEAL_SMS__SPOOL": str(spool),
        **more,
    }
    with running(box, port, "starttls", certificate):
        twin.serve(**settings)
        twin.site.start("worker", **settings)
        locked = twin.anonymous()
        locked.sign_in(service.stage.cards["legal-person"])
        old = locked.call("GET", "/sso/session")["card"]
        contact = {"phone": "+8613900000042", "email": "legal@example.com"}
        locked.call("PUT", f"/api/v1/cards/{old}/contact", contact)

        ask_on_the_public_page(twin)
        # The contact was changed a moment ago: that takes one officer more than the usual two.
        for label, state in (("registrar", "asked"), ("approver", "asked"),
                             ("administrator", "granted")):  # fmt: skip
            officer = twin.anonymous()
            officer.sign_in(service.stage.cards[label])
            case = recovery_of(officer, old)
            assert case["needed"] == 3
            path = f"/api/v1/recoveries/{case['id']}/approval"
            assert officer.call("POST", path, {"reason": "called back"})["state"] == state

        with pytest.raises(ServiceRefusal):
            locked.call("GET", f"/api/v1/cards/{old}")
        halves = first_part(box), TextMessages(spool).found("LP-", PART)
    assert {to for _, recipients, _ in box.envelopes for to in recipients} == {contact["email"]}
    assert all(encrypted for _, _, encrypted in box.envelopes)
    text = "".join(message.get_content() for message in box.received)
    assert f"{twin.origin}/recover/finish" in text
    return old, *halves


@pytest.mark.long
def test_a_locked_card_comes_back_by_mail_and_text_message(
    service: RunningService, twin: Twin, holder: Holder, tmp_path: Path
) -> None:
    old, *halves = granted(service, twin, tmp_path)

    there = {"PORTSEAL_URL": twin.origin}
    token = ("--token", "recovered by mail")
    assert holder.run_with_pin(PIN, "card", "init", *token).code == 0
    recover = ("card", "recover", *token, "--halves-env", HALVES, "--json")
    wrong = holder.run_with_pin(PIN, *recover, **there, **{HALVES: halves[1] + halves[0]})
    assert (wrong.code, "[enrolment.code]" in wrong.err) == (1, True), wrong.said
    made = holder.run_with_pin(PIN, *recover, **there, **{HALVES: "".join(halves)})
    assert made.code == 0, made.said
    told = json.loads(made.out)
    assert (told["state"], told["predecessor"]) == ("active", old)
    assert holder.run_with_pin(PIN, "card", "login", *token, **there).code == 0
    with pytest.raises(ServiceRefusal, match=r"signin\."):
        twin.anonymous().sign_in(service.stage.cards["legal-person"])
