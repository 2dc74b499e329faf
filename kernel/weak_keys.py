"""RSA keys that look sound and are not: what can be told from the modulus alone.

The checks are those that CA/Browser Baseline Requirements, 6.1.1.3 and 6.1.6, ask for and that
need no list: ROCA, close primes, small factors, bad exponents. Keys of Debian's broken generator
(CVE-2008-0166) are known by lists only, and are not looked for.
"""

from functools import lru_cache
from math import gcd, isqrt, prod

from kernel.refusals import Reason

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
_FERMAT_ROUNDS = 100
_ROCA_GENERATOR = 65537


def _primes(limit: int) -> tuple[int, ...]:
    found: list[int] = []
    for candidate in range(2, limit):
        if all(candidate % prime for prime in found):
            found.append(candidate)
    return tuple(found)


def _powers(prime: int) -> frozenset[int]:
    """The residues that are powers of the generator."""
    powers, value = set(), 1
    while value not in powers:
        powers.add(value)
        value = value * _ROCA_GENERATOR % prime
    return frozenset(powers)


_SMALL_FACTORS = prod(_primes(752))
_ROCA_RESIDUES = tuple((prime, _powers(prime)) for prime in _primes(168) if prime > 2)


@lru_cache(maxsize=1024)
def rsa_weakness(modulus: int, exponent: int) -> Reason | None:
    """Why no certificate may be issued for this key, or None."""
    bits = modulus.bit_length()
    if bits < MIN_RSA_BITS:
        facts = {"bits": bits, "least": MIN_RSA_BITS}
        return Reason("RSA modulus of {bits} bits (at least {least})", facts)
    if bits > MAX_RSA_BITS:
        facts = {"bits": bits, "most": MAX_RSA_BITS}
        return Reason("RSA modulus of {bits} bits (at most {most})", facts)
    if bits % 8:
        return Reason("RSA modulus of {bits} bits, which are no whole octets", {"bits": bits})
    if exponent < 65537 or exponent % 2 == 0 or exponent >= 1 << 256:
        return Reason("RSA exponent outside 65537 .. 2^256, or even")
    if gcd(modulus, _SMALL_FACTORS) != 1:
        return Reason("RSA modulus with a small factor")
    if is_roca(modulus):
        return Reason("RSA key of the broken Infineon generator (ROCA, CVE-2017-15361)")
    if _has_close_primes(modulus):
        return Reason("RSA modulus of two primes that are close together")
    return None


def is_roca(modulus: int) -> bool:
    """Whether the modulus has the fingerprint of Infineon's library (Nemec and others, The Return
    of Coppersmith's Attack, CCS 2017): modulo every small prime it is a power of 65537.

    A sound modulus passes for one with a chance below 2^-27.
    """
    return all(modulus % prime in residues for prime, residues in _ROCA_RESIDUES)


def _has_close_primes(modulus: int) -> bool:
    """Fermat's factorisation, some rounds of it (BR 6.1.1.3)."""
    root = isqrt(modulus)
    if root * root == modulus:
        return True
    for a in range(root + 1, root + 1 + _FERMAT_ROUNDS):
        rest = a * a - modulus
        b = isqrt(rest)
        if b * b == rest:
            return True
    return False
