"""RSA keys that look sound and are not are told from their modulus."""

import random
from math import log2, prod

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kernel.algorithms import PublicKey
from kernel.refusals import Reason
from kernel.weak_keys import _ROCA_RESIDUES, is_roca, rsa_weakness

DRAW = random.Random(20171015)
E = 65537


def is_prime(number: int) -> bool:
    """Miller and Rabin, with fixed bases: enough for a test's own numbers."""
    if any(number % small == 0 for small in (2, 3, 5, 7, 11, 13)):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19):
        value = pow(base, odd, number)
        if value in (1, number - 1):
            continue
        for _ in range(twos - 1):
            value = value * value % number
            if value == number - 1:
                break
        else:
            return False
    return True


def next_prime(number: int) -> int:
    number |= 1
    while not is_prime(number):
        number += 2
    return number


def infineon_prime() -> int:
    """k * M + 65537^a mod M, M the product of the first 126 primes: a prime of 1024 bits, as the
    broken library made them for RSA-2048."""
    primes: list[int] = []
    candidate = 2
    while len(primes) < 126:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    primorial = prod(primes)
    spare = 1024 - primorial.bit_length()
    while True:
        k = DRAW.getrandbits(spare) | 3 << (spare - 2)
        found = k * primorial + pow(E, DRAW.getrandbits(200), primorial)
        if found.bit_length() == 1024 and is_prime(found):
            return found


def key(modulus: int, exponent: int = E) -> PublicKey:
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    return PublicKey.from_spki(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def test_a_key_of_the_broken_library_is_told() -> None:
    modulus = infineon_prime() * infineon_prime()
    assert is_roca(modulus)
    weakness = key(modulus).weakness()
    assert weakness is not None
    assert "ROCA" in weakness.said()


def test_sound_keys_are_not_taken_for_broken_ones() -> None:
    for _ in range(5):
        numbers = rsa.generate_private_key(E, 2048).public_key().public_numbers()
        assert rsa_weakness(numbers.n, numbers.e) is None
    by_chance = sum(log2(len(residues) / (prime - 1)) for prime, residues in _ROCA_RESIDUES)
    assert by_chance < -27


P = next_prime(3 << 1022 | DRAW.getrandbits(1020))
Q = next_prime(3 << 1022 | DRAW.getrandbits(1021))


@pytest.mark.parametrize(
    ("modulus", "exponent", "told"),
    [
        (P * Q, 3, "exponent"),
        (P * Q, 65536, "exponent"),
        (P * Q, 65535, "exponent"),
        (P * Q, (1 << 256) + 1, "exponent"),
        (P * next_prime(P + 2**20), E, "close together"),
        (P * P, E, "close together"),
        (P * (Q >> 2), E, "at least 2048"),
        (P * Q << 1, E, "no whole octets"),
        (1 << 8192 | 1, E, "at most 8192"),
    ],
)
def test_what_is_wrong_with_a_key_is_said(modulus: int, exponent: int, told: str) -> None:
    weakness = rsa_weakness(modulus, exponent)
    assert weakness is not None
    assert told in weakness.said()


def test_a_small_factor_is_found() -> None:
    modulus = (P * Q // 751 | 1) * 751
    assert rsa_weakness(modulus, E) == Reason("RSA modulus with a small factor")
