"""`portseal card freeze`, `unfreeze`, `report-loss` and `history`."""

import json
from pathlib import Path

import pytest

from portseal.demo.signing_steps import import_declaration
from tests.portseal.cli.conftest import CODE, Holder
from tests.portseal.service import RunningService
from tests.portseal.text_messages import TextMessages

PIN = "40962-vTq"


def test_the_commands_move_a_card(service: RunningService, holder: Holder) -> None:
    code = service.activation_code_of_new_operator()
    made = holder.card("life-commands", PIN, code)
    number = made["number"]
    token = ("--token", "life-commands")
    frozen = holder.run_with_pin(PIN, "card", "freeze", *token, "--reason", "on leave")
    assert (frozen.code, "frozen" in frozen.out) == (0, True), frozen.said
    again = holder.run_with_pin(PIN, "card", "freeze", *token, "--reason", "again")
    assert (again.code, "[signin.frozen]" in again.err) == (1, True)
    owner = service.signed_in("legal-person")
    owner.move_card(number, "unfreeze", reason="back")
    told = holder.run_with_pin(PIN, "card", "history", *token)
    assert [line.split("  ")[1] for line in told.out.splitlines()] == ["freeze", "unfreeze"]
    lost = holder.run_with_pin(PIN, "card", "report-loss", *token, number, "--json")
    assert (lost.code, '"lost"' in lost.out) == (0, True), lost.said
    assert CODE not in lost.said


def test_a_card_is_renewed_on_its_own_usb_key(service: RunningService, holder: Holder) -> None:
    code = service.activation_code_of_new_operator()
    old = holder.card("life-renewed", PIN, code)["number"]
    token = ("--token", "life-renewed")
    before = json.loads(holder.run_with_pin(PIN, "card", "show", *token, "--json").out)
    renewed = holder.run_with_pin(PIN, "card", "renew", *token, "--json")
    assert renewed.code == 0, renewed.said
    told = json.loads(renewed.out)
    assert (told["state"], told["predecessor"]) == ("active", old)
    after = json.loads(holder.run_with_pin(PIN, "card", "show", *token, "--json").out)
    assert after["fingerprint"] != before["fingerprint"]
    assert holder.run_with_pin(PIN, "card", "login", *token).code == 0
    owner = service.signed_in("legal-person")
    assert owner.call("GET", f"/api/v1/cards/{old}")["state"] == "replaced"
    assert owner.card_moves(old)[-1]["evidence_kind"] == "card-proof"


def test_the_renewed_key_signs_under_the_renewed_certificate(
    service: RunningService, holder: Holder, tmp_path: Path
) -> None:
    holder.card("life-signing", PIN, service.activation_code_of_new_operator())
    token = ("--token", "life-signing")
    assert holder.run_with_pin(PIN, "card", "renew", *token).code == 0
    certificate = json.loads(holder.run_with_pin(PIN, "card", "show", *token, "--json").out)
    document, written = tmp_path / "declaration.xml", tmp_path / "signed"
    document.write_bytes(import_declaration())

    def verified(signature: Path) -> str:
        report = service.anonymous().verify(document.read_bytes(), signature.read_bytes())
        (found,) = report["signatures"]
        assert found["signer"]["certificate"]["serial"] == certificate["serial"]
        return str(found["finding"]["indication"])

    for manner in ((), ("--local",), ("--suite", "ecdsa-p256-sha256")):
        signature = tmp_path / "signature"
        to = ("--output", str(signature))
        signed = holder.run_with_pin(PIN, "card", "sign", *token, str(document), *manner, *to)
        assert signed.code == 0, signed.said
        assert verified(signature) == "TOTAL-PASSED", manner
    many = ("card", "sign-batch", *token, str(tmp_path), "--output", str(written))
    assert holder.run_with_pin(PIN, *many).code == 0
    assert verified(written / "declaration.xml.p7s") == "TOTAL-PASSED"


@pytest.mark.long
def test_a_loss_is_reported_with_a_telephone_alone(service: RunningService, holder: Holder) -> None:
    code = service.activation_code_of_new_operator()
    number = holder.card("life-lost", PIN, code)["number"]
    owner = service.signed_in("legal-person")
    contact = {"phone": "+8613900000042", "email": ""}
    owner.call("PUT", f"/api/v1/cards/{number}/contact", contact)
    messages = TextMessages(service.text_messages)
    wrong = [("One-time code", "00000000")]
    refused = holder.converse(wrong, "card", "lost", number, "--act", "freeze")
    assert (refused.code, "code.refused" in refused.said) == (1, True), refused.said
    messages.code(number)  # of the attempt that failed
    answers = [("One-time code", lambda: messages.code(number))]
    lost = holder.converse(answers, "card", "lost", number)
    assert (lost.code, "lost" in lost.said) == (0, True), lost.said
    assert owner.call("GET", f"/api/v1/cards/{number}")["state"] == "lost"
    refused = holder.run_with_pin(PIN, "card", "login", "--token", "life-lost")
    assert (refused.code, "[signin.lost]" in refused.err) == (1, True)
