"""The ways a notice travels, as the portal sees them: one interface, several gateways."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from records.outbox import Undeliverable


class Channel(StrEnum):
    MAIL = "mail"
    SMS = "sms"

    @property
    def queue(self) -> str:
        """The outbox channel."""
        return f"notice-{self}"


@dataclass(frozen=True)
class Letter:
    """A notice in words, ready to go."""

    id: str
    """The same when it is sent again: a gateway that knows it need not deliver twice."""
    to: str
    """A mail address or a telephone number."""
    subject: str
    """Empty for text messages."""
    text: str


class AddressRefused(Undeliverable):
    """There is no such mailbox, or it takes no mail: the address, not this letter, is at fault."""


class Gateway(Protocol):
    """Hands letters on."""

    def send(self, letter: Letter) -> None:
        """Raises Unavailable (the other system is away), `records.outbox.Deferred` (not this
        letter now), `records.outbox.Undeliverable` (never this letter), AddressRefused (nor any
        other to this address)."""
        ...
