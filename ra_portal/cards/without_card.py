"""What a holder does who has no card at hand: report it lost, freeze it, unfreeze it.

A one-time code to the registered telephone or mail address stands for the card. It moves that
one card in that one way and opens nothing else.
"""

from ra_portal.cards.card import Card
from ra_portal.cards.card_life import CardLife
from ra_portal.cards.one_time_codes import Named, OneTimeCodes, Purpose
from ra_portal.notices.channels import Channel
from ra_portal.people.identity import Identity
from records.outbox import Delivery

CHANNEL = "phone-code"


class WithoutCard:
    def __init__(self, codes: OneTimeCodes, life: CardLife) -> None:
        self._codes = codes
        self._life = life

    def request(
        self, purpose: Purpose, channel: Channel, card: str = "", uscc: str = "", employee: str = ""
    ) -> str:
        """Ask for a code, naming the card by its number, or by the enterprise's credit code
        (its legal-person card) and an operator's employee number.

        Raises nothing that tells whether there is such a card.
        """
        return self._codes.request(Named(card, uscc, employee), purpose, channel)

    def send_codes(self, *, at_once: bool = False) -> Delivery:
        """Those that were asked for. For the worker."""
        return self._codes.send_asked(at_once=at_once)

    def act(self, identifier: str, code: str) -> Card:
        """Do what the code was asked for. Raises Unauthenticated `code.refused`, and as the move
        of `CardLife`."""
        redeemed = self._codes.redeem(identifier, code)
        card = redeemed.card
        holder = Identity(card.holder.kind, card.holder.id, "")
        if redeemed.purpose is Purpose.LOSS:
            return self._life.report_loss(holder, card.number, CHANNEL)
        if redeemed.purpose is Purpose.FREEZE:
            return self._life.freeze(holder, card.number, CHANNEL)
        return self._life.unfreeze(holder, card.number, CHANNEL)
