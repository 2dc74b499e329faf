"""Signatures over several documents, over a part of one, and certifications: what the agent's user
sees of each before the PIN, on a real token."""

import base64
import hashlib
from datetime import UTC, datetime

from kernel.entropy import SystemEntropy
from signing_service.formats import bundle, making
from signing_service.formats.draft import draft_of
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.pades.whole import Certification, Placement
from signing_service.validation.evidence import Packaging, SignatureFormat
from tests.key_agent.cards import MadeCard, text
from tests.key_agent.documents import pages_of, path_in
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent
from tests.key_agent.test_drafts import DECLARATION, PDF
from tests.signing_service.formats.hostile import LOCKED_PDF


def test_every_document_of_a_container_is_shown_and_signed(
    agent: RunningAgent, card: MadeCard
) -> None:
    contract = "价款：一百万元\n".encode()
    documents = {"entry.xml": DECLARATION, "合同.txt": contract}
    manner = Manner(SignatureFormat.ASIC_E)
    prepared = making.prepare(manner, Subject(documents), card.certificate, datetime.now(UTC))
    asked = {
        "document": text(DECLARATION), "format": "ASiC-E",
        "to_be_signed": text(prepared.to_be_signed),
        "draft": text(draft_of(Act.FIRST, prepared, None)),
    }  # fmt: skip
    refusal = agent.refused("sign", certificate=card.identifier, **asked)
    assert refusal["code"] == "draft.other-document", "one of them was not shown"
    read: list[dict[str, bytes]] = []

    def look(window: Window) -> Answer:
        if window.command == "GETPIN":
            path = path_in(pages_of(agent.human.windows), "Read it here: ")
            read.append({each.name: each.read_bytes() for each in path.parent.iterdir()})
        return agent.human.agree(window)

    agent.human.answer = look
    told = agent.call(
        "sign", certificate=card.identifier, **asked,
        beside=[{"document": text(contract), "name": "scan.txt"}],
    )  # fmt: skip
    prepared.check(base64.b64decode(told["signature_value"]))
    assert read == [{"document.xml": DECLARATION, "document-2.txt": contract}]
    lines = pages_of(agent.human.windows)
    for line in (
        "Named in the signature: entry.xml",
        "The same signature also signs: a text",
        "Named in the signature: 合同.txt",
        "File: scan.txt",
        "  价款：一百万元",
        f"SHA-256: {hashlib.sha256(contract).hexdigest()}",
    ):
        assert line in lines, lines


def test_a_part_of_a_file_is_shown_alone(agent: RunningAgent, card: MadeCard) -> None:
    document = b'<papers><offer Id="o"><price>100</price></offer><note>other</note></papers>'
    manner = Manner(SignatureFormat.XADES, packaging=Packaging.INTERNALLY_DETACHED, target="o")
    prepared = making.prepare(
        manner, Subject({"p.xml": document}), card.certificate, datetime.now(UTC)
    )
    draft = draft_of(Act.FIRST, prepared, None)
    told = agent.call(
        "sign", certificate=card.identifier, document=text(document), format="XAdES",
        to_be_signed=text(prepared.to_be_signed), draft=text(draft),
    )  # fmt: skip
    prepared.check(base64.b64decode(told["signature_value"]))
    lines = pages_of(agent.human.windows)
    part = b'<offer Id="o"><price>100</price></offer>'
    assert "It signs only this part of the file: #o" in lines
    assert f"SHA-256: {hashlib.sha256(part).hexdigest()}" in lines
    assert f"SHA-256: {hashlib.sha256(document).hexdigest()}" not in lines


def shown_of_pdf(
    agent: RunningAgent, card: MadeCard, document: bytes, placement: Placement
) -> list[str]:
    """The lines of the windows in which this signature was agreed to."""
    manner = Manner(SignatureFormat.PADES, placement=placement)
    prepared = making.prepare(manner, Subject.of(document), card.certificate, datetime.now(UTC))
    told = agent.call(
        "sign", certificate=card.identifier, document=text(document), format="PAdES",
        to_be_signed=text(prepared.to_be_signed),
        draft=text(draft_of(Act.FIRST, prepared, None)),
    )  # fmt: skip
    prepared.check(base64.b64decode(told["signature_value"]))
    return pages_of(agent.human.windows)


def test_a_certification_is_shown(agent: RunningAgent, card: MadeCard) -> None:
    placement = Placement(certification=Certification.NO_CHANGES)
    lines = shown_of_pdf(agent, card, PDF, placement)
    assert "It certifies the document: nothing may be changed afterwards." in lines


def test_what_is_locked_is_shown(agent: RunningAgent, card: MadeCard) -> None:
    said = "".join(shown_of_pdf(agent, card, LOCKED_PDF, Placement("approval")))
    assert (
        "It locks these form fields, which may not be changed afterwards: “amount”, “price”" in said
    )


def test_a_bundle_for_several_agencies_is_shown_and_signed_once(
    agent: RunningAgent, card: MadeCard
) -> None:
    documents = [DECLARATION.replace(b"40</GQty>", b"%d</GQty>" % n) for n in range(40, 43)]
    agencies = ["海关", "税务", "外汇"]
    made = bundle.build(list(map(bundle.Part, agencies, documents)), SystemEntropy())
    prepared = bundle.prepare(made, card.certificate, datetime.now(UTC))
    parts: list[dict[str, object]] = [
        {"recipient": agency, "document": text(document)}
        for agency, document in zip(agencies, documents, strict=True)
    ]
    asked = {
        "certificate": card.identifier,
        "proofs": [text(each.to_bytes()) for each in made.proofs],
        "to_be_signed": text(prepared.to_be_signed),
    }
    hostile = [
        parts[:2],
        [parts[1], parts[0], parts[2]],
        [*parts[:2], {**parts[2], "recipient": "黑市"}],
        [*parts[:2], {**parts[2], "document": text(documents[2] + b" ")}],
        [*parts, parts[2]],
    ]
    for each in hostile:
        refusal = agent.refused("sign_tree", parts=each, **asked)
        assert refusal["code"] == "draft.other-document"
    assert not [each for each in agent.human.windows if each.command == "GETPIN"]
    before = len(agent.human.windows)
    told = agent.call("sign_tree", parts=parts, **asked)
    prepared.check(base64.b64decode(told["signature_value"]))
    windows = agent.human.windows[before:]
    assert [each.command for each in windows].count("GETPIN") == 1
    lines = pages_of(windows)
    assert "It asks you to sign 3 documents" in lines
    assert [line for line in lines if line.startswith("For: ")] == [
        f"For: {agency}" for agency in agencies
    ]
