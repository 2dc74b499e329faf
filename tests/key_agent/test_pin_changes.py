"""Changing a PIN, and setting a new one without the page or the mail having the code."""

import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jwe
from joserfc.jwk import ECKey, OctKey

from tests.key_agent.cards import MadeCard, blank_token
from tests.key_agent.documents import NONCE
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent


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
