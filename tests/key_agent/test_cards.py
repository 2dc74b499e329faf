"""A login that is kept for the page's next step: on a real token, beside others who want it."""

import os
import threading
from collections.abc import Iterator

import pkcs11
import pytest

from hsm.plugged import PluggedToken
from kernel.algorithms import ECDSA_P256_SHA256
from kernel.refusals import Conflict
from key_agent.cards import Cards
from tests.token import TokenBench

SITE = "https://portal.example"
LABEL = "kept logins"


@pytest.fixture(scope="module")
def pin(token_bench: TokenBench) -> str:
    token_bench.new_token(LABEL)
    return os.environ[TokenBench.pin_variable(LABEL)]


@pytest.fixture
def cards(token_bench: TokenBench, pin: str) -> Iterator[Cards]:
    made = Cards([token_bench.module])
    yield made
    made.close()


@pytest.fixture
def plugged(cards: Cards) -> PluggedToken:
    (found,) = [each for each in cards.plugged() if each.label == LABEL]
    return found


def shows_private_keys(module: str) -> bool:
    """Whether somebody of this process is logged in: a private key is seen by nobody else."""
    with pkcs11.lib(module).get_token(token_label=LABEL).open() as session:
        wanted = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY}
        return bool(list(session.get_objects(wanted)))


def test_nobody_else_uses_the_token_before_the_work_of_a_kept_login_is_done(
    cards: Cards, plugged: PluggedToken, pin: str
) -> None:
    inside = threading.Event()

    def another_site() -> None:
        with cards.opened(plugged, pin):
            inside.set()

    other = threading.Thread(target=another_site)
    with cards.keep(SITE, plugged, pin) as token:
        other.start()
        key = token.generate("one", ECDSA_P256_SHA256)
        assert not inside.wait(0.3)
        key.sign(b"still logged in")
    other.join(30)
    assert inside.is_set()
    assert not cards.has_kept(SITE, plugged.identifier)


def test_a_login_is_kept_when_its_work_is_done_and_ends_with_the_next_step(
    cards: Cards, plugged: PluggedToken, pin: str
) -> None:
    with cards.keep(SITE, plugged, pin) as token:
        token.generate("two", ECDSA_P256_SHA256)
    assert cards.has_kept(SITE, plugged.identifier)
    assert shows_private_keys(plugged.module)
    with cards.kept("https://another.example", plugged.identifier) as foreign:
        assert foreign is None
    assert not cards.has_kept(SITE, plugged.identifier)
    assert not shows_private_keys(plugged.module)


def test_a_login_whose_work_failed_is_not_kept(
    cards: Cards, plugged: PluggedToken, pin: str
) -> None:
    def make_the_same_key_twice() -> None:
        with cards.keep(SITE, plugged, pin) as token:
            token.generate("three", ECDSA_P256_SHA256)
            assert shows_private_keys(plugged.module)
            token.generate("three", ECDSA_P256_SHA256)

    with pytest.raises(Conflict, match=r"key\.exists"):
        make_the_same_key_twice()
    assert not cards.has_kept(SITE, plugged.identifier)
    assert not shows_private_keys(plugged.module)
