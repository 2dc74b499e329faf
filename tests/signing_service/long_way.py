"""One switch that closes every short way and every memory of the verdict's makers.

What is remembered by `lru_cache`, `cache` or `remembered` is found by looking at all modules of
the rooms that a verdict comes from, so that a new one is closed without being named here, and
whoever was overlooked is told: `nothing_remembered` fails where any of them was asked meanwhile.
"""

import gc
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import _lru_cache_wrapper, lru_cache
from types import FunctionType, ModuleType
from typing import Any, TypeGuard

import pytest

from kernel.refusals import Refusal
from signing_service.formats import plain_xml
from signing_service.formats.cades.recurring import Moulds
from signing_service.formats.remembering import remembered
from signing_service.validation import blocks
from signing_service.validation.certificates import CertificateValidator
from signing_service.validation.paths import PathBuilder
from signing_service.validation.report import ValidationReport
from signing_service.validation.revocation import GivenEvidence
from signing_service.verification import Verification

ROOMS = ("kernel", "policies", "signing_service")


@contextmanager
def nothing_remembered() -> Iterator[None]:
    before = defaultdict(int, _asked())
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, plain in _memories():
            patch.setattr(owner, name, plain)
        patch.setattr(CertificateValidator, "_window", lambda *_: None)
        patch.setattr(blocks, "_is_strong", lambda *_: False)
        patch.setattr(Moulds, "evidence", lambda *_: None)
        patch.setattr(plain_xml, "read", lambda *_: None)
        patch.setattr(PathBuilder, "search", PathBuilder.search_anew)
        believe = GivenEvidence.__post_init__

        def forget(given: GivenEvidence) -> None:
            believe(given)
            given.believed = _Forgetful()

        patch.setattr(GivenEvidence, "__post_init__", forget)
        yield
    now = _asked()
    asked = [
        f"{each.__module__}.{each.__qualname__}"
        for each in _all_memories(len(sys.modules))
        if now[id(each)] != before[id(each)]
    ]
    assert not asked, f"remembered all the same: {asked}"


class _Forgetful(dict[Any, Any]):
    """What is in it is not found again, but by whoever has just put it in."""

    def __contains__(self, key: object) -> bool:
        return False

    def get(self, key: object, default: Any = None) -> Any:
        return default


Presented = tuple[Any, bytes | None]
"""A document with its signature, or a signed file alone."""


def judged_both_ways(
    verification: Verification, *files: Presented
) -> list[ValidationReport | Refusal]:
    """Each judged for the first time, once more, and with nothing remembered: one report, or one
    refusal."""
    first = [_told(verification, each) for each in files]
    again = [_told(verification, each) for each in files]
    with nothing_remembered():
        long = [_told(verification, each) for each in files]
    for one, other, anew in zip(first, again, long, strict=True):
        assert _comparable(one) == _comparable(other)
        assert _comparable(one) == _comparable(anew)
    return first


def _told(verification: Verification, presented: Presented) -> ValidationReport | Refusal:
    try:
        return verification.verify(*presented).complete()
    except Refusal as refusal:
        return refusal


def _comparable(told: ValidationReport | Refusal) -> object:
    return (type(told), str(told)) if isinstance(told, Refusal) else told


def _rooms() -> Iterator[ModuleType]:
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ROOMS:
            yield module


def _memories() -> Iterator[tuple[object, str, Any]]:
    """Every name in a module or class under which a remembering function is found, with the
    plain function."""
    for module in _rooms():
        for name, value in list(vars(module).items()):
            if _remembers(value):
                yield module, name, value.__wrapped__
            elif issubclass(type(value), type) and value.__module__ == module.__name__:
                for inner, member in list(vars(value).items()):
                    held: Any = member.__func__ if isinstance(member, staticmethod) else member
                    if _remembers(held):
                        plain = held.__wrapped__
                        again = staticmethod(plain) if held is not member else plain
                        yield value, inner, again


_BY_SIZE = remembered(1, 1)(len).__code__


def _remembers(value: object) -> bool:
    return _is_cache(value) or (type(value) is FunctionType and value.__code__ is _BY_SIZE)


def _is_cache(value: object) -> TypeGuard["_lru_cache_wrapper[Any]"]:
    # Asked of its type alone: a proxy of Flask's says that it is whatever it stands for, and
    # outside a request it stands for nothing.
    return type(value) is _lru_cache_wrapper


def _asked() -> dict[int, int]:
    """How often each memory of these rooms was asked, by its `id`."""
    return {id(each): sum(each.cache_info()[:2]) for each in _all_memories(len(sys.modules))}


@lru_cache(maxsize=1)
def _all_memories(modules: int) -> list["_lru_cache_wrapper[Any]"]:
    """Wherever they are referred to, as of so many modules."""
    return [
        each
        for each in gc.get_objects()
        if _is_cache(each) and str(each.__module__).partition(".")[0] in ROOMS
    ]
