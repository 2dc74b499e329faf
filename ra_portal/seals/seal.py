"""An enterprise's electronic seal: a credential whose key lives in the authority's token.

requested -> approved -> active -> revoked
    |            +-> revoked
    +-> refused
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kernel.refusals import Conflict

NUMBER_PREFIX = "SE"


class SealState(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    """An officer agreed; key and certificate are being made."""
    ACTIVE = "active"
    REFUSED = "refused"
    REVOKED = "revoked"
    EXPIRED = "expired"
    """Never stored: an active seal whose certificate has ended (see `state_at`)."""


@dataclass(frozen=True)
class Seal:
    """One seal. Its methods are its only moves; each gives the moved seal."""

    id: str
    number: str
    enterprise_id: str
    name: str
    """What it is for, in the enterprise's words: `报关专用章`."""
    state: SealState
    requested_at: datetime
    requested_by: str
    decided_by: str | None = None
    """The officer who approved or refused; as the journal names actors."""
    key_label: str = ""
    """Of its key in the authority's token; empty: no key is recorded yet."""
    key_fingerprint: str | None = None
    """SHA-256 of the public key (RFC 5280 SPKI, hexadecimal)."""
    serial: str | None = None
    """As `kernel.identifiers.serial_text`."""
    fingerprint: str | None = None
    """SHA-256 of the certificate, hexadecimal."""
    certificate: bytes | None = None
    """DER."""
    activated_at: datetime | None = None
    not_after: datetime | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    """CRLReason in RFC 5280's spelling."""
    version: int = 0

    def state_at(self, at: datetime) -> SealState:
        """The state as it was, or is, at a point in time."""
        if self.activated_at is None or at < self.activated_at:
            return self.state if self.activated_at is None else SealState.APPROVED
        if self.ended_at is not None and at >= self.ended_at:
            return self.state
        if self.not_after is not None and at > self.not_after:
            return SealState.EXPIRED
        return SealState.ACTIVE

    def approve(self, by: str) -> "Seal":
        """An officer agrees. May be repeated when an attempt died before the certificate. Raises
        Conflict `seal.state`."""
        self._require(SealState.REQUESTED, SealState.APPROVED)
        return self._moved(state=SealState.APPROVED, decided_by=by)

    def with_key(self, label: str, fingerprint: str) -> "Seal":
        """The key is in the token. Raises Conflict `seal.state`, `seal.other-key` when somebody
        who approved at the same time was faster."""
        self._require(SealState.APPROVED)
        if self.key_fingerprint is not None:
            raise Conflict("seal.other-key", "the seal has its key already")
        return self._moved(key_label=label, key_fingerprint=fingerprint)

    def activate(
        self, certificate: bytes, serial: str, fingerprint: str, at: datetime, not_after: datetime
    ) -> "Seal":
        """The certificate is issued. Raises Conflict `seal.state`."""
        self._require(SealState.APPROVED)
        if self.key_fingerprint is None:
            raise Conflict("seal.state", "the seal has no key yet", seal=self.number)
        return self._moved(
            state=SealState.ACTIVE,
            certificate=certificate,
            serial=serial,
            fingerprint=fingerprint,
            activated_at=at,
            not_after=not_after,
        )

    def refuse(self, by: str, at: datetime) -> "Seal":
        """An officer does not agree. Raises Conflict `seal.state`."""
        self._require(SealState.REQUESTED)
        return self._moved(state=SealState.REFUSED, decided_by=by, ended_at=at)

    def revoke(self, reason: str, at: datetime) -> "Seal":
        """Its certificate, or the request for one, is withdrawn. Raises Conflict `seal.state`."""
        self._require(SealState.REQUESTED, SealState.APPROVED, SealState.ACTIVE)
        return self._moved(state=SealState.REVOKED, ended_at=at, end_reason=reason)

    def _require(self, *states: SealState) -> None:
        if self.state not in states:
            raise Conflict(
                "seal.state",
                "the seal's state does not allow this step",
                state=self.state,
                seal=self.number,
            )

    def _moved(self, **changes: object) -> "Seal":
        return replace(self, version=self.version + 1, **changes)  # type: ignore[arg-type]
