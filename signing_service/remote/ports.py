"""What remote signing needs from the registration portal and the authority's token."""

from dataclasses import dataclass
from typing import Protocol

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle


@dataclass(frozen=True)
class Seal:
    """A certified key of an enterprise in the authority's token: a CSC credential."""

    number: str
    """Its `credentialID`."""
    name: str
    owner: str
    """The enterprise, as `signing_service.ports.Holder.subject`."""
    state: str
    """`active`, or why it cannot be used: `revoked`, `expired`."""
    certificate: Certificate
    """The newest of its key: a re-issue under another authority may have made it."""
    chain: tuple[Certificate, ...]
    """The authorities above that certificate, issuer first, root last."""
    key_label: str
    """Of its key in the token."""


class SealSource(Protocol):
    def of(self, owner: str) -> list[Seal]:
        """Every certified seal of the enterprise, whatever its state, oldest first."""
        ...

    def find(self, number: str) -> Seal | None: ...

    def key(self, seal: Seal, suite: AlgorithmSuite) -> KeyHandle:
        """Its key in the token. Raises Unavailable as `hsm.token.Token.key`."""
        ...
