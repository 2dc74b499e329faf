"""What was shown is what is signed, whatever happens on the disk while the window is open."""

import base64
from pathlib import Path

import pytest

from signing_service.validation.evidence import SignatureFormat
from tests.key_agent.cards import MadeCard, prepare
from tests.key_agent.documents import DECLARATION, pages_of, path_in, small_pdf
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent

OTHER = DECLARATION.replace(b"40</GQty>", b"99999</GQty>")


def overwritten(copy: Path) -> None:
    copy.write_bytes(OTHER)


def removed(copy: Path) -> None:
    copy.unlink()


def turned_elsewhere(copy: Path) -> None:
    elsewhere = copy.parent / "elsewhere"
    elsewhere.write_bytes(OTHER)
    copy.unlink()
    copy.symlink_to(elsewhere)


@pytest.mark.parametrize("change", [overwritten, removed, turned_elsewhere])
def test_a_copy_that_is_changed_while_it_is_read_changes_nothing(
    agent: RunningAgent, card: MadeCard, change: object
) -> None:
    """Another program of the same user at work between the look and the PIN."""
    assert callable(change)
    document = small_pdf()
    prepared, asked = prepare(SignatureFormat.PADES, document, card.certificate)
    changed: list[Path] = []

    def tamper(window: Window) -> Answer:
        if window.command == "GETPIN":
            copy = path_in(pages_of(agent.human.windows), "Read it here: ")
            change(copy)
            changed.append(copy)
        return agent.human.agree(window)

    agent.human.answer = tamper
    told = agent.call("sign", certificate=card.identifier, **asked)
    prepared.check(base64.b64decode(told["signature_value"]))
    (copy,) = changed
    assert not copy.parent.exists(), "erased all the same"


def test_a_bundle_whose_copies_are_swapped_is_signed_as_it_was_asked_for(
    agent: RunningAgent, card: MadeCard
) -> None:
    pairs = [
        prepare(SignatureFormat.CADES, each, card.certificate)
        for each in (DECLARATION, DECLARATION.replace(b"40</GQty>", b"41</GQty>"))
    ]
    swapped = []

    def tamper(window: Window) -> Answer:
        if window.command == "GETPIN":
            lines = pages_of(agent.human.windows)
            place = path_in(lines, "Every document, and a list of all: ").parent
            for copy in place.iterdir():
                copy.write_bytes(OTHER)
                swapped.append(copy)
        return agent.human.agree(window)

    agent.human.answer = tamper
    items = [asked for _, asked in pairs]
    told = agent.call("sign_bundle", certificate=card.identifier, items=items)
    for (prepared, _), value in zip(pairs, told["signature_values"], strict=True):
        prepared.check(base64.b64decode(value))
    assert len(swapped) == 3
