"""`portseal card`: what a holder does with a USB key, from blank to signed declaration."""

import json
from pathlib import Path

import click
import pytest

from portseal.cli.main import portseal
from tests.portseal.cli.conftest import CODE, Console, Holder
from tests.portseal.cli.terminal import Outcome

PIN = "73519-kMq"
SAMPLE = Path(__file__).parents[2] / "samples" / "dec-import.xml"
LABEL = "cli-operator"


@pytest.fixture(scope="session")
def operator(holder: Holder) -> str:
    """The label of an operator's USB key that was made with the command line alone."""
    code = holder.service.activation_code_of_new_operator(name="操作员101")
    card = holder.card(LABEL, PIN, code)
    assert card["state"] == "active"
    return LABEL


def test_a_pin_is_asked_for_twice_and_never_shown(holder: Holder) -> None:
    asked = [("New PIN for cli-prompt: ", PIN), ("The same PIN again: ", PIN)]
    done = holder.converse(asked, "card", "init", "--token", "cli-prompt")
    assert done.code == 0, done.said
    assert PIN not in done.said
    code = holder.service.activation_code_of_new_operator()
    asked = [("Activation code for cli-prompt: ", code), ("PIN of cli-prompt: ", PIN)]
    done = holder.converse(asked, "card", "enrol", "--token", "cli-prompt")
    assert done.code == 0, done.said
    assert "active" in done.said
    assert PIN not in done.said
    assert code not in done.said


def test_two_different_pins_make_no_card(holder: Holder) -> None:
    asked = [("New PIN for cli-typo: ", PIN), ("The same PIN again: ", PIN + "x")]
    done = holder.converse(asked, "card", "init", "--token", "cli-typo")
    assert (done.code, "[pin.differs]" in done.said) == (4, True)
    assert holder.run_with_pin(PIN, "card", "show", "--token", "cli-typo").code == 3


@pytest.mark.parametrize("pin", ["12345678", "77777777", "short"])
def test_a_weak_pin_is_refused(holder: Holder, pin: str) -> None:
    done = holder.run_with_pin(pin, "card", "init", "--token", "cli-weak")
    assert (done.code, "[pin.weak]" in done.err) == (4, True)
    assert pin not in done.said


def test_a_card_is_not_initialised_twice(holder: Holder, operator: str) -> None:
    done = holder.run_with_pin(PIN, "card", "init", "--token", operator)
    assert (done.code, "[token.exists]" in done.err) == (1, True)


def test_show_tells_of_the_certificate_in_words_and_in_json(holder: Holder, operator: str) -> None:
    shown = ("card", "show", "--token", operator, "--pin-env", "MY_PIN")
    plain = holder.run(*shown, MY_PIN=PIN)
    assert plain.code == 0, plain.said
    assert "操作员101" in plain.out
    told = json.loads(holder.run(*shown, "--json", MY_PIN=PIN).out)
    assert told["token"] == operator
    assert told["fingerprint"] in plain.out
    assert told["serial"] in plain.out


def test_an_empty_key_says_that_it_holds_nothing(holder: Holder) -> None:
    assert holder.run_with_pin(PIN, "card", "init", "--token", "cli-empty").code == 0
    done = holder.run_with_pin(PIN, "card", "show", "--token", "cli-empty")
    assert done.code != 0
    assert "[" in done.err
    assert "Traceback" not in done.said


@pytest.mark.parametrize("code", ["AAAA-AAAA-AAAA-AAAA", "", "\u0001", "x" * 5000])
def test_a_wrong_activation_code_is_refused_and_not_repeated(holder: Holder, code: str) -> None:
    holder.run_with_pin(PIN, "card", "init", "--token", "cli-no-code")
    arguments = ("card", "enrol", "--token", "cli-no-code", "--code-env", CODE)
    done = holder.run_with_pin(PIN, *arguments, **{CODE: code})
    assert done.code in (1, 4)
    assert "Traceback" not in done.said
    assert len(code) < 2 or code not in done.said


def test_a_wrong_pin_ends_with_4_and_is_not_repeated(holder: Holder, operator: str) -> None:
    done = holder.run_with_pin("wrong-91357", "card", "login", "--token", operator)
    assert (done.code, "[token.pin-wrong]" in done.err) == (4, True)
    assert "91357" not in done.said


def test_a_missing_pin_ends_with_4(holder: Holder, operator: str) -> None:
    shown = ("card", "login", "--token", operator)
    assert holder.run(*shown, "--pin-env", "NOT_SET").code == 4
    assert holder.run(*shown).code == 4  # nobody is there to be asked


def test_two_pin_sources_are_one_too_many(holder: Holder, operator: str) -> None:
    arguments = ("card", "login", "--token", operator, "--pin-env", "MY_PIN")
    assert holder.run_with_pin(PIN, *arguments, MY_PIN=PIN).code == 2


def test_a_missing_token_ends_with_3(holder: Holder) -> None:
    done = holder.run_with_pin(PIN, "card", "login", "--token", "nobody")
    assert (done.code, "[token.missing]" in done.err) == (3, True)


def test_a_missing_module_ends_with_3(holder: Holder, tmp_path: Path) -> None:
    module = tmp_path / "none.so"
    module.write_bytes(b"not a library")
    arguments = ("card", "login", "--token", "x", "--module", str(module))
    done = holder.run_with_pin(PIN, *arguments)
    assert (done.code, "[token.module]" in done.err) == (3, True)


def test_several_keys_and_no_name_asks_which(holder: Holder, operator: str) -> None:
    holder.run_with_pin(PIN, "card", "init", "--token", "cli-another")
    done = holder.run_with_pin(PIN, "card", "show")
    assert (done.code, "cli-another" in done.err, operator in done.err) == (2, True, True)


def test_login_says_who_signed_in(holder: Holder, operator: str) -> None:
    done = holder.run_with_pin(PIN, "card", "login", "--token", operator, "--json")
    assert done.code == 0, done.said
    assert "操作员101" in done.out
    assert json.loads(done.out)


def test_login_prints_an_answer_for_the_page(holder: Holder, operator: str) -> None:
    challenge = holder.service.anonymous().call("POST", "/api/v1/sign-in/challenges", {})
    arguments = ("card", "login", "--token", operator, "--nonce", challenge["nonce"])
    done = holder.run_with_pin(PIN, *arguments)
    assert done.code == 0, done.said
    assert json.loads(done.out)["format"].startswith("web-eid:1")


def test_a_service_that_is_not_there_ends_with_3(holder: Holder, operator: str) -> None:
    arguments = ("card", "login", "--token", operator, "--url", "http://127.0.0.1:9")
    done = holder.run_with_pin(PIN, *arguments)
    assert (done.code, "[service.unreachable]" in done.err) == (3, True)


def sign(holder: Holder, operator: str, declaration: Path, into: Path, format_: str) -> Outcome:
    arguments = ("card", "sign", "--token", operator, "--format", format_, "--output", str(into))
    return holder.run_with_pin(PIN, *arguments, str(declaration))


@pytest.mark.parametrize("format_", ["cades", "xades"])
def test_a_signed_declaration_verifies_and_a_changed_one_does_not(
    holder: Holder, operator: str, tmp_path: Path, format_: str
) -> None:
    signed = tmp_path / "signed"
    done = sign(holder, operator, SAMPLE, signed, format_)
    assert done.code == 0, done.said
    document, rest = (SAMPLE, [str(signed)]) if format_ == "cades" else (signed, [])
    passed = holder.run("verify", str(document), *rest)
    assert passed.code == 0, passed.said
    assert "TOTAL-PASSED" in passed.out
    assert "操作员101" in passed.out
    changed = tmp_path / "changed.xml"
    changed.write_bytes(document.read_bytes().replace(b"<GQty>40<", b"<GQty>41<"))
    failed = holder.run("verify", str(changed), *rest, "--json")
    assert failed.code == 5
    assert json.loads(failed.out)["finding"]["indication"] == "TOTAL-FAILED"


def test_a_declaration_without_the_right_is_refused_with_the_reason(
    holder: Holder, operator: str, tmp_path: Path
) -> None:
    export = tmp_path / "export.xml"
    export.write_bytes(SAMPLE.read_bytes().replace(b"<IEFlag>I<", b"<IEFlag>E<"))
    done = sign(holder, operator, export, tmp_path / "signed", "cades")
    assert (done.code, "[right.missing]" in done.err) == (1, True)
    assert "出口报关" in done.err
    assert not (tmp_path / "signed").exists()


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"<a>" * 20000, b"%PDF-1.7"])
def test_a_file_that_is_no_declaration_is_refused(
    holder: Holder, operator: str, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "strange"
    file.write_bytes(content)
    done = sign(holder, operator, file, tmp_path / "signed", "xades")
    assert done.code == 1, done.said
    assert "Traceback" not in done.said


def test_an_administrator_revokes_with_a_card_and_the_holder_is_shut_out(
    holder: Holder, console: Console
) -> None:
    added = console.json(
        "officer",
        "add",
        "命令行管理员",
        "--role",
        "administrator",
        "--emergency",
        "a test needs one more",
    )
    holder.card("cli-administrator", PIN, added["activation_code"])
    code = holder.service.activation_code_of_new_operator()
    number = holder.card("cli-revoked", PIN, code)["number"]
    revoke = ("revoke", number, "--token", "cli-administrator", "--reason")
    done = holder.run_with_pin(PIN, *revoke, "bored")
    assert done.code == 1, done.said
    done = holder.run_with_pin(PIN, *revoke, "keyCompromise", "--json")
    assert done.code == 0, done.said
    assert json.loads(done.out)["state"] == "revoked"
    done = holder.run_with_pin(PIN, "card", "login", "--token", "cli-revoked")
    assert (done.code, "[signin.revoked]" in done.err) == (1, True)
    done = holder.run_with_pin(PIN, *revoke, "keyCompromise")
    assert done.code == 1, done.said


def test_an_operators_card_revokes_nothing(holder: Holder, operator: str) -> None:
    number = holder.service.stage.numbers["legal-person"]
    arguments = ("revoke", number, "--token", operator, "--reason", "keyCompromise")
    done = holder.run_with_pin(PIN, *arguments)
    assert done.code == 1, done.said


def test_no_command_takes_a_secret_as_an_argument() -> None:
    """Arguments stand in `ps` for everybody: secrets come by prompt, descriptor or variable."""
    context = click.Context(portseal)
    waiting: list[tuple[str, click.Command]] = [("portseal", portseal)]
    seen = 0
    while waiting:
        name, command = waiting.pop()
        if isinstance(command, click.Group):
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                assert found is not None
                waiting.append((f"{name} {child}", found))
        for parameter in command.params:
            words = set((parameter.name or "").split("_"))
            if words & {"pin", "code", "secret", "password"}:
                assert words & {"env", "envs", "fd"}, f"{name}: {parameter.name}"
                seen += 1
    assert seen >= 10
