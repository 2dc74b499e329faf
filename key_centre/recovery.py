"""A recovery: who asks for an escrowed key, on what ground, and who decides.

Its states and the only moves between them:

    requested -> approved   by another officer with the permission `key.recovery.approve`
    requested -> refused    by the same
    approved  -> approved   each delivery, for seven days
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from kernel.refusals import Conflict, Forbidden, Unprocessable

DELIVERY_PERIOD = timedelta(days=7)
"""After the approval; then it must be asked for anew."""


class Ground(StrEnum):
    HOLDER = "holder"
    """The holder asks, with a live signing card."""
    ORDER = "order"
    """A court or another authority orders it."""


class RecoveryState(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True)
class Order:
    """A judicial order, as it was received. The PDF itself stays in its row until it is read."""

    number: str
    issued_by: str
    evidence_sha256: str
    """Of the PDF, lower-case hexadecimal."""


@dataclass(frozen=True)
class Recovery:
    id: str
    ground: Ground
    state: RecoveryState
    key_id: str
    requested_by: str
    requested_at: datetime
    reason: str
    transport_key: bytes
    """SubjectPublicKeyInfo of whom the key goes to."""
    signing_certificate: bytes | None
    """Of the holder who asks; None for an order."""
    order: Order | None
    decided_by: str | None = None
    decided_at: datetime | None = None
    decision_reason: str | None = None
    deliveries: int = 0
    version: int = 1

    @property
    def transport_key_sha256(self) -> str:
        """Fingerprint of whom the key goes to: of the SubjectPublicKeyInfo, lower-case
        hexadecimal."""
        return hashlib.sha256(self.transport_key).hexdigest()

    def approve(
        self, by: str, at: datetime, reason: str, transport_key_sha256: str | None = None
    ) -> "Recovery":
        """`transport_key_sha256`: the fingerprint as the approver has it from whom the order
        names. A holder's key needs none: the card vouched for it.

        Raises Conflict `key-recovery.state`, Forbidden `key-recovery.same-officer`, Unprocessable
        `key-recovery.transport-key` for an order without it or with another one.
        """
        decided = self._decide(RecoveryState.APPROVED, by, at, reason)
        is_named = transport_key_sha256 is not None
        if (is_named or self.ground is Ground.ORDER) and (
            transport_key_sha256 != self.transport_key_sha256
        ):
            raise Unprocessable(
                "key-recovery.transport-key",
                "give the transport key's fingerprint as whom the order names told it; this "
                "recovery would go to another key",
            )
        return decided

    def refuse(self, by: str, at: datetime, reason: str) -> "Recovery":
        """Raises Conflict `key-recovery.state`, Forbidden `key-recovery.same-officer`."""
        return self._decide(RecoveryState.REFUSED, by, at, reason)

    def _decide(self, state: RecoveryState, by: str, at: datetime, reason: str) -> "Recovery":
        if self.state is not RecoveryState.REQUESTED:
            raise Conflict("key-recovery.state", "this recovery is decided already")
        if by == self.requested_by:
            raise Forbidden("key-recovery.same-officer", "another officer decides than who asked")
        return replace(self, state=state, decided_by=by, decided_at=at, decision_reason=reason)

    def deliver(self, at: datetime) -> "Recovery":
        """Raises Conflict `key-recovery.state`, `key-recovery.over`."""
        if self.state is not RecoveryState.APPROVED or self.decided_at is None:
            raise Conflict("key-recovery.state", "this recovery is not approved")
        if at >= self.decided_at + DELIVERY_PERIOD:
            raise Conflict("key-recovery.over", "the approval is too old; ask anew")
        return replace(self, deliveries=self.deliveries + 1)
