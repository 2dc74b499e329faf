"""What the centre needs of others, fulfilled by the front hall."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.identifiers import Serial


@dataclass(frozen=True)
class LiveCard:
    """A card whose signing certificate is good now."""

    number: str
    holder: str
    """Who holds it, whatever card it is: `operator:...`, `legal-person:...`."""
    kind: str
    """`legal-person` or `operator`."""
    certificate: Certificate
    """The signing certificate."""
    before: tuple[Serial, ...] = ()
    """Signing certificates of the same key that this one was re-issued for."""


class Cards(Protocol):
    def live(self, certificate: Certificate) -> LiveCard | None:
        """The card of this signing certificate; None: not ours, or not good now."""


class Certifier(Protocol):
    def certify(self, card: LiveCard, key: PublicKey) -> Certificate:
        """An encryption certificate that ends with the card's signing certificate.

        The same again when the key has one already. Raises Unavailable
        `key-delivery.unsettled` while an attempt that died is being settled.
        """

    def newest(self, key: PublicKey) -> Certificate | None:
        """The newest encryption certificate of this key that is good now: a re-issue under
        another authority may have made it. None: there is none."""

    def key_of(self, serial: Serial) -> str | None:
        """Fingerprint of the key in a certificate of ours; None: it is no certificate of ours."""

    def is_good(self, serial: Serial) -> bool:
        """Whether an encryption certificate is neither revoked nor expired now."""


class People(Protocol):
    def names(self, actors: Iterable[str]) -> Mapping[str, str]:
        """Names of officers by how the journal calls them; who is none is left out."""


class Caller(Protocol):
    """An officer signed in with a card."""

    @property
    def actor(self) -> str:
        """As the journal names the actor."""

    def may(self, permission: str) -> bool:
        """Whether the card carries this permission of `permissions.toml`."""

    def require(self, permission: str) -> None:
        """Raises Forbidden `role.missing` without this permission of `permissions.toml`."""
