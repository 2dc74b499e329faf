"""Making a card: a blank token, a key, its certificate written back."""

import base64

from tests.key_agent.cards import MadeCard, blank_token, make_card, text
from tests.key_agent.documents import NONCE
from tests.key_agent.running import RunningAgent
from tests.software_keys import SoftwareAuthority


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
