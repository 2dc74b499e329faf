"""Renewing a card: its old key vouches for a new one on the same token, and for nothing else."""

from typing import Any

from kernel.clock import Clock
from kernel.refusals import NotFound
from kernel.renewal_statement import renewal_statement
from key_agent.asking import Asking, Request
from key_agent.cards import Cards
from key_agent.messages import SignRenewalBody, text_of
from key_agent.origins import Origins


class Renewing:
    """The purpose of this kind."""

    def __init__(self, cards: Cards, asking: Asking, origins: Origins, clock: Clock) -> None:
        self._cards = cards
        self._asking = asking
        self._origins = origins
        self._clock = clock

    def sign_renewal(self, request: Request, body: SignRenewalBody) -> dict[str, Any]:
        """The old key's signature over a statement that is composed here, bound to the origin
        that asks. The login is kept for writing the new certificate.

        Raises NotFound `card.no-certificate`, `key.missing`: no page can have a key certified
        that is not on the card's own token.
        """
        held = self._cards.certificate(body.certificate, self._origins.may_see(request.origin))
        if not held.can_sign(self._clock.now()):
            raise NotFound("card.no-certificate", "this certificate cannot sign now")
        old = held.certificate.public_key
        new = dict(held.token.keys).get(body.key)
        if new is None or new.spki == old.spki:
            raise NotFound("key.missing", "no such new key is on the card's token")
        request.facts.update(
            token=held.token.label,
            certificate=held.certificate.fingerprint,
            old_key=old.fingerprint,
            new_key=new.fingerprint,
        )
        words = self._asking.words
        pin = self._asking.pin(
            request,
            held.token,
            words("renew-card"),
            *self._asking.of_certificate(held),
            words("old-key", digest=old.fingerprint),
            words("new-key", digest=new.fingerprint),
        )
        statement = renewal_statement(old, new, request.origin, body.challenge)
        with request.using_token(), self._cards.keep(request.origin, held.token, pin) as token:
            signature = token.key(str(held.key), old.default_suite()).sign(statement)
        return {"signature": text_of(signature)}
