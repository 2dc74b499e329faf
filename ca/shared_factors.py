"""RSA keys of the register that share a prime: both are broken by one greatest common divisor.

Seen in keys of devices that had no entropy when they were made (Heninger and others, Mining Your
Ps and Qs, USENIX Security 2012). One key shows nothing; all of them together do, by a tree of
products and a tree of remainders (Bernstein, How to find smooth parts of integers, 2004).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd

from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select

from ca.tables import certificates
from kernel.asn1.certificate import Certificate
from records.database import Database

_AT_A_TIME = 1000


@dataclass(frozen=True)
class Shared:
    """What was found."""

    compared: int
    """Different RSA moduli."""
    serials: tuple[str, ...]
    """Of the certificates whose key shares a prime with another key."""


def factors_shared(moduli: Sequence[int]) -> list[int]:
    """For each of these different moduli its greatest common divisor with the product of the
    others; 1: it shares nothing."""
    if len(moduli) < 2:
        return [1] * len(moduli)
    levels = [list(moduli)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        pairs = [a * b for a, b in zip(below[::2], below[1::2], strict=False)]
        levels.append(pairs + below[len(pairs) * 2 :])
    remainders = levels.pop()
    for level in reversed(levels):
        remainders = [remainders[i // 2] % (n * n) for i, n in enumerate(level)]
    return [gcd(rest // n, n) for rest, n in zip(remainders, moduli, strict=True)]


def find_shared(database: Database) -> Shared:
    """Of every certificate that was issued, whatever became of it: a prime that an old key shows
    opens a new one. Memory holds the RSA moduli. Raises Unavailable."""
    serials: dict[int, list[str]] = {}
    columns = certificates.c.serial, certificates.c.certificate
    query = select(*columns).where(certificates.c.certificate.is_not(None))
    with database.reading() as connection:
        for row in connection.execute(query.execution_options(yield_per=_AT_A_TIME)):
            key = Certificate.parse(bytes(row.certificate)).public_key.pyca
            if isinstance(key, rsa.RSAPublicKey):
                serials.setdefault(key.public_numbers().n, []).append(row.serial)
    found = factors_shared(list(serials))
    shared = [
        serial
        for own, factor in zip(serials.values(), found, strict=True)
        if factor != 1
        for serial in own
    ]
    return Shared(len(serials), tuple(sorted(shared)))
