"""Which cards a mass action means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func

from kernel.refusals import Malformed, Unprocessable
from ra_portal.cards.card import CardState
from ra_portal.cards.tables import cards
from ra_portal.days import begins
from ra_portal.mass_actions import card_list
from ra_portal.people.identity import HolderKind
from ra_portal.people.tables import enterprises, operators


class Act(StrEnum):
    REVOKE = "revoke"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    """Of cards that a mass action froze, and no others: what a holder or an enterprise froze for
    itself stays frozen."""


@dataclass(frozen=True)
class CardFilter:
    """Which cards; all that is given must hold. Officers' cards are never meant."""

    kind: str = ""
    region: str = ""
    """Of the enterprise, or how it begins."""
    uscc: str = ""
    made_before: str = ""
    """Dates as YYYY-MM-DD."""
    made_after: str = ""
    ends_before: str = ""
    numbers: str = ""
    """Of cards or certificates, as `card_list.read` gives them: these and no others."""
    frozen_in: str = ""
    """The id of the mass action that froze it."""
    zone: str = ""
    """Of the dates. `UTC_8`: they are days as the pages show them; empty: days of UTC, as proposals
    from before meant them."""
    listed: str = ""
    """The job over a list that was signed for at the console; no form names one."""

    @classmethod
    def read(cls, values: Mapping[str, object]) -> "CardFilter":
        """From a form or a JSON object; other fields are not looked at.

        Raises Malformed `mass.filter`, `mass.list`, Unprocessable `mass.everything` without any
        condition, `mass.list-too-long`.
        """
        names = cls.__dataclass_fields__.keys() - {"listed", "numbers", "zone"}
        texts = {name: str(values.get(name) or "").strip()[:80] for name in names}
        zone = UTC_8 if any(texts[name] for name in _DATES) else ""
        made = cls(**texts, zone=zone, numbers=card_list.read(str(values.get("numbers") or "")))
        if made.kind not in ("", *KINDS):
            raise Malformed("mass.filter", "this is no kind of card", field="kind")
        for name in _DATES:
            made.moment(name)
        if made == cls() or made == cls(kind=made.kind):
            raise Unprocessable("mass.everything", "narrow it down: not every card is meant")
        return made

    def moment(self, name: str) -> datetime | None:
        """The first moment of a date, UTC; None: not given. Raises Malformed `mass.filter`."""
        text = getattr(self, name)
        if not text:
            return None
        try:
            day = date.fromisoformat(text)
            return begins(day) if self.zone == UTC_8 else datetime.combine(day, time(), UTC)
        except (ValueError, OverflowError):
            raise Malformed("mass.filter", "a date is YYYY-MM-DD", field=name) from None


_DATES = ("made_before", "made_after", "ends_before")
UTC_8 = "+08:00"
KINDS = (str(HolderKind.LEGAL_PERSON), str(HolderKind.OPERATOR))
STATES = {
    Act.REVOKE: (str(CardState.ACTIVE), str(CardState.FROZEN)),
    Act.FREEZE: (str(CardState.ACTIVE),),
    Act.UNFREEZE: (str(CardState.FROZEN),),
}


def joined(query: Select[Any]) -> Select[Any]:
    """Cards with their enterprises; officers' cards fall out."""
    # One equation, so that a million cards are joined by one hash and not one by one.
    enterprise = func.coalesce(operators.c.enterprise_id, cards.c.holder_id)
    of_operators = (cards.c.holder_kind == KINDS[1]) & (cards.c.holder_id == operators.c.id)
    return (
        query.select_from(cards)
        .outerjoin(operators, of_operators)
        .join(enterprises, (enterprises.c.id == enterprise) & cards.c.holder_kind.in_(KINDS))
    )


def meant_by(act: Act, wanted: CardFilter) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [
        cards.c.state.in_(STATES[act]),
        cards.c.serial.is_not(None),
    ]
    if act is Act.UNFREEZE:
        conditions.append(cards.c.held_in.is_not(None))
    if wanted.numbers:
        conditions.append(card_list.meant(wanted.numbers))
    if wanted.frozen_in:
        conditions.append(cards.c.held_in == wanted.frozen_in)
    if wanted.kind:
        conditions.append(cards.c.holder_kind == wanted.kind)
    if wanted.region:
        conditions.append(enterprises.c.region.startswith(wanted.region, autoescape=True))
    if wanted.uscc:
        conditions.append(enterprises.c.uscc == wanted.uscc.upper())
    if at := wanted.moment("made_before"):
        conditions.append(cards.c.activated_at < at)
    if at := wanted.moment("made_after"):
        conditions.append(cards.c.activated_at >= at)
    if at := wanted.moment("ends_before"):
        conditions.append(cards.c.not_after < at)
    return and_(*conditions)
