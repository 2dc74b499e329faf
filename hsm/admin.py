"""Preparing a token: initialise it, set and change its PIN, list what is plugged in."""

import itertools
from collections.abc import Iterator

from pkcs11 import TokenFlag

from hsm.cryptoki import CryptokiError
from hsm.module import Module, serial_of
from kernel.refusals import Conflict, Unavailable, Unprocessable

SHORTEST_PIN = 6
LONGEST_PIN = 64

_CODES = {
    0xA0: ("token.pin-wrong", "the PIN is wrong"),
    0xA1: ("token.pin-wrong", "the PIN is not acceptable to the token"),
    0xA2: ("token.pin-length", "the PIN is too short or too long for the token"),
    0xA4: ("token.locked", "the token is locked after too many wrong PINs"),
    0xB6: ("token.in-use", "the token is in use"),
    0xE0: ("token.missing", "the token was pulled"),
    0xE2: ("token.read-only", "the token is write-protected"),
}


def check_pin(pin: str) -> None:
    """Refuse a PIN that anybody would guess. Raises Unprocessable `pin.weak`."""
    if not SHORTEST_PIN <= len(pin) <= LONGEST_PIN:
        raise Unprocessable("pin.weak", f"a PIN has {SHORTEST_PIN} to {LONGEST_PIN} characters")
    steps = {ord(b) - ord(a) for a, b in itertools.pairwise(pin)}
    if len(steps) == 1 and steps <= {-1, 0, 1}:
        raise Unprocessable("pin.weak", "a PIN of equal or consecutive characters is refused")


def initialise_token(
    module: str, label: str, so_pin: str, pin: str, serial: str | None = None
) -> None:
    """Initialise the first blank token of the module, or the one with this serial number, and set
    its user PIN.

    A token that already carries the label is left alone: raises Conflict `token.exists`.
    Raises Unavailable `token.missing` when no blank token is plugged in, Unprocessable `pin.weak`.
    """
    check_pin(pin)
    loaded = Module.load(module)
    blank: int | None = None
    for token in loaded.tokens():
        if token.label == label and token.flags & TokenFlag.TOKEN_INITIALIZED:
            raise Conflict("token.exists", "a token of this label exists already", token=label)
        meant = serial is None or serial_of(token) == serial
        if blank is None and meant and not token.flags & TokenFlag.TOKEN_INITIALIZED:
            blank = token.slot.slot_id
    if blank is None:
        raise Unavailable("token.missing", "no blank token is plugged in")
    try:
        loaded.cryptoki.init_token(blank, so_pin, label)
        slot = loaded.token(label).slot.slot_id
        loaded.cryptoki.init_pin(slot, so_pin, pin)
    except CryptokiError as error:
        raise _refusal(error, label) from error


def change_pin(module: str, label: str, old: str, new: str, serial: str | None = None) -> None:
    """Change the user's PIN. `serial`: of the token, where several have the label.

    Raises Unprocessable `pin.weak`, Unavailable `token.pin-wrong`.
    """
    check_pin(new)
    loaded = Module.load(module)
    slot = loaded.token(label, serial).slot.slot_id
    try:
        loaded.cryptoki.set_pin(slot, old, new)
    except CryptokiError as error:
        raise _refusal(error, label) from error


def reset_pin(module: str, label: str, so_pin: str, new: str, serial: str | None = None) -> None:
    """Unlock: set a new user PIN with the unblocking code (the security officer's PIN).

    Raises Unprocessable `pin.weak`; Unavailable `token.unblocking-code-wrong` and as the token.
    """
    check_pin(new)
    loaded = Module.load(module)
    slot = loaded.token(label, serial).slot.slot_id
    try:
        loaded.cryptoki.init_pin(slot, so_pin, new)
    except CryptokiError as error:
        raise _officer_refusal(error, label) from error


def change_so_pin(module: str, label: str, old: str, new: str, serial: str | None = None) -> None:
    """Replace the unblocking code. Raises as `reset_pin`, but for `pin.weak`."""
    loaded = Module.load(module)
    slot = loaded.token(label, serial).slot.slot_id
    try:
        loaded.cryptoki.set_so_pin(slot, old, new)
    except CryptokiError as error:
        raise _officer_refusal(error, label) from error


def _officer_refusal(error: CryptokiError, label: str) -> Unavailable:
    refusal = _refusal(error, label)
    if refusal.code == "token.pin-wrong":
        return Unavailable(
            "token.unblocking-code-wrong", "the unblocking code is wrong", token=label
        )
    return refusal


def token_labels(module: str) -> Iterator[str]:
    """The labels of the initialised tokens that are plugged in."""
    for token in Module.load(module).tokens():
        if token.flags & TokenFlag.TOKEN_INITIALIZED:
            yield token.label


def is_plugged_in(module: str, label: str) -> bool:
    """Whether a token of this label is there now. Raises Unavailable `token.module`."""
    return label in token_labels(module)


def _refusal(error: CryptokiError, label: str) -> Unavailable:
    code, detail = _CODES.get(error.value, ("token.failed", "the token failed"))
    return Unavailable(code, detail, token=label, function=error.function)
