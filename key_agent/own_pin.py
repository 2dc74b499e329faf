"""`portseal-agent change-pin`: the PIN changed by its user, without a page that asks for it."""

from pathlib import Path

from hsm.plugged import PluggedToken
from kernel.clock import SystemClock
from kernel.refusals import Conflict, NotFound, Refusal
from key_agent.asking import Asking, Request
from key_agent.cards import Cards
from key_agent.patience import Patience
from key_agent.pin_changes import PinChanges
from key_agent.places import LOG_FILE
from key_agent.uses import UseLog
from key_agent.windows import Windows
from key_agent.words import Words

COMMAND = "portseal-agent change-pin"


def change_own_pin(
    libraries: tuple[str, ...], home: Path, windows: Windows, words: Words, wanted: str | None
) -> str:
    """In the agent's windows, and in its log. `wanted`: label or serial number of the USB key,
    where several are plugged in. The label of the one whose PIN was changed.

    Raises NotFound `token.none`; Conflict `token.several`; as `PinChanges.change`.
    """
    cards = Cards(libraries)
    request = Request("")
    pins = PinChanges(cards, Asking(windows, words, Patience()))
    outcome = "failed"
    try:
        token = _meant(cards.plugged(), wanted)
        pins.change(request, token, words("change-own-pin"))
        outcome = "done"
    except Refusal as refusal:
        outcome = refusal.code
        raise
    finally:
        log = UseLog(home / LOG_FILE, SystemClock())
        log.write(COMMAND, "change_pin", outcome, agreed=outcome == "done", **request.facts)
    return token.label


def _meant(plugged: list[PluggedToken], wanted: str | None) -> PluggedToken:
    ready = [each for each in plugged if each.initialised]
    if wanted is not None:
        ready = [each for each in ready if wanted in (each.label, each.serial)]
    if not ready:
        raise NotFound("token.none", "no such USB key is plugged in")
    if len(ready) > 1:
        told = ", ".join(f"{each.label} {each.serial}" for each in ready)
        raise Conflict("token.several", f"say which USB key with --token: {told}", tokens=told)
    return ready[0]
