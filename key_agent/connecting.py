"""Which cards a site may see: asked when it comes first, and again for a card that came since."""

from collections.abc import Sequence
from typing import Any

from kernel.refusals import Forbidden
from key_agent.asking import Asking, Request
from key_agent.cards import Cards, HeldCertificate
from key_agent.messages import Nothing
from key_agent.origins import Origins, Standing
from key_agent.patience import Patience

_NAMED = 8
"""Certificates that the window names; of the others it tells how many they are."""


class Connecting:
    """The question, and what the answer is kept as."""

    def __init__(self, cards: Cards, asking: Asking, origins: Origins, patience: Patience) -> None:
        self._cards = cards
        self._asking = asking
        self._origins = origins
        self._patience = patience

    def connect(self, request: Request, _: Nothing) -> dict[str, Any]:
        """Ask the user, unless they said no before. An allowed origin may ask again: for the cards
        that were plugged in since, and a no then leaves it what it sees already.

        Raises Forbidden `origin.refused`, `card.not-shown`.
        """
        standing = self._origins.standing(request.origin)
        if standing is Standing.REFUSED:
            raise refused()
        held = self._cards.certificates() if self._cards.has_libraries else []
        if standing is Standing.ALLOWED:
            self._show_more(request, held)
        else:
            self._first_use(request, held)
        return {"origin": str(Standing.ALLOWED)}

    def _first_use(self, request: Request, held: Sequence[HeldCertificate]) -> None:
        self._patience.stranger()
        words = self._asking.words
        named = self._named(held)
        lines = (words("connect"), words("connect-sees" if named else "connect-none"), *named)
        if not self._asking.confirm(request, *lines, words("connect-only")):
            self._origins.set(request.origin, Standing.REFUSED, frozenset())
            raise refused()
        seen = frozenset(each.identifier for each in held)
        self._origins.set(
            request.origin, Standing.ALLOWED, seen | self._origins.may_see(request.origin)
        )

    def _show_more(self, request: Request, held: Sequence[HeldCertificate]) -> None:
        seen = self._origins.may_see(request.origin)
        new = [each for each in held if each.identifier not in seen]
        named = self._named(new)
        if not named:
            return
        words = self._asking.words
        lines = (words("connect-more"), words("connect-sees"), *named)
        request.facts["shown"] = list(lines)
        if not self._asking.confirm(request, *lines, words("connect-keeps")):
            self._patience.dismissed(request.origin)
            raise Forbidden("card.not-shown", "the user does not let this site see the card")
        # One by one: what the user says of the site elsewhere meanwhile stands.
        for each in new:
            self._origins.grant(request.origin, each.identifier)

    def _named(self, held: Sequence[HeldCertificate]) -> tuple[str, ...]:
        """A line for each holder's certificate."""
        holders = [each for each in held if not each.certificate.is_ca]
        lines = []
        for each in holders[:_NAMED]:
            name = each.certificate.attribute("2.5.4.3") or each.certificate.subject_text()
            lines.append(f"  {name} ({each.token.label})")
        if len(holders) > _NAMED:
            lines.append("  " + self._asking.words("more", count=len(holders) - _NAMED))
        return tuple(lines)


def refused() -> Forbidden:
    return Forbidden("origin.refused", "the user refused this site")
