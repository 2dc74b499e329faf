"""Which web origins may use the agent, and which certificates each of them may see."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kernel.clock import Clock
from kernel.refusals import Forbidden, TooMany, Unavailable
from key_agent.file_lock import locked
from key_agent.places import write_private

MAX_ORIGINS = 256
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_SHAPE = re.compile(r"https?://[a-z0-9.\-:\[\]]{1,253}")


class Standing(StrEnum):
    """What the user said of an origin."""

    UNKNOWN = "unknown"
    ALLOWED = "allowed"
    REFUSED = "refused"


@dataclass(frozen=True)
class KnownOrigin:
    origin: str
    standing: Standing
    since: str
    """RFC 3339."""
    certificates: frozenset[str] = field(default_factory=frozenset)
    """SHA-256 of each certificate that the origin may see, hexadecimal."""


def parse_origin(text: str | None) -> str:
    """An origin as browsers write it (RFC 6454, 6.2): https, or http on this computer.

    Raises Forbidden `origin.missing`, `origin.unacceptable`.
    """
    if not text:
        raise Forbidden(
            "origin.missing", "only web pages may ask, and they say where they are from"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _unacceptable() from None
    if not _SHAPE.fullmatch(text) or parts.hostname is None:
        raise _unacceptable()
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise _unacceptable()
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = port is None or port == (443 if parts.scheme == "https" else 80)
    if text != f"{parts.scheme}://{host}" + ("" if usual else f":{port}"):
        raise _unacceptable()
    return text


class Origins:
    """The list, in one file. Another process may change it: each look reads the newest.

    Methods that change it may raise Unavailable `file.locked`.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()

    def all(self) -> list[KnownOrigin]:
        """By name. Raises Unavailable `origins.unreadable`."""
        return sorted(self._read().values(), key=lambda each: each.origin)

    def standing(self, origin: str) -> Standing:
        known = self._read().get(origin)
        return Standing.UNKNOWN if known is None else known.standing

    def may_see(self, origin: str) -> frozenset[str]:
        known = self._read().get(origin)
        return frozenset() if known is None else known.certificates

    def set(self, origin: str, standing: Standing, certificates: frozenset[str]) -> None:
        """Remember the user's word. Raises TooMany `origins.too-many`."""
        with self._changing() as known:
            if len(known) >= MAX_ORIGINS and origin not in known:
                raise TooMany("origins.too-many", f"at most {MAX_ORIGINS} origins")
            since = self._clock.now().isoformat(timespec="seconds")
            known[origin] = KnownOrigin(origin, standing, since, certificates)

    def grant(self, origin: str, certificate: str) -> None:
        """Let an origin see one more certificate, if it is allowed still: what the user said of it
        meanwhile stands."""
        with self._changing() as known:
            before = known.get(origin)
            if before is not None and before.standing is Standing.ALLOWED:
                known[origin] = replace(before, certificates=before.certificates | {certificate})

    def forget(self, origin: str) -> bool:
        """Whether it was known; it will be asked about again."""
        with self._changing() as known:
            return known.pop(origin, None) is not None

    @contextmanager
    def _changing(self) -> Iterator[dict[str, KnownOrigin]]:
        """What is known, to be changed: by one thread of one process at a time, and written when
        that ends well."""
        with self._lock, locked(self._path):
            known = self._read()
            yield known
            self._write(known)

    def _read(self) -> dict[str, KnownOrigin]:
        try:
            told = json.loads(self._path.read_text(encoding="utf-8"))
            return {each["origin"]: _known(each) for each in told["origins"]}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError):
            raise Unavailable(
                "origins.unreadable", "the agent's list of origins cannot be read"
            ) from None

    def _write(self, known: dict[str, KnownOrigin]) -> None:
        told = [
            {
                "origin": each.origin,
                "standing": str(each.standing),
                "since": each.since,
                "certificates": sorted(each.certificates),
            }
            for each in known.values()
        ]
        write_private(self._path, json.dumps({"origins": told}, indent=1))


def _known(told: dict[str, Any]) -> KnownOrigin:
    return KnownOrigin(
        str(told["origin"]),
        Standing(told["standing"]),
        str(told["since"]),
        frozenset(map(str, told["certificates"])),
    )


def _unacceptable() -> Forbidden:
    return Forbidden(
        "origin.unacceptable", "pages are served over https, or by a server on this computer"
    )
