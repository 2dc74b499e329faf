"""Changing a PIN, and unlocking a token whose PIN was lost."""

import secrets
from collections.abc import Sequence
from typing import Any

from hsm.admin import change_pin, change_so_pin, reset_pin
from hsm.plugged import PluggedToken
from kernel.refusals import Conflict, Malformed
from key_agent.asking import Asking, Request
from key_agent.cards import Cards
from key_agent.messages import TokenBody, UnlockBody
from key_agent.sealing import open_with_secret, seal


class PinChanges:
    """The purposes of this kind. Every PIN, code and secret is typed in the agent's windows."""

    def __init__(self, cards: Cards, asking: Asking) -> None:
        self._cards = cards
        self._asking = asking

    def change_pin(self, request: Request, body: TokenBody) -> dict[str, Any]:
        """Raises Unavailable `token.pin-wrong`, `token.locked`; Unprocessable `pin.weak`."""
        self.change(request, self._cards.token(body.token), self._asking.words("change-pin"))
        return {}

    def change(self, request: Request, token: PluggedToken, line: str) -> None:
        """`line` says what the windows are for. Raises as `change_pin`; Conflict `token.blank`."""
        _require_initialised(token, request)
        old = self._asking.pin(request, token, line, prompt="old-pin")
        new = self._asking.new_pin(request, token, line)
        with self._cards.exclusive(), request.using_token():
            change_pin(token.module, token.label, old, new, token.serial)

    def unlock(self, request: Request, body: UnlockBody) -> dict[str, Any]:
        """Raises Malformed `recovery.envelope`, `recovery.key`; Forbidden `recovery.secret`,
        Conflict `recovery.other-token`; Unavailable `token.unblocking-code-wrong`."""
        token = self._cards.token(body.token)
        _require_initialised(token, request)
        line = self._asking.words("unlock")
        lines = (line, *self._asking.of_recovery(request, body.recovery_key))
        code = self._code(request, token, body.envelope, lines)
        fresh = secrets.token_hex(16)
        payload = {"serial": token.serial, "code": fresh}
        recovery = None if body.recovery_key is None else seal(body.recovery_key, payload)
        new = self._asking.new_pin(request, token, *lines)
        with self._cards.exclusive(), request.using_token():
            reset_pin(token.module, token.label, code, new, token.serial)
            # A code that was on its way is spent; without somebody to keep the next one it stays.
            if recovery is not None:
                change_so_pin(token.module, token.label, code, fresh, token.serial)
        return {"recovery": recovery}

    def _code(
        self, request: Request, token: PluggedToken, envelope: str | None, lines: Sequence[str]
    ) -> str:
        if envelope is None:
            return self._asking.pin(request, token, *lines, prompt="code")
        secret = self._asking.pin(request, token, *lines, prompt="secret")
        opened = open_with_secret(envelope, secret)
        if opened.keys() != {"serial", "code"}:
            raise Malformed("recovery.envelope", "not an envelope with an unblocking code")
        if opened["serial"] != token.serial:
            raise Conflict("recovery.other-token", "the envelope is for another token")
        return opened["code"]


def _require_initialised(token: PluggedToken, request: Request) -> None:
    if not token.initialised:
        raise Conflict("token.blank", "this token is not initialised yet")
    request.facts["token"] = token.label
