"""Signing in, and signing documents that are shown first."""

import base64
import hashlib
import json
from datetime import UTC, datetime

import pytest

from signing_service.formats import making
from signing_service.formats.draft import draft_of
from signing_service.formats.manner import Act, Manner, Subject, lies_beside
from signing_service.formats.pades import whole as pades
from signing_service.formats.recognition import read_signatures
from signing_service.sso.authentication_token import read_authentication_token, signed_value
from signing_service.validation.evidence import SignatureFormat
from tests.key_agent.cards import MadeCard, prepare, text
from tests.key_agent.documents import (
    DECLARATION,
    NONCE,
    SAMPLES,
    pages_of,
    path_in,
    small_pdf,
)
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent
from tests.software_keys import SoftwareAuthority

INVENTORY = (SAMPLES / "ceb621.xml").read_bytes()


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
    last = shown[-1].lines
    for again in (
        "It asks you to sign 8 documents",
        "Total value: 272,496.00 EUR",
        "Total value: 128.00 142",
        f"USB key: {card.token['label']}",
    ):
        assert last.count(again) == 1, "where the PIN is typed it stands once"


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
