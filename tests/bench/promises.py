"""What each row was promised to reach, as data; whether it does is computed, never written."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tests.bench.timing import Row


class Of(StrEnum):
    """What is held against the promise."""

    OURS = "ours"
    LIMIT = "of the limit"
    """How fast we are in parts of the limit."""
    PEER = "times the peer"


@dataclass(frozen=True)
class Promise:
    of: Of
    sign: str
    """One of `_SIGNS`."""
    bound: float

    def text(self, unit: str) -> str:
        if self.of is Of.LIMIT:
            return f"{self.sign} {self.bound:.0%} of the limit"
        if self.of is Of.PEER:
            return f"{self.sign} {self.bound:g} times the peer"
        of_unit = {"1/s": "/s", "ratio": ""}.get(unit, f" {unit}")
        return f"{self.sign} {self.bound:,g}{of_unit}"

    def is_met(self, row: Row) -> bool | None:
        """None: what it is measured by is missing."""
        holds = _SIGNS[self.sign]
        beside = {Of.OURS: None, Of.LIMIT: row.limit, Of.PEER: row.peer}[self.of]
        if self.of is Of.OURS:
            return holds(row.ours, self.bound)
        return None if not beside else holds(faster(row, beside), self.bound)


_SIGNS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def _at_least(bound: float, of: Of = Of.OURS) -> Promise:
    return Promise(of, ">=", bound)


def _below(bound: float) -> Promise:
    return Promise(Of.OURS, "<", bound)


def _at_most(bound: float) -> Promise:
    return Promise(Of.OURS, "<=", bound)


PROMISES: dict[str, tuple[Promise, ...]] = {
    "cades.sign.token": (_at_least(0.6, Of.LIMIT),),
    "cades.verify.cached": (_at_least(0.5, Of.LIMIT), _at_least(15, Of.PEER)),
    "xades.sign.2k": (_at_least(3, Of.PEER),),
    "xades.verify.2k": (_at_least(5, Of.PEER),),
    "xades.sign.60k": (_at_least(3, Of.PEER),),
    "xades.verify.60k": (_at_least(5, Of.PEER),),
    "pades.sign": (_at_least(3, Of.PEER),),
    "pades.verify.3sig": (_below(100),),
    "tsa.http": (_at_least(0.5, Of.LIMIT),),
    "verify.rss.growth": (_below(8),),  # "flat": less than the pages that Python itself moves by
    "signin.postgresql": (_at_least(150),),
    "portal.page.1m.ms": (_below(30),),
    "agent.sign.ms": (_below(20),),
    # At scale.
    "issue.postgresql": (_at_least(1000),),
    "issue.single.ms": (_below(20),),
    "reissue.postgresql": (_at_least(31.25),),  # 2.7 million in 24 hours
    "ocsp.http.cached": (_at_least(15_000),),
    "ocsp.http.nonce": (_at_least(2500),),
    "ocsp.growth": (_at_most(1.5),),
    "lookup.growth": (_at_most(1.5),),
    "search.growth": (_at_most(1.5),),
    "search.name.growth": (_at_most(1.5),),
    "crl.1m.seconds": (_below(2),),
    "crl.1m.rss.mb": (_below(400),),
    "crl.delta.1k.ms": (_below(100),),
    "revoke.100k.seconds": (_below(60),),
}
"""By the row's name; a row that is not here was promised nothing."""


def faster(row: Row, other: float) -> float:
    """How many times as fast: more is better in a rate, less in a duration."""
    return other / row.ours if row.unit in ("ms", "s") else row.ours / other


def promised(row: Row) -> str:
    """In words; `-` for nothing."""
    return ", ".join(each.text(row.unit) for each in PROMISES.get(row.name, ())) or "-"


def met(row: Row) -> str:
    """`met`, `not met`, or `-` where nothing was promised or what it needs was not measured."""
    told = [each.is_met(row) for each in PROMISES.get(row.name, ())]
    if not told or None in told:
        return "-"
    return "met" if all(told) else "not met"
