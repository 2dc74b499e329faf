"""What pages may ask the agent for: each purpose on a real token, with what its user sees."""

import base64
import hashlib
import http.client
import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from fpdf import FPDF
from joserfc import jwe
from joserfc.jwk import ECKey, OctKey

from signing_service.formats import making
from signing_service.formats.draft import draft_of
from signing_service.formats.manner import Act, Manner, Subject, lies_beside
from signing_service.formats.pades import whole as pades
from signing_service.formats.recognition import read_signatures
from signing_service.sso.authentication_token import read_authentication_token, signed_value
from signing_service.validation.evidence import SignatureFormat
from tests.key_agent.cards import MadeCard, make_card, prepare, text
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent
from tests.software_keys import SoftwareAuthority

SAMPLES = Path(__file__).parents[1] / "samples"
DECLARATION = (SAMPLES / "dec-import.xml").read_bytes()
INVENTORY = (SAMPLES / "ceb621.xml").read_bytes()
NONCE = "n" * 44


def small_pdf() -> bytes:
    document = FPDF()
    document.add_page()
    document.set_font("Helvetica")
    document.cell(text="Power of attorney")
    return bytes(document.output())


# -- origins ---------------------------------------------------------------------------------------


def test_the_first_use_asks_the_user_and_the_answer_is_remembered(agent: RunningAgent) -> None:
    agent.origin = "https://first-use.example"
    assert agent.call("status")["origin"] == "unknown"
    assert agent.refused("tokens")["code"] == "origin.unknown"
    assert agent.call("connect") == {"origin": "allowed"}
    (window,) = agent.human.windows
    assert window.command == "CONFIRM"
    assert window.lines[0].startswith("Site: https://first-use.example")
    assert agent.call("connect") == {"origin": "allowed"}
    assert len(agent.human.windows) == 1
    assert agent.call("status")["origin"] == "allowed"


def test_a_no_is_remembered_until_the_user_takes_it_back(agent: RunningAgent) -> None:
    agent.origin = "https://refused.example"
    agent.human.answer = lambda window: {"no": True}
    assert agent.refused("connect")["code"] == "origin.refused"
    assert agent.refused("connect")["code"] == "origin.refused"
    assert agent.refused("tokens")["code"] == "origin.refused"
    assert len(agent.human.windows) == 1
    assert "refused" in agent.command("origins", "list")
    agent.command("origins", "allow", agent.origin)
    assert agent.call("tokens")["tokens"]
    agent.command("origins", "forget", agent.origin)
    assert agent.call("status")["origin"] == "unknown"


def test_a_closed_first_use_window_is_no_answer(agent: RunningAgent) -> None:
    agent.origin = "https://closed.example"
    agent.human.answer = lambda window: {"cancel": True}
    assert agent.refused("connect")["code"] == "agent.cancelled"
    assert agent.call("status")["origin"] == "unknown"


def test_a_site_sees_what_it_wrote_and_what_the_user_agreed_to(
    agent: RunningAgent, card: MadeCard
) -> None:
    def seen() -> set[str]:
        return {c["id"] for t in agent.call("tokens")["tokens"] for c in t["certificates"]}

    assert seen() == {card.identifier}
    agent.allow("https://another-site.example")
    assert seen() == set()
    assert agent.refused("sign_in", nonce=NONCE)["code"] == "card.no-certificate"
    named = agent.refused("sign_in", nonce=NONCE, certificate=card.identifier)
    assert named["code"] == "card.no-certificate"
    agent.call("connect")
    told = [line for window in agent.human.windows for line in window.lines]
    assert f"  操作员 张三 ({card.token['label']})" in told
    assert card.identifier in seen()
    signed_in = agent.call("sign_in", nonce=NONCE, certificate=card.identifier)
    assert signed_in["certificate"]["id"] == card.identifier


# -- making a card ---------------------------------------------------------------------------------


def test_a_card_is_made_with_one_pin_after_its_choice(
    agent: RunningAgent, authority: SoftwareAuthority, label: str
) -> None:
    card = make_card(agent, authority, label)
    commands = [(w.command, w.repeat is not None) for w in agent.human.windows]
    assert commands == [("GETPIN", True), ("GETPIN", False)]
    (token,) = [t for t in agent.call("tokens")["tokens"] if t["id"] == card.token["id"]]
    (held,) = token["certificates"]
    assert base64.b64decode(held["der"]) == card.certificate.der
    assert (held["key"], held["has_key"], held["usage"]) == ("signing", True, ["signing"])


def test_a_token_in_use_is_never_initialised_again(agent: RunningAgent, card: MadeCard) -> None:
    refusal = agent.refused("initialise", token=card.token["id"], label="another")
    assert refusal["code"] == "token.exists"


def blank_token(agent: RunningAgent) -> str:
    found: str = next(t["id"] for t in agent.call("tokens")["tokens"] if t["state"] == "blank")
    return found


def test_a_weak_pin_is_refused(agent: RunningAgent) -> None:
    blank = blank_token(agent)
    agent.human.answer = lambda window: {"pin": "88888888"}
    assert agent.refused("initialise", token=blank, label="weak")["code"] == "pin.weak"
    assert blank_token(agent) == blank
    assert len(agent.human.windows) == 3, "not for ever"


def test_a_weak_pin_is_asked_for_again_and_the_window_says_why(
    agent: RunningAgent, label: str
) -> None:
    blank = blank_token(agent)
    typed = iter(["123456789", "12", agent.human.pins[label]])
    agent.human.answer = lambda window: {"pin": next(typed)}
    made = agent.call("initialise", token=blank, label=label)["token"]
    assert made["label"] == label
    rule = "A PIN has 6 to 64 characters, not all alike or in a row."
    why = "That PIN is too easily guessed: choose another."
    told = [(rule in window.lines, why in window.lines) for window in agent.human.windows]
    assert told == [(True, False), (True, True), (True, True)]


def test_the_key_waits_for_its_certificate_and_is_renewed_or_replaced(
    agent: RunningAgent, authority: SoftwareAuthority, label: str
) -> None:
    card = make_card(agent, authority, label)
    identifier = card.token["id"]
    assert agent.refused("make_key", token=identifier)["code"] == "key.enrolled"
    renewed = agent.call("make_key", token=identifier, purpose="renew")
    request = base64.b64decode(renewed["pkcs10"])
    assert renewed["key"] == "signing"
    assert authority.certificate_for(request).spki == card.certificate.spki
    replaced = agent.call("make_key", token=identifier, purpose="rekey")
    again = agent.call("make_key", token=identifier, purpose="rekey")
    assert replaced["key"] == again["key"] == "signing-2"  # it was interrupted and goes on
    fresh = authority.certificate_for(base64.b64decode(again["pkcs10"]))
    assert fresh.spki != card.certificate.spki
    agent.call("write_certificates", token=identifier, certificates=[text(fresh.der)])
    tokens = agent.call("tokens")["tokens"]
    held = next(t["certificates"] for t in tokens if t["id"] == identifier)
    assert {each["key"] for each in held} == {"signing", "signing-2"}


def test_a_certificate_for_another_key_is_not_written(
    agent: RunningAgent, authority: SoftwareAuthority, card: MadeCard
) -> None:
    foreign = authority.signer().certificate
    certificates = [text(foreign.der)]
    refusal = agent.refused("write_certificates", token=card.token["id"], certificates=certificates)
    assert refusal["code"] == "card.other-key"


def test_the_login_for_writing_back_serves_nothing_else(
    agent: RunningAgent, card: MadeCard
) -> None:
    agent.call("make_key", token=card.token["id"], purpose="renew")
    agent.human.answer = lambda window: {"pin": "not-the-pin"}
    assert agent.refused("sign_in", nonce=NONCE)["code"] == "token.pin-wrong"


# -- signing in ------------------------------------------------------------------------------------


def test_a_sign_in_is_bound_to_the_origin_of_the_page(agent: RunningAgent, card: MadeCard) -> None:
    told = agent.call("sign_in", nonce=NONCE)
    token = read_authentication_token(json.dumps(told["token"]))
    assert token.certificate_der == card.certificate.der
    value = card.suite.from_raw(token.signature)
    for origin, expected in ((agent.origin, True), ("https://other.example", False)):
        signed = signed_value(card.suite, origin, NONCE)
        assert card.certificate.public_key.verify(card.suite, value, signed) is expected
    window = agent.human.windows[-1]
    assert window.lines[:2] == [
        f"Site: {agent.origin}",
        "It asks to sign you in with your card.",
    ]
    assert "Certificate: 操作员 张三" in window.lines
    assert agent.refused("sign_in", nonce=NONCE, origin="https://other.example")["code"] == (
        "request.malformed"
    )


def test_a_short_nonce_is_refused(agent: RunningAgent, card: MadeCard) -> None:
    assert agent.refused("sign_in", nonce="n" * 42)["code"] == "request.malformed"


# -- signing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "format_",
    [
        SignatureFormat.CADES,
        SignatureFormat.XADES,
        SignatureFormat.PADES,
        SignatureFormat.JADES,
        SignatureFormat.ASIC_S,
        SignatureFormat.ASIC_E,
    ],
)
def test_a_document_is_shown_and_signed(
    agent: RunningAgent, card: MadeCard, format_: SignatureFormat
) -> None:
    document = small_pdf() if format_ is SignatureFormat.PADES else DECLARATION
    prepared, asked = prepare(format_, document, card.certificate)
    told = agent.call("sign", certificate=card.identifier, name="a file.xml", **asked)
    value = base64.b64decode(told["signature_value"])
    signed = making.finish(Act.FIRST, prepared, value, None)
    presented = (document, signed) if lies_beside(prepared) else (signed, None)
    (evidence,) = read_signatures(*presented)
    assert evidence.covers_document
    assert all(reference.intact for reference in evidence.references)
    assert all(w.lines[0].startswith(f"Site: {agent.origin}") for w in agent.human.windows)
    lines = [line for window in agent.human.windows for line in window.lines]
    assert "File: a file.xml" in lines
    assert f"Signature: {format_}" in lines
    if format_ is not SignatureFormat.PADES:
        assert lines[1] == "It asks you to sign: Customs declaration"
        assert "Declarant: 上海示例报关有限公司" in lines
        assert "Total value: 38,928.00 EUR" in lines
        assert "Goods: 3" in lines


def pages_of(windows: list[Window]) -> list[str]:
    return [line for window in windows for line in window.lines]


def path_in(lines: list[str], word: str) -> Path:
    """A path that the windows tell, in as many lines as it takes."""
    start = next(i for i, line in enumerate(lines) if line.startswith(word))
    told = lines[start].removeprefix(word)
    for line in lines[start + 1 :]:
        if Path(told).suffix in (".txt", ".pdf", ".xml"):
            break
        told += line
    return Path(told)


def test_what_a_pdf_says_beside_its_text_is_shown_and_its_copy_is_what_is_signed(
    agent: RunningAgent, card: MadeCard
) -> None:
    document = small_pdf()
    seal = pades.Seal((60, 60, 360, 200), 0, ("电子签章",))
    placement = pades.Placement(
        seal=seal, reason="r" * 100 + " and I owe you a million", location="Ningbo", contact="0574"
    )
    manner = Manner(SignatureFormat.PADES, placement=placement)
    made = making.prepare(manner, Subject.of(document), card.certificate, datetime.now(UTC))
    draft = draft_of(Act.FIRST, made, None)
    seen: list[tuple[bytes, int, int]] = []

    def look(window: Window) -> Answer:
        if window.command == "GETPIN":
            copy = path_in(pages_of(agent.human.windows), "Read it here: ")
            modes = copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777
            seen.append((copy.read_bytes(), *modes))
        return agent.human.agree(window)

    agent.human.answer = look
    agent.call(
        "sign", certificate=card.identifier, document=text(document), format="PAdES",
        to_be_signed=text(made.to_be_signed), draft=text(draft),
    )  # fmt: skip
    assert seen == [(draft, 0o600, 0o700)]
    lines = pages_of(agent.human.windows)
    assert "and I owe you a million" in " ".join(lines), "a long reason is not clipped"
    assert {"Place: Ningbo", "Contact: 0574"} <= set(lines)
    assert "Place of the seal, in points: 60, 60, 360, 200" in lines
    assert any(line.startswith("A visible seal on page 1 of 1") for line in lines)
    assert not path_in(lines, "Read it here: ").exists(), "erased afterwards"


def test_a_counter_signature_is_shown_and_made(agent: RunningAgent, card: MadeCard) -> None:
    below = SoftwareAuthority().signer("第一签署人")
    manner, now = Manner(SignatureFormat.CADES), datetime.now(UTC)
    first = making.prepare(manner, Subject.of(DECLARATION), below.certificate, now)
    signed = making.finish(Act.FIRST, first, below.key.sign(first.to_be_signed), None)
    counter = Manner(SignatureFormat.CADES, Act.COUNTER)
    made = making.prepare(counter, Subject({}, signed), card.certificate, now)
    draft = draft_of(Act.COUNTER, made, signed)
    asked = {
        "document": text(DECLARATION), "format": "CAdES", "draft": text(draft),
        "to_be_signed": text(made.to_be_signed),
    }  # fmt: skip
    refusal = agent.refused("sign", certificate=card.identifier, **asked)
    assert refusal["code"] == "draft.other-octets", "it is no signature over the document"
    told = agent.call("sign", certificate=card.identifier, act="counter", **asked)
    made.check(base64.b64decode(told["signature_value"]))
    lines = pages_of(agent.human.windows)
    assert "Upon the signature of: 第一签署人" in lines
    assert f"SHA-256: {below.certificate.fingerprint}" in lines


def test_every_document_of_a_bundle_can_be_read_before_the_pin(
    agent: RunningAgent, card: MadeCard
) -> None:
    documents = [DECLARATION.replace(b"40</GQty>", b"%d</GQty>" % n) for n in range(40, 50)]
    items = [
        prepare(SignatureFormat.CADES, each, card.certificate)[1] | {"name": "n" * 190}
        for each in documents
    ]
    read: list[dict[str, bytes]] = []

    def look(window: Window) -> Answer:
        if window.command == "GETPIN":
            list_ = path_in(pages_of(agent.human.windows), "Every document, and a list of all: ")
            read.append({each.name: each.read_bytes() for each in list_.parent.iterdir()})
        return agent.human.agree(window)

    agent.human.answer = look
    agent.call("sign_bundle", certificate=card.identifier, items=items)
    (files,) = read
    told = files.pop("documents.txt").decode()
    assert sorted(files) == [f"{number:02}.xml" for number in range(1, 11)]
    assert [files[name] for name in sorted(files)] == documents
    for each in documents:
        assert hashlib.sha256(each).hexdigest() in told
    assert told.count("n" * 190) == len(documents), "nothing is clipped in the list"
    lines = pages_of(agent.human.windows)
    facts = [line for line in lines if line.startswith("  1. ")]
    assert facts
    assert "nnn" not in facts[0], "a long name hides nothing"
    assert not path_in(lines, "Every document, and a list of all: ").exists()


def test_a_bundle_is_shown_with_its_totals_and_signed_with_one_pin(
    agent: RunningAgent, card: MadeCard
) -> None:
    documents = [DECLARATION.replace(b"40</GQty>", b"%d</GQty>" % n) for n in range(40, 47)]
    prepared = [prepare(SignatureFormat.CADES, d, card.certificate) for d in documents]
    prepared.append(prepare(SignatureFormat.XADES, INVENTORY, card.certificate))
    before = len(agent.human.windows)
    told = agent.call(
        "sign_bundle", certificate=card.identifier, items=[asked for _, asked in prepared]
    )
    for (each, _), value in zip(prepared, told["signature_values"], strict=True):
        each.check(base64.b64decode(value))
    shown = agent.human.windows[before:]
    assert [w.command for w in shown] == ["CONFIRM"] * (len(shown) - 1) + ["GETPIN"]
    lines = [line for window in shown for line in window.lines]
    assert "It asks you to sign 8 documents" in lines
    assert "  Customs declaration: 7" in lines
    assert "  Cross-border e-commerce import inventory: 1" in lines
    assert "Total value: 272,496.00 EUR" in lines
    assert "Total value: 128.00 142" in lines
    assert "  … and 2 more" in lines


def test_in_a_bundle_nothing_is_signed_unless_all_is_in_order(
    agent: RunningAgent, card: MadeCard
) -> None:
    _, good = prepare(SignatureFormat.CADES, DECLARATION, card.certificate)
    _, bad = prepare(SignatureFormat.CADES, INVENTORY, card.certificate)
    bad["document"] = text(DECLARATION)
    before = len(agent.human.windows)
    refusal = agent.refused("sign_bundle", certificate=card.identifier, items=[good, bad])
    assert refusal["code"] == "draft.other-document"
    assert len(agent.human.windows) == before


# -- PINs ------------------------------------------------------------------------------------------


def test_a_pin_is_changed_in_the_agents_windows(agent: RunningAgent, card: MadeCard) -> None:
    old, new = agent.human.pins[card.token["label"]], "7391-other"

    def answer(window: Window) -> Answer:
        return {"pin": new if window.repeat else old}

    agent.human.answer = answer
    assert agent.call("change_pin", token=card.token["id"]) == {}
    assert agent.refused("sign_in", nonce=NONCE)["code"] == "token.pin-wrong"
    agent.human.answer = lambda window: {"pin": new}
    agent.call("sign_in", nonce=NONCE)


def test_a_wrong_pin_says_so_and_a_typed_mistake_is_not_tried_twice(
    agent: RunningAgent, card: MadeCard
) -> None:
    agent.human.answer = lambda window: {"pin": "not-the-pin"}
    refusal = agent.refused("sign_in", nonce=NONCE)
    assert refusal["code"] == "token.pin-wrong"
    assert refusal["facts"] == {"tries_left": None, "tries": "few"}
    agent.human.answer = agent.human.agree
    agent.call("sign_in", nonce=NONCE)


REGISTRY = jwe.JWERegistry(algorithms=["ECDH-ES+A256KW", "PBES2-HS512+A256KW", "A256GCM"])


def sealed(recovery: str, key: ECKey) -> dict[str, str]:
    """What the authority finds in it, with a library of its own."""
    opened = jwe.decrypt_compact(recovery, key, registry=REGISTRY).plaintext
    assert opened is not None
    found: dict[str, str] = json.loads(opened)
    return found


def test_a_lost_pin_is_reset_without_the_page_or_the_mail_having_the_code(
    agent: RunningAgent,
) -> None:
    key = ECKey.generate_key("P-256")
    public: dict[str, Any] = {**key.as_dict(private=False), "kid": "recovery-1"}
    agent.human.answer = lambda window: {"pin": "193-746-first"}
    made = agent.call("initialise", token=blank_token(agent), label="unlocked", recovery_key=public)
    escrowed = sealed(made["recovery"], key)
    spki = serialization.load_pem_public_key(key.as_pem(private=False)).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    goes = [
        "The code that can reset the PIN goes, sealed, to the holder of this key:",
        f"Key: {hashlib.sha256(spki).hexdigest()}",
    ]
    (window,) = agent.human.windows
    assert window.lines[2:4] == goes
    agent.human.windows.clear()
    assert escrowed["serial"] == made["token"]["serial"]
    assert len(escrowed["code"]) == 32
    secret = "ABCD-2345-EFGH-6789"
    protected = {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 100_000}
    envelope = jwe.encrypt_compact(
        protected, json.dumps(escrowed), OctKey.import_key(secret.replace("-", "")),
        registry=REGISTRY,
    )  # fmt: skip
    typed = {"One-time secret:": "abcd 2345 efgh 6789", "New PIN:": "582-913-second"}
    agent.human.answer = lambda window: {"pin": typed[window.prompt]}
    unlock = {"token": made["token"]["id"], "envelope": envelope, "recovery_key": public}
    told = agent.call("unlock", **unlock)
    assert [window.lines[2:4] for window in agent.human.windows] == [goes, goes]
    assert agent.uses()[-1]["recovery_key"] == hashlib.sha256(spki).hexdigest()
    fresh = sealed(told["recovery"], key)
    assert fresh["serial"] == escrowed["serial"]
    assert fresh["code"] != escrowed["code"]
    spent = agent.refused("unlock", **unlock)
    assert spent["code"] == "token.unblocking-code-wrong"
    agent.human.answer = lambda window: {"pin": "582-913-second"}
    agent.call("make_key", token=made["token"]["id"])
    typed["One-time secret:"] = "WRONG"
    agent.human.answer = lambda window: {"pin": typed[window.prompt]}
    assert agent.refused("unlock", **unlock)["code"] == "recovery.secret"


@pytest.mark.parametrize("key", [{}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-256", "x": "AA"}])
def test_a_recovery_key_that_is_none_is_refused_before_anything_is_asked_or_changed(
    agent: RunningAgent, card: MadeCard, key: dict[str, str]
) -> None:
    blank = blank_token(agent)
    for method, what in (
        ("initialise", {"token": blank, "label": "none"}),
        ("unlock", {"token": card.token["id"]}),
    ):
        assert agent.refused(method, **what, recovery_key=key)["code"] == "recovery.key"
    assert not agent.human.windows
    assert blank_token(agent) == blank


def test_the_unblocking_code_that_came_with_a_token_unlocks_it(
    agent: RunningAgent, card: MadeCard
) -> None:
    typed = {"Unblocking code:": "never-was", "New PIN:": "582-913-second"}
    agent.human.answer = lambda window: {"pin": typed[window.prompt]}
    refusal = agent.refused("unlock", token=card.token["id"])
    assert refusal["code"] == "token.unblocking-code-wrong"


# -- windows ---------------------------------------------------------------------------------------


def test_a_closed_window_signs_nothing(agent: RunningAgent, card: MadeCard) -> None:
    agent.human.answer = lambda window: {"cancel": True}
    assert agent.refused("sign_in", nonce=NONCE)["code"] == "agent.cancelled"


def test_a_page_that_goes_away_takes_its_window_with_it(
    agent: RunningAgent, card: MadeCard
) -> None:
    closed = threading.Event()
    connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=30)

    def answer(window: Window) -> Answer:
        connection.close()
        closed.wait(30)
        return agent.human.agree(window)

    agent.human.answer = answer
    headers = {"Origin": agent.origin, "Content-Type": "application/json"}
    connection.request("POST", "/v1/sign_in", json.dumps({"nonce": NONCE}), headers)
    deadline = time.monotonic() + 30
    while agent.call("status")["busy"] or not agent.human.windows:
        assert time.monotonic() < deadline, "the window is still open"
        time.sleep(0.02)
    closed.set()
    assert agent.uses()[-1]["outcome"] == "agent.cancelled"
    agent.human.answer = agent.human.agree
    agent.call("sign_in", nonce=NONCE)


def test_one_window_at_a_time(agent: RunningAgent, card: MadeCard) -> None:
    refusals: list[str] = []

    def answer(window: Window) -> Answer:
        if not refusals:
            refusals.append(agent.refused("sign_in", nonce=NONCE)["code"])
            assert agent.call("status")["busy"]
        return agent.human.agree(window)

    agent.human.answer = answer
    agent.call("sign_in", nonce=NONCE)
    assert refusals == ["agent.busy"]
    assert len(agent.human.windows) == 1


def test_a_page_whose_windows_are_closed_again_and_again_must_wait(
    agent: RunningAgent, card: MadeCard
) -> None:
    agent.human.answer = lambda window: {"cancel": True}
    codes = [agent.refused("sign_in", nonce=NONCE)["code"] for _ in range(20)]
    assert codes == ["agent.cancelled"] * 3 + ["agent.paused"] * 17
    assert len(agent.human.windows) == 3
    agent.allow("https://not-punished.example")
    assert agent.call("connect") == {"origin": "allowed"}
    assert len(agent.human.windows) > 0


def test_strangers_together_get_few_questions(own_agent: RunningAgent) -> None:
    own_agent.human.answer = lambda window: {"cancel": True}
    codes = []
    for number in range(12):
        own_agent.origin = f"https://flood-{number}.example"
        codes.append(own_agent.refused("connect")["code"])
    assert codes == ["agent.cancelled"] * 5 + ["agent.paused"] * 7


# -- the log ---------------------------------------------------------------------------------------


def test_every_use_stands_in_the_log_and_no_pin_does(
    agent: RunningAgent, authority: SoftwareAuthority, label: str
) -> None:
    card = make_card(agent, authority, label)
    _, asked = prepare(SignatureFormat.XADES, DECLARATION, card.certificate)
    agent.call("sign", certificate=card.identifier, **asked)
    assert agent.refused("sign_in", nonce=NONCE, certificate="0" * 64)
    uses = [use for use in agent.uses() if use["origin"] == agent.origin]
    assert [(use["method"], use["outcome"]) for use in uses] == [
        ("tokens", "done"),
        ("initialise", "done"),
        ("make_key", "done"),
        ("write_certificates", "done"),
        ("sign", "done"),
        ("sign_in", "card.no-certificate"),
    ]
    signed = uses[-2]
    assert signed["certificate"] == card.certificate.fingerprint
    assert signed["documents"][0]["kind"] == "dec-message"
    assert "Declarant: 上海示例报关有限公司" in signed["shown"]
    told = agent.command("log")
    assert agent.origin in told
    assert "Total value: 38,928.00 EUR" in told
    pin = agent.human.pins[label]
    kept = [path for path in agent.home.rglob("*") if path.is_file()]
    assert kept
    for path in kept:
        assert pin.encode() not in path.read_bytes(), path
        assert path.stat().st_mode & 0o077 == 0, path


def test_the_pin_stands_in_no_argument_and_no_environment(
    agent: RunningAgent, card: MadeCard
) -> None:
    pin = agent.human.pins[card.token["label"]].encode()
    seen: list[bool] = []

    def answer(window: Window) -> Answer:
        processes = Path("/proc").glob("[0-9]*")
        seen.extend(pin in read(path / name) for path in processes for name in NAMES)
        return agent.human.agree(window)

    agent.human.answer = answer
    told = agent.call("sign_in", nonce=NONCE)
    assert seen
    assert not any(seen)
    assert pin not in json.dumps(told).encode()


NAMES = ("cmdline", "environ")


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
