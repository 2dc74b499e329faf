"""Keys made ahead go to one card each; without one a key is made on the spot."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from hsm.token import Token
from hsm.wrapping import KeyUse, WrappedKey
from kernel.algorithms import ECDSA_P256_SHA256, RSA_PKCS1_SHA256, AlgorithmSuite
from key_centre.pool import KeyPool
from key_centre.requests import CardRequest
from portseal.holder.opening import open_message
from tests.key_centre.sealing import sealed_to
from tests.key_centre.world import TRANSPORT, CentreWorld

P256, RSA = ECDSA_P256_SHA256.name, RSA_PKCS1_SHA256.name
KINDS = {"p256": P256, "rsa": RSA}


@contextmanager
def counted_generations(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The suites of the keys that any token makes for escrow meanwhile."""
    made: list[str] = []
    generate = Token.generate_wrapped

    def counting(self: Token, suite: AlgorithmSuite, use: KeyUse, wrapping: str) -> WrappedKey:
        made.append(suite.name)
        return generate(self, suite, use, wrapping)

    with monkeypatch.context() as patched:
        patched.setattr(Token, "generate_wrapped", counting)
        yield made


def there(centre: CentreWorld, name: str) -> int:
    levels = centre.centre.pool.levels()
    return levels[name].there if name in levels else 0


def filled(centre: CentreWorld, **sizes: int) -> KeyPool:
    pool = centre.pool({KINDS[kind]: size for kind, size in sizes.items()})
    while pool.has_room():
        assert pool.fill() > 0
    return pool


def test_a_card_takes_a_key_from_the_pool_and_makes_none(
    any_centre: CentreWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre = any_centre
    filled(centre, p256=3, rsa=1)
    owner = centre.enterprise()
    holders = [
        centre.operator(owner),
        centre.operator(owner, number="E-002", suite=RSA_PKCS1_SHA256),
    ]
    with counted_generations(monkeypatch) as made:
        for holder in holders:
            delivery = centre.centre.deliveries.deliver(holder.asks())
            holder.installs(delivery)
            sealed = sealed_to(delivery.certificate, b"document")
            assert open_message(sealed, holder.slot.keys()) == b"document"
    assert made == []
    assert (there(centre, P256), there(centre, RSA)) == (2, 0)
    told = [json.loads(each.facts) for each in centre.told(holders[0].card.number)
            if each.event == "key.escrowed"]  # fmt: skip
    assert [each["made_ahead"] for each in told] == [True]


def test_without_a_key_of_its_kind_one_is_made_on_the_spot(
    centre: CentreWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(centre, p256=2)
    holder = centre.operator(suite=RSA_PKCS1_SHA256)
    with counted_generations(monkeypatch) as made:
        centre.centre.deliveries.deliver(holder.asks_for(TRANSPORT.public_key))
    assert made == [RSA]
    assert there(centre, P256) == 2


def test_many_cards_at_once_never_share_a_key(any_centre: CentreWorld) -> None:
    centre, count = any_centre, 6
    filled(centre, p256=count - 2)
    owner = centre.enterprise()
    asked = [
        centre.operator(owner, number=f"E-{number}").asks_for(TRANSPORT.public_key)
        for number in range(count)
    ]
    together = threading.Barrier(count)

    def deliver(request: CardRequest) -> str:
        together.wait()
        return centre.centre.deliveries.deliver(request).certificate.public_key.fingerprint

    with ThreadPoolExecutor(count) as several:
        keys = list(several.map(deliver, asked))
    assert len(set(keys)) == count
    assert there(centre, P256) == 0


def test_the_pool_fills_to_its_size_in_batches_that_are_journalled(centre: CentreWorld) -> None:
    pool = centre.pool({P256: 20, RSA: 1})
    assert pool.has_room()
    assert pool.fill() == 16 + 1, "an RSA key holds the token up: one at a time"
    assert pool.fill() == 4
    assert pool.fill() == 0
    assert not pool.has_room()
    told = [json.loads(each.facts) for each in centre.told(P256)]
    assert [each["keys"] for each in told] == [16, 4]
    assert len({each["fingerprints"] for each in told}) == 2


def test_a_death_between_making_and_recording_leaves_no_key(
    centre: CentreWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card whose delivery failed leaves the pool as it was, and asks again."""
    filled(centre, p256=2)
    holder = centre.operator()
    asked = holder.asks_for(TRANSPORT.public_key)
    with monkeypatch.context() as broken:
        broken.setattr(centre.portal.authority.journal, "append", _killed)
        with pytest.raises(RuntimeError, match="killed"):
            centre.centre.deliveries.deliver(asked)
    assert there(centre, P256) == 2
    centre.centre.deliveries.deliver(holder.asks_for(TRANSPORT.public_key))
    assert there(centre, P256) == 1


def _killed(*_: object, **__: object) -> int:
    raise RuntimeError("killed")
