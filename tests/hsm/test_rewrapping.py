"""A wrapped key goes from one wrapping key to another inside the token."""

import pytest

from hsm.rewrapping import rewrap
from hsm.secret_keys import SecretUse
from hsm.wrapping import KeyUse
from kernel.algorithms import ECDSA_P256_SHA256
from kernel.refusals import Malformed
from tests.token import TokenBench


def test_a_key_is_wrapped_anew_and_only_under_the_key_that_wrapped_it(
    token_bench: TokenBench,
) -> None:
    token = token_bench.new_token("rewraps")
    for label in ("one", "two", "three"):
        token.generate_secret(label, SecretUse.WRAP)
    wrapped = token.generate_wrapped(ECDSA_P256_SHA256, KeyUse.AGREE, "one")
    moved = rewrap(token, wrapped, "one", "two")
    assert (moved.spki, moved.use) == (wrapped.spki, wrapped.use)
    assert moved.value != wrapped.value
    assert rewrap(token, moved, "two", "three").spki == wrapped.spki
    with pytest.raises(Malformed) as refusal:
        rewrap(token, wrapped, "two", "three")
    assert refusal.value.code == "wrapped-key.malformed"
    assert token.key_labels() == []
