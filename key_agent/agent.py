"""The agent: who may ask for what. One named purpose a method, each use in the log."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kernel.clock import Clock
from kernel.refusals import Forbidden, NotFound, Refusal
from key_agent import PROTOCOL, VERSION
from key_agent import messages as m
from key_agent.asking import Asking, Request
from key_agent.cards import Cards
from key_agent.connecting import Connecting, refused
from key_agent.encryption import EncryptionKeys
from key_agent.enrolling import Enrolling, token_json
from key_agent.origins import Origins, Standing
from key_agent.patience import Patience
from key_agent.pin_changes import PinChanges
from key_agent.presence import Presence
from key_agent.reading import Copies
from key_agent.renewing import Renewing
from key_agent.signing import SigningPurposes
from key_agent.uses import UseLog
from key_agent.windows import Windows
from key_agent.words import Words

_UNLOGGED = frozenset({"status"})


@dataclass(frozen=True)
class Method:
    """One purpose."""

    body: type[m.Body]
    run: Callable[[Request, Any], dict[str, Any]]
    limit: int = m.SMALL
    """Octets of a request's body."""
    for_anybody: bool = False
    """Also for an origin that the user was not asked about."""


class Agent:
    """Everything behind the HTTP door."""

    def __init__(
        self,
        *,
        cards: Cards,
        windows: Windows,
        words: Words,
        origins: Origins,
        log: UseLog,
        clock: Clock,
        copies: Copies,
        patience: Patience | None = None,
    ) -> None:
        self.patience = patience or Patience()
        self._cards = cards
        self._origins = origins
        self._log = log
        self._asking = Asking(windows, words, self.patience)
        connecting = Connecting(cards, self._asking, origins, self.patience)
        enrolling = Enrolling(cards, self._asking, origins, clock)
        signing = SigningPurposes(cards, self._asking, origins, clock, copies)
        renewing = Renewing(cards, self._asking, origins, clock)
        encryption = EncryptionKeys(cards, self._asking, origins, clock)
        pins = PinChanges(cards, self._asking)
        presence = Presence(cards, origins, log)
        self.methods = {
            "status": Method(m.Nothing, self._status, for_anybody=True),
            "connect": Method(m.Nothing, connecting.connect, for_anybody=True),
            "tokens": Method(m.Nothing, self._tokens),
            "initialise": Method(m.InitialiseBody, enrolling.initialise),
            "make_key": Method(m.MakeKeyBody, enrolling.make_key),
            "write_certificates": Method(
                m.WriteCertificatesBody, enrolling.write_certificates, 4 * m.SMALL
            ),
            "make_transport_key": Method(m.MakeTransportKeyBody, encryption.make_transport_key),
            "install_encryption_key": Method(
                m.InstallEncryptionKeyBody, encryption.install_encryption_key, 4 * m.SMALL
            ),
            "sign_in": Method(m.SignInBody, signing.sign_in),
            "sign_renewal": Method(m.SignRenewalBody, renewing.sign_renewal),
            "sign": Method(m.SignBody, signing.sign, m.LARGE),
            "sign_bundle": Method(m.SignBundleBody, signing.sign_bundle, m.LARGE),
            "sign_tree": Method(m.SignTreeBody, signing.sign_tree, m.LARGE),
            "change_pin": Method(m.TokenBody, pins.change_pin),
            "unlock": Method(m.UnlockBody, pins.unlock),
            "can_watch": Method(m.Nothing, presence.can_watch),
            "watch": Method(m.WatchBody, presence.watch),
        }

    def method(self, name: str) -> Method:
        """Raises NotFound `method.unknown`."""
        found = self.methods.get(name)
        if found is None:
            raise NotFound("method.unknown", "the key agent has no such method")
        return found

    def call(self, name: str, request: Request, data: bytes) -> dict[str, Any]:
        """One use by a page, from the JSON that it sent. Raises Refusal."""
        started = time.perf_counter()
        outcome = "failed"
        try:
            method = self.method(name)
            body = m.read(method.body, data)
            if not method.for_anybody:
                self._require_allowed(request.origin)
            answer = method.run(request, body)
            outcome = "done"
            return answer
        except Refusal as refusal:
            outcome = refusal.code
            raise
        finally:
            if name not in _UNLOGGED:
                milliseconds = {
                    "total": _rounded(time.perf_counter() - started),
                    "window": _rounded(request.window_seconds),
                    "token": _rounded(request.token_seconds),
                }
                agreed = outcome == "done" and request.window_seconds > 0
                self._log.write(
                    request.origin, name[:40], outcome,
                    agreed=agreed, **request.facts, ms=milliseconds,
                )  # fmt: skip

    def _status(self, request: Request, _: m.Nothing) -> dict[str, Any]:
        return {
            "agent": "PortSeal key agent",
            "version": VERSION,
            "protocol": PROTOCOL,
            "origin": str(self._origins.standing(request.origin)),
            "busy": self._asking.busy,
        }

    def _tokens(self, request: Request, _: m.Nothing) -> dict[str, Any]:
        seen = self._origins.may_see(request.origin)
        with request.using_token():
            plugged = self._cards.plugged()
        return {"tokens": [token_json(each, seen) for each in plugged]}

    def _require_allowed(self, origin: str) -> None:
        standing = self._origins.standing(origin)
        if standing is Standing.REFUSED:
            raise refused()
        if standing is not Standing.ALLOWED:
            raise Forbidden("origin.unknown", "the user was not asked about this site yet")


def _rounded(seconds: float) -> float:
    return round(seconds * 1000, 2)
