"""One question to the user at a time, with who asks for it and what for."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hsm.admin import LONGEST_PIN, SHORTEST_PIN, check_pin
from hsm.plugged import PluggedToken
from kernel.refusals import Conflict, Unprocessable
from key_agent.cards import HeldCertificate
from key_agent.patience import Patience
from key_agent.sealing import fingerprint
from key_agent.windows import Abandoned, Cancelled, View, Windows, view
from key_agent.words import Words

T = TypeVar("T")
_WEAK_PINS = 3
"""How often a new PIN is asked for that turns out too weak."""


@dataclass
class Request:
    """Who asks, whether they still wait, and where the time went."""

    origin: str
    """Empty where no page asks, but the user's own command."""
    abandoned: Abandoned = lambda: False
    facts: dict[str, object] = field(default_factory=dict)
    """For the log: what was asked about."""
    window_seconds: float = 0.0
    token_seconds: float = 0.0

    @contextmanager
    def using_token(self) -> Iterator[None]:
        """What the token does, and not the agent."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.token_seconds += time.perf_counter() - started


class Asking:
    """Opens the windows."""

    def __init__(self, windows: Windows, words: Words, patience: Patience) -> None:
        self.words = words
        self._windows = windows
        self._patience = patience
        self._one = threading.Lock()

    @property
    def busy(self) -> bool:
        return self._one.locked()

    def confirm(self, request: Request, *lines: str) -> bool:
        shown = self._view(request, *lines)
        return self._ask(request, lambda: self._windows.confirm(shown, request.abandoned))

    def pin(
        self,
        request: Request,
        token: PluggedToken,
        *lines: str,
        prompt: str = "pin",
        summary: Sequence[str] = (),
    ) -> str:
        """The PIN (or, with another `prompt`, what it names) for what the lines say. `summary`:
        what of them is said again beside the PIN when they take several pages, with the name of
        the token."""
        named = self._of_token(token)
        short = (*summary, *named) if summary else ()
        shown = self._view(request, *lines, *named, summary=short)
        words = self.words(prompt)
        return self._ask(request, lambda: self._windows.pin(shown, words, request.abandoned))

    def new_pin(self, request: Request, token: PluggedToken, *lines: str) -> str:
        """A PIN that is not easily guessed; one that is gets the question asked again, which says
        why. Raises Unprocessable `pin.weak` when it comes to that too often."""
        rule = self.words("pin-rule", shortest=SHORTEST_PIN, longest=LONGEST_PIN)
        for number in range(1, _WEAK_PINS + 1):
            told = (rule,) if number == 1 else (self.words("weak-pin"), rule)
            shown = self._view(request, *lines, *told, *self._of_token(token))
            value = self._new_pin(request, shown)
            try:
                check_pin(value)
            except Unprocessable:
                if number < _WEAK_PINS:
                    continue
                raise
            break
        return value

    def _new_pin(self, request: Request, shown: View) -> str:
        first, again = self.words("new-pin"), self.words("again")
        return self._ask(
            request, lambda: self._windows.new_pin(shown, first, again, request.abandoned)
        )

    def of_certificate(self, held: HeldCertificate) -> tuple[str, ...]:
        """The lines that name the card."""
        until = held.certificate.not_after.date().isoformat()
        subject = held.certificate.attribute("2.5.4.3") or held.certificate.subject_text()
        return self.words("card", subject=subject), self.words("until", date=until)

    def of_recovery(self, request: Request, key: dict[str, Any] | None) -> tuple[str, ...]:
        """The lines that say to whose key, a JWK that the page gave, the unblocking code goes.

        Raises Malformed `recovery.key`.
        """
        if key is None:
            return ()
        digest = fingerprint(key)
        request.facts["recovery_key"] = digest
        return self.words("code-goes"), self.words("code-key", digest=digest)

    def _of_token(self, token: PluggedToken) -> tuple[str, ...]:
        """Its label and serial number: makers give many tokens one label, and blank ones none."""
        lines = [self.words("token", label=token.label if token.initialised else token.model)]
        if token.serial:
            lines.append(self.words("serial", serial=token.serial))
        warning = {"one": "last-try", "few": "few-tries"}.get(token.pin_tries)
        return (*lines, *(() if warning is None else (self.words(warning),)))

    def _view(self, request: Request, *lines: str, summary: Sequence[str] = ()) -> View:
        origin = request.origin
        site = self.words("site", origin=origin) if origin else self.words("own-command")
        return view(self.words("title"), site, *lines, summary=summary)

    def _ask(self, request: Request, window: Callable[[], T]) -> T:
        """Raises Conflict `agent.busy`, TooMany `agent.paused`, and as the window."""
        self._patience.window(request.origin)
        if not self._one.acquire(blocking=False):
            raise Conflict("agent.busy", "another window of the key agent is open")
        started = time.perf_counter()
        try:
            return window()
        except Cancelled:
            self._patience.dismissed(request.origin)
            raise
        finally:
            request.window_seconds += time.perf_counter() - started
            self._one.release()
