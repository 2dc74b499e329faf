"""Two keys of the register share a prime, which neither shows alone."""

from math import prod

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from ca.shared_factors import factors_shared, find_shared
from kernel.algorithms import RSA_PKCS1_SHA256
from kernel.identifiers import serial_text
from tests.ca.world import World, operator_request
from tests.software_keys import SoftwareKey

_PRIMES = (101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157)


def rsa_key(p: int, q: int) -> SoftwareKey:
    d = rsa.rsa_recover_private_exponent(65537, p, q)
    public = rsa.RSAPublicNumbers(65537, p * q)
    parts = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    return SoftwareKey(
        rsa.RSAPrivateNumbers(p, q, d, *parts, public).private_key(), RSA_PKCS1_SHA256
    )


@pytest.fixture(scope="module")
def primes() -> list[int]:
    """Six large ones."""
    keys = [rsa.generate_private_key(65537, 2048).private_numbers() for _ in range(3)]
    return [prime for key in keys for prime in (key.p, key.q)]


def test_certificates_whose_keys_share_a_prime_are_found(world: World, primes: list[int]) -> None:
    a, b, c, d, e, _ = primes
    keys = [rsa_key(a, b), rsa_key(c, d), rsa_key(a, e)]
    issued = [
        world.issuing.issue(world.issuing.prepare("operator", operator_request(key)))
        for key in keys
    ]
    world.issue()  # an elliptic key, which has no part in it
    found = find_shared(world.database)
    assert found.compared == 3
    first, _, third = (serial_text(each.serial) for each in issued)
    assert found.serials == tuple(sorted([first, third]))


def test_sound_keys_share_nothing(world: World, primes: list[int]) -> None:
    a, b, c, d, *_ = primes
    for key in (rsa_key(a, b), rsa_key(c, d)):
        world.issuing.issue(world.issuing.prepare("operator", operator_request(key)))
    assert find_shared(world.database).serials == ()


@given(st.sets(st.sets(st.sampled_from(_PRIMES), min_size=2, max_size=2).map(prod), max_size=20))
def test_each_modulus_is_told_what_it_shares_with_the_others(moduli: set[int]) -> None:
    numbers = sorted(moduli)
    for number, factor in zip(numbers, factors_shared(numbers), strict=True):
        own = [prime for prime in _PRIMES if number % prime == 0]
        others = [each for each in numbers if each != number]
        shared = [p for p in own if any(each % p == 0 for each in others)]
        assert factor == prod(shared)
