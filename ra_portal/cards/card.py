"""A card: the credential of one holder on one USB key, from the request to its end.

    requested -> active <-> frozen
        |          |          |
        |          +----------+--> lost | revoked | replaced | expired
        +-> revoked (the request is withdrawn)

Frozen is reversible (certificateHold); lost, revoked, replaced and expired are for good.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kernel.refusals import Conflict, Forbidden
from ra_portal.people.identity import HolderKind

NUMBER_PREFIXES = {
    HolderKind.LEGAL_PERSON: "LP",
    HolderKind.OPERATOR: "OP",
    HolderKind.OFFICER: "OF",
}


class CardState(StrEnum):
    REQUESTED = "requested"
    ACTIVE = "active"
    FROZEN = "frozen"
    LOST = "lost"
    REVOKED = "revoked"
    REPLACED = "replaced"
    EXPIRED = "expired"


_LIVE = (CardState.REQUESTED, CardState.ACTIVE, CardState.FROZEN)
"""A holder has one such card at most."""


@dataclass(frozen=True)
class Holder:
    """Whom a card is made for: an enterprise, an operator or an officer, by id."""

    kind: HolderKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True)
class Card:
    """One card. Its methods are its only moves; each gives the moved card."""

    id: str
    number: str
    holder: Holder
    state: CardState
    requested_at: datetime
    activation_hash: str | None = None
    activation_expires_at: datetime | None = None
    code_proposed_by: str | None = None
    """The officer who wants a code handed out; another one must confirm it."""
    failed_attempts: int = 0
    enrolling_key: str | None = None
    """SHA-256 of the public key that an enrolment has begun with (RFC 5280 SPKI, hexadecimal)."""
    serial: str | None = None
    """As `kernel.identifiers.serial_text`."""
    fingerprint: str | None = None
    """SHA-256 of the certificate, hexadecimal."""
    certificate: bytes | None = None
    """DER."""
    activated_at: datetime | None = None
    not_after: datetime | None = None
    witnessed_at: datetime | None = None
    witnessed_by: str | None = None
    """The officer who saw at the counter that the key was made on a token."""
    token_model: str | None = None
    token_serial: str | None = None
    ended_at: datetime | None = None
    end_reason: str | None = None
    """CRLReason in RFC 5280's spelling."""
    held_at: datetime | None = None
    """Since when it is frozen, or was when it ended."""
    held_by: str | None = None
    """The actor, as the journal names it."""
    hold_reason: str | None = None
    held_in: str | None = None
    """The mass action that froze it; None: it was frozen by itself."""
    predecessor: str | None = None
    """Number of the card that this one was made to follow."""
    renew_by: datetime | None = None
    """The certificate's data are no longer true: renewed by then, or revoked as superseded."""
    expiry_notice: int | None = None
    """Days before the end, of the latest notice that told of it."""
    version: int = 0

    @property
    def is_live(self) -> bool:
        return self.state in _LIVE

    @property
    def is_made(self) -> bool:
        """In use, or frozen and to be used again."""
        return self.state in (CardState.ACTIVE, CardState.FROZEN)

    def state_at(self, at: datetime) -> CardState:
        """The state as it was, or is, at a point in time."""
        if self.activated_at is None or at < self.activated_at:
            return CardState.REQUESTED if self.activated_at else self.state
        if self.ended_at is not None and at >= self.ended_at:
            return self.state
        if self.held_at is not None and at >= self.held_at:
            return CardState.FROZEN
        if self.not_after is not None and at > self.not_after:
            return CardState.EXPIRED
        return CardState.ACTIVE

    def propose_code(self, officer: str) -> "Card":
        """An officer wants a new code handed out. Raises Conflict `card.state`."""
        self._require(CardState.REQUESTED)
        return self._moved(code_proposed_by=officer)

    def require_second_officer(self, officer: str) -> None:
        """The confirmation is another person's, and not the holder's.

        Raises Conflict `card.no-proposal`, Forbidden `approval.same-officer`, `card.own`.
        """
        if self.code_proposed_by is None:
            raise Conflict("card.no-proposal", "no activation code was proposed for this card")
        if self.code_proposed_by == officer:
            raise Forbidden(
                "approval.same-officer", "another officer must confirm what you proposed"
            )
        if self.holder == Holder(HolderKind.OFFICER, officer):
            raise Forbidden("card.own", "an officer may not do this for the own card")

    def offer_code(self, activation_hash: str, expires_at: datetime) -> "Card":
        """A new activation code; the one before stops working. Raises Conflict `card.state`."""
        self._require(CardState.REQUESTED)
        return self._moved(
            activation_hash=activation_hash,
            activation_expires_at=expires_at,
            code_proposed_by=None,
            failed_attempts=0,
        )

    def begin(self, enrolling_key: str) -> "Card":
        """An enrolment has begun with this key. Raises Conflict `card.state`."""
        self._require(CardState.REQUESTED)
        return self._moved(enrolling_key=enrolling_key)

    def count_failure(self) -> "Card":
        """One failed use of the right code. Raises Conflict `card.state`."""
        self._require(CardState.REQUESTED)
        return self._moved(failed_attempts=self.failed_attempts + 1)

    def activate(
        self, certificate: bytes, serial: str, fingerprint: str, at: datetime, not_after: datetime
    ) -> "Card":
        """The certificate is issued; the code is used up. Raises Conflict `card.state`."""
        self._require(CardState.REQUESTED)
        return self._moved(
            state=CardState.ACTIVE,
            certificate=certificate,
            serial=serial,
            fingerprint=fingerprint,
            activated_at=at,
            not_after=not_after,
        )

    def witness(self, officer: str, model: str, serial: str, at: datetime) -> "Card":
        """An officer saw the key made on this token.

        Raises Conflict `card.state`, `card.witnessed`, Forbidden `card.own`.
        """
        self._require(CardState.ACTIVE)
        if self.witnessed_at is not None:
            raise Conflict("card.witnessed", "the making of this card was witnessed already")
        if self.holder == Holder(HolderKind.OFFICER, officer):
            raise Forbidden("card.own", "an officer may not do this for the own card")
        return self._moved(
            witnessed_at=at, witnessed_by=officer, token_model=model, token_serial=serial
        )

    def freeze(self, by: str, why: str, at: datetime) -> "Card":
        """Not to be used until `unfreeze`. Raises Conflict `card.state`."""
        self._require(CardState.ACTIVE)
        return self._moved(state=CardState.FROZEN, held_at=at, held_by=by, hold_reason=why)

    def unfreeze(self) -> "Card":
        """In use again. Raises Conflict `card.state`."""
        self._require(CardState.FROZEN)
        return self._moved(
            state=CardState.ACTIVE, held_at=None, held_by=None, hold_reason=None, held_in=None
        )

    def report_loss(self, at: datetime) -> "Card":
        """Lost, from this moment and for good. Raises Conflict `card.state`."""
        self._require(CardState.ACTIVE, CardState.FROZEN)
        return self._moved(state=CardState.LOST, ended_at=at, end_reason="keyCompromise")

    def require_made(self) -> None:
        """In use, or frozen. Raises Conflict `card.state`."""
        self._require(CardState.ACTIVE, CardState.FROZEN)

    def revoke(self, reason: str, at: datetime) -> "Card":
        """Its certificate, or the request for one, is withdrawn. Raises Conflict `card.state`."""
        self._require(*_LIVE)
        return self._moved(state=CardState.REVOKED, ended_at=at, end_reason=reason)

    def replace_by_another(self, at: datetime) -> "Card":
        """Another card takes its place. Raises Conflict `card.state`."""
        self._require(*_LIVE)
        return self._moved(state=CardState.REPLACED, ended_at=at, end_reason="superseded")

    def must_be_renewed(self, until: datetime) -> "Card":
        """The certificate's data are no longer true. Raises Conflict `card.state`."""
        self._require(CardState.ACTIVE, CardState.FROZEN)
        return self._moved(renew_by=until)

    def noticed(self, days: int) -> "Card":
        """The holder was told that it ends in so many days. Raises Conflict `card.state`."""
        self._require(CardState.ACTIVE, CardState.FROZEN)
        return self._moved(expiry_notice=days)

    def expire(self) -> "Card":
        """Its certificate's validity has ended. Raises Conflict `card.state`."""
        self._require(CardState.ACTIVE, CardState.FROZEN)
        return self._moved(state=CardState.EXPIRED, ended_at=self.not_after)

    def _require(self, *states: CardState) -> None:
        if self.state not in states:
            raise Conflict(
                "card.state",
                "the card's state does not allow this step",
                state=self.state,
                card=self.number,
            )

    def _moved(self, **changes: object) -> "Card":
        return replace(self, version=self.version + 1, **changes)  # type: ignore[arg-type]
