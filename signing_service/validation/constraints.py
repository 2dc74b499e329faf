"""Cryptographic constraints at a time (EN 319 102-1, 5.2.8.4.2): is an algorithm still good?"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from kernel.algorithms import AlgorithmSuite, KeyKind, PublicKey
from policies.validation import ValidationPolicy


@dataclass(frozen=True)
class Weakness:
    """Why an algorithm or key is not acceptable."""

    name: str
    """Of the algorithm or key, as a report shows it."""
    good_before: datetime | None
    """It was acceptable for what is proven to exist before this time; None: never."""


def weak_suite(policy: ValidationPolicy, suite: AlgorithmSuite, at: datetime) -> Weakness | None:
    """The weakness of a signature algorithm at that time, or None."""
    return _weak(suite.name, policy.suites_until.get(suite.name), at)


def weak_digest(policy: ValidationPolicy, digest: str, at: datetime) -> Weakness | None:
    """The weakness of a digest (hashlib's name) at that time, or None."""
    return _weak(digest, policy.digests_until.get(digest), at)


def weak_key(policy: ValidationPolicy, key: PublicKey) -> Weakness | None:
    """The weakness of a key, whatever the time, or None."""
    if key.kind is KeyKind.RSA and key.bits < policy.keys.min_rsa_bits:
        return Weakness(f"RSA-{key.bits}", None)
    if key.curve is not None and key.curve not in policy.keys.curves:
        return Weakness(f"EC {key.curve}", None)
    return None


def _weak(name: str, until: date | None, at: datetime) -> Weakness | None:
    if until is None:
        return Weakness(name, None)
    end = end_of(until)
    return None if at < end else Weakness(name, end)


@lru_cache(maxsize=256)
def end_of(day: date) -> datetime:
    """The moment at which a day is over (UTC): exclusive bound of what is accepted until it."""
    return datetime.combine(day, time(), UTC) + timedelta(days=1)
