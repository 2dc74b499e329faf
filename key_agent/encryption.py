"""The encryption key of a card: asked for with a transport key, installed from its envelope."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from hsm.token import Token
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import parse_serial
from kernel.refusals import Conflict, NotFound
from key_agent.asking import Asking, Request
from key_agent.cards import Cards, HeldCertificate, certificates_of
from key_agent.encryption_slot import EncryptionSlot
from key_agent.messages import InstallEncryptionKeyBody, MakeTransportKeyBody, octets
from key_agent.origins import Origins

_OWN = "encryption-key"


class EncryptionKeys:
    """The purposes of this kind (docs/key-centre.md)."""

    def __init__(self, cards: Cards, asking: Asking, origins: Origins, clock: Clock) -> None:
        self._cards = cards
        self._asking = asking
        self._origins = origins
        self._clock = clock

    def make_transport_key(self, request: Request, body: MakeTransportKeyBody) -> dict[str, Any]:
        """A transport key on the token, and the card's word for it, bound to the origin that asks.

        The text that the signing key signs is composed here. The login is kept for
        `install_encryption_key`. Raises NotFound `card.no-certificate`.
        """
        held = self._signing(request, body.token, body.certificate)
        request.facts.update(token=held.token.label, purpose=body.purpose)
        line = self._asking.words("ask-encryption")
        pin = self._asking.pin(request, held.token, line, *self._asking.of_certificate(held))
        recovers = None
        if body.purpose != _OWN:
            recovers = parse_serial(body.purpose.partition(" ")[2])
        with request.using_token(), self._cards.keep(request.origin, held.token, pin) as token:
            asked = self._slot(token, held).ask(held.certificate, request.origin, recovers)
        told = asdict(asked)
        return {"transport_key": told["transport_key"], "signature": told["signature"]}

    def install_encryption_key(
        self, request: Request, body: InstallEncryptionKeyBody
    ) -> dict[str, Any]:
        """Unwrap the key on the token and write its certificate beside it.

        Raises Conflict `card.other-holder`, and as `hsm.transport.receive`.
        """
        plugged = self._cards.token(body.token)
        certificate = Certificate.parse(octets(body.certificate))
        request.facts.update(token=plugged.label, certificate=certificate.fingerprint)
        signing = self._newest_signing(request, plugged.identifier)
        envelope = octets(body.envelope)

        def install(token: Token) -> None:
            with request.using_token():
                recovered = certificate.subject_der != signing.certificate.subject_der
                self._slot(token, signing).install(
                    certificate, envelope, signing.certificate, recovered=recovered
                )

        self._logged_in(request, signing, install)
        self._origins.grant(request.origin, certificate.digest("sha256").hex())
        held = certificates_of(self._cards.token(body.token))
        installed = next(h for h in held if h.certificate.der == certificate.der)
        return {"certificate": installed.to_json()}

    def _logged_in(
        self, request: Request, held: HeldCertificate, work: Callable[[Token], None]
    ) -> None:
        """With the login that was kept, else with the PIN."""
        if self._cards.has_kept(request.origin, held.token.identifier):
            with self._cards.kept(request.origin, held.token.identifier) as token:
                if token is None:
                    raise Conflict("agent.too-late", "the PIN is needed again: start once more")
                work(token)
            return
        line = self._asking.words("install")
        pin = self._asking.pin(request, held.token, line, *self._asking.of_certificate(held))
        with self._cards.opened(held.token, pin) as token:
            work(token)

    @staticmethod
    def _slot(token: Token, held: HeldCertificate) -> EncryptionSlot:
        return EncryptionSlot(token, lambda: token.key(str(held.key)))

    def _signing(self, request: Request, token: str, certificate: str) -> HeldCertificate:
        held = self._cards.certificate(certificate, self._origins.may_see(request.origin))
        if held.token.identifier != token or not held.can_sign(self._clock.now()):
            raise NotFound("card.no-certificate", "no such signing certificate on this token")
        return held

    def _newest_signing(self, request: Request, token: str) -> HeldCertificate:
        seen, now = self._origins.may_see(request.origin), self._clock.now()
        fitting = [
            each
            for each in self._cards.certificates()
            if each.token.identifier == token and each.identifier in seen and each.can_sign(now)
        ]
        if not fitting:
            raise NotFound("card.no-certificate", "no signing certificate is on this token")
        return max(fitting, key=lambda each: each.recency)
