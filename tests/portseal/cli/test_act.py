"""Officers sign what is done at the console: on a computer of their own, or with the card there."""

import json
import os
import secrets
from pathlib import Path

import pytest

from portseal.demo.people_steps import acknowledge
from portseal.demo.tokens import FIRST
from tests.portseal.cli.conftest import Console, run_signed
from tests.portseal.cli.terminal import Outcome, run
from tests.portseal.service import RunningService, Twin

ROTATE = ("sign-in-key", "rotate")


def test_an_officer_signs_elsewhere_what_the_console_prints(
    console: Console, service: RunningService, tmp_path: Path
) -> None:
    """With the command line on the officer's machine, which has neither settings nor database."""
    arguments = ("clock", "confirm")
    asked = console.run(*arguments)
    assert asked.code == 6, asked.said
    assert "act: clock.confirm" in asked.out
    assert "[act.waits]" in asked.err
    statement, signed = tmp_path / "statement.txt", tmp_path / "signed.json"
    statement.write_text(asked.out, "utf-8")
    pins = json.loads((service.site.directory.parent / "usb-pins.json").read_text())
    label = "system-administrator"
    sign = ("act", "sign", str(statement), "--token", label, "--pin-env", "PIN")
    done = run([*sign, "--output", str(signed)], officers_machine(pins[label]))
    assert done.code == 0, done.said
    assert "act: clock.confirm" in done.err  # it is shown before it is signed
    statement.write_text("pay 100 to the bearer\n")
    refused = run([*sign, "--output", str(tmp_path / "no")], officers_machine(pins[label]))
    assert (refused.code, "[act.statement]" in refused.err) == (1, True), refused.said
    assert console.run(*arguments, "--signed", str(signed)).code == 0
    used = console.run(*arguments, "--signed", str(signed))
    assert (used.code, "[act.other-statement]" in used.err) == (1, True)
    assert json.loads(console.run("act", "list", "--json").out)["waiting"] != []


def officers_machine(pin: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTSEAL")}
    return {**kept, "PIN": pin}


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments",
    [
        ("init",),
        ("ceremony", "run", "roll-over"),
        ("key", "backup"),
        ("key", "restore", "FILE", "--token", FIRST, "--pin-env", "HOME"),
        ("backup", "NEW", "--key", "KEY"),
        ("sign-in-key", "rotate"),
        ("clock", "confirm"),
        ("reissue", "issuing"),
        ("certify", "tls-server", "FILE", "--name", "a.example", "--output", "NEW"),
        ("mass-revoke", "SERIALS", "--reason", "superseded"),
        ("platform", "disable", "any"),
        ("platform", "rotate", "any"),
        ("platform", "add", "x", "--redirect-uri", "https://p.example/cb",
         "--permitted-by", "x", "--evidence", "x"),
        ("officer", "add", "某人", "--role", "approver"),
        ("archive", "delete", "some"),
    ],
    ids=lambda arguments: " ".join(arguments[:2]),
)  # fmt: skip
def test_every_administrative_command_waits_for_a_card(
    console: Console, service: RunningService, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(secrets.token_hex(32))
    (tmp_path / "serials").write_text("7f" * 16)
    names = {"NEW": tmp_path / "new", "KEY": key, "FILE": key, "SERIALS": tmp_path / "serials"}
    done = console.run(*(str(names.get(each, each)) for each in arguments))
    assert done.code == 6, done.said
    assert done.out.startswith("PortSeal console act 1\n")
    assert not (tmp_path / "new").exists()


def test_officers_see_which_of_the_tokens_of_one_label_gets_the_keys(
    console: Console, tmp_path: Path
) -> None:
    (tmp_path / "backup").write_bytes(b"{}")
    done = console.run(
        "key", "restore", str(tmp_path / "backup"), "--token", FIRST, "--pin-env", "HOME"
    )
    assert "token-serial: " in done.out, done.said
    assert "token-make: SoftHSM project SoftHSM v2" in done.out


@pytest.mark.long
def test_the_wrong_officer_and_one_officer_twice_are_not_enough(
    console: Console, tmp_path: Path
) -> None:
    refused = console.signed(["registrar"], *ROTATE)
    assert (refused.code, "[role.missing]" in refused.err) == (1, True)
    reissue = ("reissue", "issuing", "--later")
    waits = console.signed(["system-administrator", "system-administrator"], *reissue)
    assert (waits.code, "[act.waits]" in waits.err) == (6, True)
    assert "another than has signed" in waits.err


@pytest.mark.long
def test_a_card_that_is_plugged_in_at_the_console_signs_there(
    service: RunningService, twin: Twin
) -> None:
    """Here in another slot of the same module as the authority's token."""
    environment = {**twin.site.environment, "PIN": "73519-plugged", "SO": "so-pin-73519"}
    label = ["--token", "plugged", "--pin-env", "PIN"]
    assert run(["card", "init", *label, "--so-pin-env", "SO"], environment).code == 0
    add = ("officer", "add", "系统乙", "--role", "system-administrator", "--emergency",
           "a test needs one more", "--json")  # fmt: skip
    code = json.loads(run(add, environment).out)["activation_code"]
    twin.serve()
    enrol = ["card", "enrol", *label, "--code-env", "CODE", "--url", twin.origin]
    enrolled = run(enrol, {**environment, "CODE": code})
    assert enrolled.code == 0, enrolled.said
    officer = ["--officer", "plugged", "--officer-pin-env", "PIN"]
    rotated = run([*ROTATE, *officer], environment)
    assert rotated.code == 0, rotated.said
    wrong = run(["clock", "confirm", *officer], {**environment, "PIN": "wrong-73519"})
    assert (wrong.code, "[token.pin-wrong]" in wrong.err) == (4, True)


def test_an_emergency_is_told_until_an_audit_administrator_has_seen_it(
    console: Console, service: RunningService
) -> None:
    acknowledge(service.stage)
    why = "every card is locked in the burning office"
    for reason, code in (("no", 1), (why, 0)):
        done = console.run("clock", "confirm", "--emergency", reason)
        assert done.code == code, done.said
    assert "without an officer's card (emergency)" in done.err
    status = console.run("status", "--json")
    assert status.code == 3, status.said
    told = json.loads(status.out)["console"]
    assert told.startswith("not in order: 1 acts were done without an officer's card")
    assert "clock.confirm" in told
    page = service.signed_in("administrator").fetch("GET", "/admin/dashboard").text
    assert "clock.confirm" in page
    audit = service.signed_in("audit-administrator")
    listed = audit.fetch("GET", "/admin/console-acts").text
    assert why in listed
    assert acknowledge(service.stage) == 1
    after = json.loads(console.run("status", "--json").out)["console"]
    assert after.startswith("every act had")


@pytest.mark.long
def test_backups_of_a_schedule_need_no_card_until_the_day_that_two_officers_signed(
    service: RunningService, twin: Twin, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.touch(mode=0o600)
    key.write_text(secrets.token_hex(32))

    def backup(name: str, *options: str) -> Outcome:
        arguments = ("backup", str(tmp_path / name), "--key", str(key), *options)
        officers = ("system-administrator", "administrator") if options else ()
        return run_signed(service.stage, officers, arguments, twin.site.environment)

    assert backup("first").code == 6
    allowed = backup("second", "--until", "2027-06-30")
    assert allowed.code == 0, allowed.said
    repeated = run(["backup", str(tmp_path / "third"), "--key", str(key)], twin.site.environment)
    assert repeated.code == 0, repeated.said
    key.write_text(secrets.token_hex(32))
    assert backup("fourth").code == 6
