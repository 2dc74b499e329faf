"""`portseal card recover`: a locked legal-person card is made again with two halves of a secret."""

import json
import re
from pathlib import Path

import pytest

from portseal.cli.card import card
from portseal.cli.card_encryption import COMMANDS as ENCRYPTION
from portseal.cli.card_life import COMMANDS as LIFE
from portseal.demo.people import ENTERPRISE
from portseal.holder.service import ServiceRefusal
from portseal.sandbox.ports import free_port
from tests.portseal.cli.conftest import Holder
from tests.portseal.service import RunningService, Twin
from tests.servers import mail
from tests.servers.mail import Mailbox

PIN = "59340-wPd"
HALVES = "HALVES_FOR_TEST"
_HALF = re.compile(r"(?:[2-9A-HJ-NP-Z]{4}-){2,3}[2-9A-HJ-NP-Z]{4}")
APPROVERS = ("registrar", "approver", "administrator")
"""Three: the telephone was changed a moment ago."""


def half(texts: list[str]) -> str:
    found = [match[0] for text in texts if (match := _HALF.search(text))]
    assert len(found) == 1, texts
    return found[0]


@pytest.mark.long
def test_a_locked_legal_person_card_is_made_again_from_both_halves(
    service: RunningService, twin: Twin, holder: Holder, tmp_path: Path
) -> None:
    spool, port = tmp_path / "sms", free_port()
    settings = {
        "PORTSEAL_MAIL__HOST": "127.0.0.1",
        "PORTSEAL_MAIL__PORT": str(port),
        "PORTSEAL_MAIL__SECURITY": "none",
        "PORTSEAL_MAIL__SENDER": "id@example.com",
        "PORTSEAL_SMS__SPOOL": str(spool),
    }
    mailbox, number = Mailbox(), service.stage.numbers["legal-person"]
    twin.serve(**settings)
    owner = twin.anonymous()
    owner.sign_in(service.stage.cards["legal-person"])
    contact = {"phone": "+8613900000000", "email": "legal@example.com"}
    owner.call("PUT", f"/api/v1/cards/{number}/contact", contact)
    asked = {"uscc": ENTERPRISE["uscc"], "reason": "PIN 输错被锁定"}
    twin.anonymous().call("POST", "/api/v1/recoveries", asked)
    twin.site.run("worker", "--once", **settings)  # which looks whether there is such a card
    for label in APPROVERS:
        officer = twin.anonymous()
        officer.sign_in(service.stage.cards[label])
        cases = officer.call("GET", "/api/v1/recoveries")["recoveries"]
        (case,) = [each for each in cases if each["card"] == number]
        path = f"/api/v1/recoveries/{case['id']}/approval"
        granted = officer.call("POST", path, {"reason": "licence seen, called back"})
    assert granted["state"] == "granted"
    with mail.running(mailbox, port, "none", mail.make_certificate(tmp_path / "mail")):
        twin.site.run("worker", "--once", **settings)
    letters = [body.get_content() for each in mailbox.received if (body := each.get_body())]
    halves = half(letters), half([path.read_text() for path in spool.glob("*.txt")])

    made = holder.run_with_pin(PIN, "card", "init", "--token", "recovered")
    assert made.code == 0, made.said
    command = ("card", "recover", "--token", "recovered", "--url", twin.origin, "--json")
    for wrong in (halves[0], halves[1] + halves[0]):
        refused = holder.run_with_pin(PIN, *command, "--halves-env", HALVES, **{HALVES: wrong})
        assert (refused.code, "enrolment.code" in refused.err) == (1, True)
    questions = [
        ("Part 1 of the secret", halves[0]), ("Part 2 of the secret", halves[1]), ("PIN", PIN),
    ]  # fmt: skip
    done = holder.converse(questions, *command)
    assert done.code == 0, done.said
    told = json.loads(done.out[done.out.index("{") :])
    assert (told["state"], told["predecessor"]) == ("active", number)
    assert told["encryption_serial"]
    assert all(each not in done.out for each in halves)
    login = holder.run_with_pin(PIN, "card", "login", "--token", "recovered", "--url", twin.origin)
    assert login.code == 0, login.said
    with pytest.raises(ServiceRefusal, match=r"signin\.revoked"):
        twin.anonymous().sign_in(service.stage.cards["legal-person"])


def test_no_command_of_a_card_hides_another() -> None:
    for command in (*ENCRYPTION, *LIFE):
        assert card.commands[str(command.name)] is command
