"""Renewing a card through the agent: its key vouches for a key on its own token alone."""

import base64

import pytest

from kernel.algorithms import PublicKey
from kernel.renewal_statement import renewal_statement
from tests.key_agent.cards import MadeCard, make_card, text
from tests.key_agent.running import RunningAgent
from tests.software_keys import SoftwareAuthority

CHALLENGE = base64.b64encode(bytes(range(32))).decode("ascii")


def test_the_user_sees_both_keys_and_the_old_one_vouches_for_the_new_one(
    agent: RunningAgent, authority: SoftwareAuthority, label: str
) -> None:
    card = make_card(agent, authority, label)
    made = agent.call("make_key", token=card.token["id"], purpose="rekey")
    fresh = authority.certificate_for(base64.b64decode(made["pkcs10"]))
    old, new = card.certificate.public_key, fresh.public_key
    before = len(agent.human.windows)
    what = {"certificate": card.identifier, "key": made["key"], "challenge": CHALLENGE}

    signature = base64.b64decode(agent.call("sign_renewal", **what)["signature"])

    statement = renewal_statement(old, new, agent.origin, CHALLENGE)
    assert old.verify(old.default_suite(), signature, statement)
    (window,) = agent.human.windows[before:]
    assert window.lines[1] == "It asks to renew your card: the old key vouches for a new one."
    assert f"Old key: {old.fingerprint}" in window.lines
    assert f"New key: {new.fingerprint}" in window.lines
    agent.call("write_certificates", token=card.token["id"], certificates=[text(fresh.der)])
    assert len(agent.human.windows) == before + 1


def test_a_sign_in_is_no_renewal(agent: RunningAgent, card: MadeCard) -> None:
    told = agent.call("sign_in", nonce=CHALLENGE, certificate=card.identifier)["token"]
    signature = card.suite.from_raw(base64.b64decode(told["signature"]))
    own: PublicKey = card.certificate.public_key
    for new in (own, SoftwareAuthority().signer().certificate.public_key):
        statement = renewal_statement(own, new, agent.origin, CHALLENGE)
        assert not own.verify(card.suite, signature, statement)


@pytest.mark.parametrize("key", ["signing", "signing-9"])
def test_a_key_that_is_no_new_one_on_the_token_is_not_vouched_for(
    agent: RunningAgent, card: MadeCard, key: str
) -> None:
    what = {"certificate": card.identifier, "key": key, "challenge": CHALLENGE}
    before = len(agent.human.windows)
    assert agent.refused("sign_renewal", **what)["code"] == "key.missing"
    assert len(agent.human.windows) == before


@pytest.mark.parametrize(
    "wrong", [{"challenge": "n" * 44}, {"key": "a/b"}, {"pkcs10": "AAAA"}, {"certificate": "0"}]
)
def test_a_malformed_wish_is_refused(
    agent: RunningAgent, card: MadeCard, wrong: dict[str, str]
) -> None:
    what = {"certificate": card.identifier, "key": "signing-2", "challenge": CHALLENGE, **wrong}
    assert agent.refused("sign_renewal", **what)["code"] == "request.malformed"
