"""What the log tells of each use, and where a PIN never stands."""

import json
from pathlib import Path

from signing_service.validation.evidence import SignatureFormat
from tests.key_agent.cards import MadeCard, make_card, prepare
from tests.key_agent.documents import DECLARATION, NONCE
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent
from tests.software_keys import SoftwareAuthority


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
