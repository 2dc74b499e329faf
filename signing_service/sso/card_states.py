"""Why a card is not let in, and what its holder can do about it.

These say what became of a card, so they are for whoever has proven its key.
"""

from datetime import UTC, datetime

from kernel.refusals import Forbidden, Refusal, Unauthenticated
from signing_service.ports import Holder, HolderKind, StatusAnswer

_HOLD = "certificateHold"


def why_revoked(holder: Holder | None, answer: StatusAnswer) -> Refusal:
    """For a certificate that its authority says is on hold or revoked.

    `holder`: None, nobody is known to hold it. Gives Forbidden `signin.frozen`, `signin.lost`;
    Unauthenticated `signin.revoked`.
    """
    state = None if holder is None else holder.card_state
    since = None if holder is None else holder.card_state_since
    if answer.reason == _HOLD:
        return _frozen(holder, since or answer.revoked_at)
    if state == "lost":
        return _lost(holder, since or answer.revoked_at)
    return Unauthenticated("signin.revoked", "the certificate is revoked")


def not_active(holder: Holder) -> Forbidden:
    """For a card that the registration portal says is not active: Forbidden `signin.frozen`,
    `signin.lost`, `signin.card-state`."""
    if holder.card_state == "frozen":
        return _frozen(holder, holder.card_state_since)
    if holder.card_state == "lost":
        return _lost(holder, holder.card_state_since)
    return Forbidden("signin.card-state", "the card is not active", state=holder.card_state)


def _frozen(holder: Holder | None, since: datetime | None) -> Forbidden:
    if since is None:
        return Forbidden("signin.frozen", "the card is frozen; whoever froze it unfreezes it")
    if _is_operators(holder):
        return Forbidden(
            "signin.frozen",
            "the card is frozen since {since}; the enterprise's legal-person card unfreezes it, or "
            "an administrator where an officer froze it",
            since=_text(since),
        )
    return Forbidden(
        "signin.frozen",
        "the card is frozen since {since}; an administrator unfreezes it",
        since=_text(since),
    )


def _lost(holder: Holder | None, since: datetime | None) -> Forbidden:
    if since is None:
        return Forbidden("signin.lost", "the card was reported lost and is not used again")
    if _is_operators(holder):
        return Forbidden(
            "signin.lost",
            "the card was reported lost, and is of no use since {since}; the enterprise's "
            "legal-person card replaces it with another one",
            since=_text(since),
        )
    return Forbidden(
        "signin.lost",
        "the card was reported lost, and is of no use since {since}; an administrator replaces it "
        "with another one",
        since=_text(since),
    )


def _is_operators(holder: Holder | None) -> bool:
    return holder is not None and holder.kind is HolderKind.OPERATOR


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
