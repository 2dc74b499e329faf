"""Making a card: a blank token made ready, a key made on it, its certificate written back."""

import secrets
from typing import Any

from hsm.admin import initialise_token
from hsm.plugged import PluggedToken
from hsm.pyca import certificate_request
from hsm.token import Token
from kernel.algorithms import SUITES
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.refusals import Conflict, NotFound, Unavailable, Unprocessable
from key_agent.asking import Asking, Request
from key_agent.cards import Cards, HeldCertificate, certificates_of
from key_agent.messages import (
    InitialiseBody,
    MakeKeyBody,
    WriteCertificatesBody,
    octets,
    text_of,
)
from key_agent.origins import Origins
from key_agent.sealing import seal

SIGNING_KEY = "signing"
_MAX_KEYS = 16


class Enrolling:
    """The purposes of this kind."""

    def __init__(self, cards: Cards, asking: Asking, origins: Origins, clock: Clock) -> None:
        self._cards = cards
        self._asking = asking
        self._origins = origins
        self._clock = clock

    def initialise(self, request: Request, body: InitialiseBody) -> dict[str, Any]:
        """Make a blank token ready. Nothing that a token holds is ever erased.

        Raises Conflict `token.exists`, Malformed `recovery.key`, Unprocessable `pin.weak`.
        """
        blank = self._cards.token(body.token)
        if blank.initialised:
            raise Conflict("token.exists", "this token is in use already", token=blank.label)
        request.facts["token"] = body.label
        # A wrong recovery key is found before anything is changed.
        code = secrets.token_hex(16)
        goes = self._asking.of_recovery(request, body.recovery_key)
        line = self._asking.words("initialise", label=body.label)
        pin = self._asking.new_pin(request, blank, line, *goes)
        before = self._labelled(blank.module, body.label)
        with self._cards.exclusive(), request.using_token():
            initialise_token(blank.module, body.label, code, pin, blank.serial)
        made = self._newly_made(blank.module, body.label, {each.serial for each in before})
        recovery = None
        if body.recovery_key is not None:
            recovery = seal(body.recovery_key, {"serial": made.serial, "code": code})
        return {"token": token_json(made, frozenset()), "recovery": recovery}

    def make_key(self, request: Request, body: MakeKeyBody) -> dict[str, Any]:
        """A PKCS#10 by a key on the token; made when `purpose` wants a new one.

        Raises Unprocessable `key.suite`; Conflict `key.enrolled` (a certificate is there already:
        renew or rekey); NotFound `card.no-certificate` (nothing to renew).
        """
        suite = SUITES.get(body.suite)
        if suite is None:
            raise Unprocessable("key.suite", "no such algorithm suite", suite=body.suite)
        plugged = self._cards.token(body.token)
        request.facts.update(token=plugged.label, purpose=body.purpose)
        label, exists = self._key_for(plugged, body.purpose)
        words = self._asking.words
        line = words("renew-key" if exists else "make-key")
        pin = self._asking.pin(request, plugged, line)
        with request.using_token(), self._cards.keep(request.origin, plugged, pin) as token:
            key = token.key(label) if exists else token.generate(label, suite)
            pkcs10 = certificate_request(key, plugged.label)
        return {"pkcs10": text_of(pkcs10), "key": label}

    def write_certificates(self, request: Request, body: WriteCertificatesBody) -> dict[str, Any]:
        """Raises Conflict `card.other-key`; Malformed `certificate.malformed`."""
        plugged = self._cards.token(body.token)
        first, *above = [Certificate.parse(octets(each)) for each in body.certificates]
        label = plugged.key_label(first.spki)
        if label is None or first.is_ca:
            raise Conflict("card.other-key", "the certificate is not for a key on this token")
        if not all(each.is_ca for each in above):
            raise Conflict("card.other-key", "only authorities stand above the first certificate")
        request.facts.update(token=plugged.label, certificate=first.fingerprint)
        if self._cards.has_kept(request.origin, plugged.identifier):
            with self._cards.kept(request.origin, plugged.identifier) as token:
                if token is None:
                    raise Conflict("agent.too-late", "the PIN is needed again: start once more")
                self._write(request, token, label, first, above)
        else:
            line = self._asking.words("write")
            subject = self._asking.of_certificate(HeldCertificate(plugged, first, label))
            pin = self._asking.pin(request, plugged, line, *subject)
            with self._cards.opened(plugged, pin) as token:
                self._write(request, token, label, first, above)
        self._origins.grant(request.origin, first.digest("sha256").hex())
        held = certificates_of(self._cards.token(body.token))
        wanted = {each.der for each in (first, *above)}
        return {"certificates": [each.to_json() for each in held if each.certificate.der in wanted]}

    @staticmethod
    def _write(
        request: Request, token: Token, label: str, first: Certificate, above: list[Certificate]
    ) -> None:
        with request.using_token():
            token.write_certificate(label, first.der)
            for each in above:
                token.write_certificate(f"ca {each.fingerprint[:16]}", each.der)

    def _key_for(self, plugged: PluggedToken, purpose: str) -> tuple[str, bool]:
        """The label of the key, and whether it is there already."""
        labels = {label for label, _ in plugged.keys}
        held = certificates_of(plugged)
        certified = {each.key for each in held}
        if purpose == "renew":
            now = self._clock.now()
            signing = [each for each in held if each.key is not None and "signing" in each.usage]
            newest = max(signing, key=lambda each: each.recency, default=None)
            if newest is None or newest.key is None or newest.certificate.not_before > now:
                raise NotFound("card.no-certificate", "there is no certificate to renew")
            return newest.key, True
        for label in (SIGNING_KEY, *(f"{SIGNING_KEY}-{n}" for n in range(2, _MAX_KEYS + 1))):
            if label not in labels:
                return label, False
            if label not in certified:
                return label, True  # an enrolment that was interrupted goes on
            if purpose == "enrol":
                raise Conflict("key.enrolled", "this token has its certificate: renew or rekey")
        raise Conflict("key.enrolled", f"a token holds at most {_MAX_KEYS} signing keys")

    def _labelled(self, module: str, label: str) -> list[PluggedToken]:
        found = [each for each in self._cards.plugged() if each.module == module]
        return [each for each in found if each.initialised and each.label == label]

    def _newly_made(self, module: str, label: str, before: set[str]) -> PluggedToken:
        """In its own module: another maker's key may bear the same label."""
        found = [each for each in self._labelled(module, label) if each.serial not in before]
        if len(found) != 1:
            raise Unavailable("token.missing", "the new token does not show itself", token=label)
        return found[0]


def token_json(token: PluggedToken, seen: frozenset[str]) -> dict[str, Any]:
    """A token as a page sees it, with the certificates that it may see."""
    if not token.initialised:
        state = "blank"
    elif token.locked:
        state = "locked"
    else:
        state = "ready" if token.has_pin else "no-pin"
    held = [each for each in certificates_of(token) if each.identifier in seen]
    return {
        "id": token.identifier,
        "label": token.label if token.initialised else "",
        "manufacturer": token.manufacturer,
        "model": token.model,
        "serial": token.serial,
        "state": state,
        "pin_tries": token.pin_tries,
        "certificates": [each.to_json() for each in held],
    }
