"""An act at the console, and the statement of it that officers' cards sign."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kernel.refusals import Malformed
from policies.permissions import permissions

TITLE = "PortSeal console act 1"
"""Begins no other statement that a card signs."""
LONGEST_VALUE = 300
_MOST_FACTS = 20
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
_RESERVED = {"act", "on", "permission", "service", "opened", "closes", "nonce"}


@dataclass(frozen=True)
class Act:
    """What is to be done, on what, and everything that decides what comes of it."""

    what: str
    """Such as `key.destroy`."""
    permission: str
    """Of `policies/permissions.toml`."""
    subject: str
    facts: Mapping[str, str] = field(default_factory=dict)
    """Options of the command; a file by its SHA-256."""
    proposes: bool = False
    """The second officer has a say in the portal, later: here one is enough."""
    stands_until: datetime | None = None
    """The same act may be repeated until then, by a program without a card."""

    def __post_init__(self) -> None:
        """Raises Malformed `act.fact`: what cannot be shown on one line is signed by nobody."""
        if not self.subject.strip():
            raise Malformed("act.fact", "an act is on something")
        if len(self.facts) > _MOST_FACTS:
            raise Malformed("act.fact", "too many options for one act")
        for name, value in self.lines():
            if not _NAME.fullmatch(name) or not value.isprintable() or len(value) > LONGEST_VALUE:
                raise Malformed("act.fact", "an option cannot be shown on one line", name=name)
        if _RESERVED & set(self.facts):
            raise Malformed("act.fact", "an option has a name of the statement's own")

    def lines(self) -> list[tuple[str, str]]:
        told = [("act", self.what), ("permission", self.permission), ("on", self.subject)]
        return [*told, *sorted(self.facts.items())]

    @property
    def digest(self) -> str:
        """The same for the same act, whenever it is asked for."""
        until = None if self.stands_until is None else self.stands_until.isoformat()
        told = json.dumps([self.lines(), self.proposes, until], ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def kind(self) -> str:
        """`digest` without the time until which it stands: what a standing act is found by."""
        told = json.dumps(self.lines(), ensure_ascii=False)
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def second_permission(self) -> str | None:
        """What another officer must be permitted; None: one is enough."""
        return None if self.proposes else permissions()[self.permission].second_permission


def statement(act: Act, service: str, opened: datetime, closes: datetime, nonce: str) -> str:
    """The text that is signed, UTF-8. `nonce`: from our records, for this act alone."""
    stands = []
    if act.stands_until is not None:
        stands = [("may-be-repeated-until", f"{act.stands_until:%Y-%m-%dT%H:%M:%SZ}")]
    lines = [
        *act.lines(),
        *stands,
        ("service", service),
        ("opened", f"{opened:%Y-%m-%dT%H:%M:%SZ}"),
        ("closes", f"{closes:%Y-%m-%dT%H:%M:%SZ}"),
        ("nonce", nonce),
    ]
    return "".join([f"{TITLE}\n", *(f"{name}: {value}\n" for name, value in lines)])


@dataclass(frozen=True)
class SignedAct:
    """A statement, and an officer's card on it."""

    statement: str
    certificate: bytes
    """DER."""
    signature: bytes
    """Of the statement's UTF-8, under the key's usual suite."""
