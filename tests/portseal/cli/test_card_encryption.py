"""The second key of a card: it comes with enrolment, decrypts, and is recovered by its holder."""

import json
from pathlib import Path

import pytest

from tests.ca.openssl import openssl
from tests.portseal.cli.conftest import Console, Holder
from tests.portseal.service import RunningService, recoveries_wait

PIN = "73519-kMq"


def sealed_to(certificate: Path, document: Path, output: Path) -> None:
    openssl(
        "cms", "-encrypt", "-binary", "-aes256", "-in", document, "-outform", "DER",
        "-out", output, certificate,
    )  # fmt: skip


def test_a_card_decrypts_and_its_successor_recovers(
    holder: Holder, service: RunningService, tmp_path: Path
) -> None:
    code = service.activation_code_of_new_operator()
    card = holder.card("encrypts", PIN, code)
    document, sealed, opened = tmp_path / "contract", tmp_path / "sealed", tmp_path / "opened"
    certificate = tmp_path / "to.pem"
    document.write_text("合同")
    written = holder.run_with_pin(
        PIN, "card", "encryption-certificate", "--token", "encrypts", "--output", str(certificate)
    )
    assert written.code == 0, written.said
    shown = openssl("x509", "-in", certificate, "-noout", "-serial", "-ext", "keyUsage")
    assert "Key Agreement" in shown
    assert card["encryption_serial"] in shown
    sealed_to(certificate, document, sealed)
    done = holder.run_with_pin(
        PIN, "card", "decrypt", "--token", "encrypts", str(sealed), "--output", str(opened)
    )
    assert done.code == 0, done.said
    assert opened.read_bytes() == document.read_bytes()

    # The card is replaced; the new one asks for the old key, an officer of the centre approves.
    owner = service.signed_in("legal-person")
    code = owner.call("POST", f"/api/v1/cards/{card['number']}/replacement", {})["activation_code"]
    holder.card("successor", PIN, code)
    refused = holder.run_with_pin(
        PIN, "card", "decrypt", "--token", "successor", str(sealed), "--output", str(opened)
    )
    assert (refused.code, "enveloped.other-recipient" in refused.err) == (1, True)
    asked = holder.run_with_pin(
        PIN, "card", "recover-key", "--token", "successor", card["encryption_serial"],
        "--reason", "旧合同", "--json",
    )  # fmt: skip
    assert asked.code == 0, asked.said
    recovery = json.loads(asked.out)["id"]
    early = holder.run_with_pin(PIN, "card", "recover-key", "--token", "successor", recovery)
    assert (early.code, "key-recovery.state" in early.err) == (1, True)

    recoveries_wait(service.stage)
    approved = service.signed_in("recovery-approver")
    waiting = approved.call("GET", "/api/v1/key-recoveries")["items"]
    assert {each["id"] for each in waiting} == {
        recovery, *(service.stage.facts[each] for each in ("recovery", "order"))
    }  # fmt: skip
    mine = next(each for each in waiting if each["id"] == recovery)
    assert mine["serial"] == card["encryption_serial"]
    path = f"/api/v1/key-recoveries/{recovery}/approval"
    assert approved.call("POST", path, {"reason": "身份已核实"})["state"] == "approved"

    fetched = holder.run_with_pin(PIN, "card", "recover-key", "--token", "successor", recovery)
    assert fetched.code == 0, fetched.said
    done = holder.run_with_pin(
        PIN, "card", "decrypt", "--token", "successor", str(sealed), "--output", str(opened)
    )
    assert done.code == 0, done.said
    assert opened.read_bytes() == document.read_bytes()


@pytest.mark.long
def test_an_order_is_carried_out_by_two_officers_with_commands(
    holder: Holder, console: Console, service: RunningService, tmp_path: Path
) -> None:
    """From the order to the examiner who reads the document, on tokens of three people."""
    code = service.activation_code_of_new_operator()
    serial = holder.card("suspect", PIN, code)["encryption_serial"]
    certificate, sealed = tmp_path / "to.pem", tmp_path / "sealed"
    holder.run_with_pin(
        PIN, "card", "encryption-certificate", "--token", "suspect", "--output", str(certificate)
    )
    document, evidence = tmp_path / "ledger", tmp_path / "order.pdf"
    document.write_text("账目")
    evidence.write_bytes(b"%PDF-1.7\n%%EOF\n")
    sealed_to(certificate, document, sealed)
    for label, role in (("opens", "recovery-officer"), ("decides", "recovery-approver")):
        added = console.json(
            "officer", "add", label, "--role", role, "--emergency", "a test needs one more"
        )
        holder.card(f"centre-{label}", PIN, added["activation_code"])

    def run(label: str, *arguments: str) -> str:
        done = holder.run_with_pin(PIN, *arguments, "--token", label)
        assert done.code == 0, done.said
        return done.out

    made = holder.run_with_pin(PIN, "card", "init", "--token", "examiner")
    assert made.code == 0, made.said
    transport, envelope, named = (tmp_path / each for each in ("transport", "envelope", "named"))
    told = run("examiner", "key-centre", "transport-key", "--output", str(transport))
    fingerprint = told.split()[-1]
    recorded = json.loads(
        run(
            "centre-opens", "key-centre", "order", serial, "--number", "2026-17",
            "--issued-by", "宁波市中级人民法院", "--evidence", str(evidence),
            "--transport-key", str(transport), "--reason", "调取证据", "--json",
        )
    )  # fmt: skip
    opened = recorded["id"]
    assert recorded["transport_key_sha256"] == fingerprint
    fetch = (
        "key-centre",
        "fetch",
        opened,
        "--envelope",
        str(envelope),
        "--certificate",
        str(named),
    )
    early = holder.run_with_pin(PIN, *fetch, "--token", "centre-opens")
    assert (early.code, "key-recovery.state" in early.err) == (1, True)
    own = holder.run_with_pin(
        PIN, "key-centre", "decide", opened, "approve", "--reason", "x", "--token", "centre-opens"
    )
    assert (own.code, "role.missing" in own.err) == (1, True)
    listed = run("centre-decides", "key-centre", "list")
    assert opened in listed
    assert fingerprint in listed
    decide = ("key-centre", "decide", opened, "approve", "--reason", "命令已核实")
    for unknown in ((), ("--transport-key-sha256", "0" * 64)):
        refused = holder.run_with_pin(PIN, *decide, *unknown, "--token", "centre-decides")
        assert (refused.code, "key-recovery.transport-key" in refused.err) == (1, True)
    run("centre-decides", *decide, "--transport-key-sha256", fingerprint)
    run("centre-opens", *fetch)
    run("examiner", "key-centre", "receive", str(envelope), "--certificate", str(named))
    run("examiner", "card", "decrypt", str(sealed), "--output", str(tmp_path / "read"))
    assert (tmp_path / "read").read_text() == "账目"
