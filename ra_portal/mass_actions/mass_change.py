"""What each act does to the cards of one batch."""

from dataclasses import dataclass
from datetime import datetime

from ra_portal.cards.card import CardState
from ra_portal.cards.card_moves import Move
from ra_portal.mass_actions.mass_filter import Act
from records.events import Event


@dataclass(frozen=True)
class MassChange:
    """One act, by one officer, for one reason."""

    act: Act
    action: str
    """The mass action's id."""
    actor: str
    why: str
    at: datetime

    @property
    def event(self) -> Event:
        return {
            Act.REVOKE: Event.CARD_REVOKED,
            Act.FREEZE: Event.CARD_FROZEN,
            Act.UNFREEZE: Event.CARD_UNFROZEN,
        }[self.act]

    @property
    def move(self) -> Move:
        return {Act.REVOKE: Move.REVOKE, Act.FREEZE: Move.FREEZE, Act.UNFREEZE: Move.UNFREEZE}[
            self.act
        ]

    @property
    def state(self) -> CardState:
        """That the cards are in afterwards."""
        return {
            Act.REVOKE: CardState.REVOKED,
            Act.FREEZE: CardState.FROZEN,
            Act.UNFREEZE: CardState.ACTIVE,
        }[self.act]

    @property
    def columns(self) -> dict[str, object]:
        """As every card's row becomes."""
        if self.act is Act.REVOKE:
            ended = {"ended_at": self.at, "end_reason": self.why, "live_holder": None}
            return {"state": str(self.state), **ended}
        if self.act is Act.FREEZE:
            held = {"held_at": self.at, "held_by": self.actor[:64], "hold_reason": self.why}
            return {"state": str(self.state), "held_in": self.action, **held}
        names = ("held_at", "held_by", "hold_reason", "held_in")
        return {"state": str(self.state), **dict.fromkeys(names)}
