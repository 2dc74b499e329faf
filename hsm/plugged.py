"""What is plugged in, seen without a PIN: tokens, their certificates and their public keys."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import pkcs11
from pkcs11 import Attribute, ObjectClass, TokenFlag
from pkcs11.exceptions import PKCS11Error

from hsm.mechanisms import public_key_of
from hsm.module import Module, serial_of
from kernel.algorithms import PublicKey
from kernel.refusals import Refusal, Unavailable

MAX_OBJECTS = 64
_MAX_CERTIFICATE_BYTES = 65_536
_KEY_ATTRIBUTES = {
    pkcs11.KeyType.EC: (Attribute.EC_PARAMS, Attribute.EC_POINT),
    pkcs11.KeyType.EC_EDWARDS: (Attribute.EC_PARAMS, Attribute.EC_POINT),
    pkcs11.KeyType.RSA: (Attribute.MODULUS, Attribute.PUBLIC_EXPONENT),
}


@dataclass(frozen=True)
class PluggedToken:
    """A token that is present now. Nothing here needed a login."""

    module: str
    label: str
    serial: str
    manufacturer: str
    model: str
    initialised: bool
    has_pin: bool
    locked: bool
    pin_tries: str
    """`all`, `few`, `one` or `none`: the flags of CK_TOKEN_INFO say no more (PKCS#11 2.40, 3.2)."""
    certificates: tuple[tuple[str, bytes], ...]
    """(label, DER)."""
    keys: tuple[tuple[str, PublicKey], ...]
    """(label, public key); the private key is told by its public half, which needs no PIN."""

    @property
    def identifier(self) -> str:
        """Stable while the token is not initialised anew."""
        parts = (self.manufacturer, self.model, self.serial, self.label if self.initialised else "")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]

    def key_label(self, spki: bytes) -> str | None:
        """The label of the key with this SubjectPublicKeyInfo."""
        return next((label for label, key in self.keys if key.spki == spki), None)


def plugged_tokens(modules: Sequence[str]) -> list[PluggedToken]:
    """Every token of the modules. A module that cannot be loaded has none.

    Raises Unavailable `token.module` when not one of the modules can be loaded.
    """
    found: list[PluggedToken] = []
    failures: list[Refusal] = []
    for path in modules:
        try:
            module = Module.load(path)
        except Unavailable as refusal:
            failures.append(refusal)
            continue
        found += _tokens_of(module)
    if modules and len(failures) == len(modules):
        raise failures[0]
    return found


def is_plugged(token: PluggedToken) -> bool:
    """Whether it is there now. Asks for the list of tokens alone: no session, no login."""
    known = (token.label, token.serial, token.manufacturer, token.model)
    try:
        module = Module.load(token.module)
        with module.operation():
            return any(_names(each) == known for each in module.tokens())
    except (PKCS11Error, Unavailable):
        return False


def _names(token: pkcs11.Token) -> tuple[str, str, str, str]:
    """Label, serial number, manufacturer and model."""
    return token.label, serial_of(token), str(token.manufacturer_id), str(token.model)


def _tokens_of(module: Module) -> list[PluggedToken]:
    try:
        with module.operation():
            return [_look_at(module, token) for token in module.tokens()]
    except PKCS11Error:
        return []


def _look_at(module: Module, token: pkcs11.Token) -> PluggedToken:
    flags = token.flags
    label, serial, manufacturer, model = _names(token)
    initialised = bool(flags & TokenFlag.TOKEN_INITIALIZED)
    certificates: list[tuple[str, bytes]] = []
    keys: list[tuple[str, PublicKey]] = []
    if initialised:
        with suppress(PKCS11Error), token.open() as session:
            certificates, keys = _certificates(session), _keys(session)
    return PluggedToken(
        module=module.path,
        label=label,
        serial=serial,
        manufacturer=manufacturer,
        model=model,
        initialised=initialised,
        has_pin=bool(flags & TokenFlag.USER_PIN_INITIALIZED),
        locked=bool(flags & TokenFlag.USER_PIN_LOCKED),
        pin_tries=_tries(flags),
        certificates=tuple(sorted(certificates)),
        keys=tuple(sorted(keys, key=lambda pair: pair[0])),
    )


def _tries(flags: TokenFlag) -> str:
    if flags & TokenFlag.USER_PIN_LOCKED:
        return "none"
    if flags & TokenFlag.USER_PIN_FINAL_TRY:
        return "one"
    return "few" if flags & TokenFlag.USER_PIN_COUNT_LOW else "all"


def _certificates(session: pkcs11.Session) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for each in session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE}):
        der = bytes(each[Attribute.VALUE])
        if len(der) <= _MAX_CERTIFICATE_BYTES and len(found) < MAX_OBJECTS:
            found.append((str(each[Attribute.LABEL]), der))
    return found


def _keys(session: pkcs11.Session) -> list[tuple[str, PublicKey]]:
    found: list[tuple[str, PublicKey]] = []
    for each in session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY}):
        kind = each[Attribute.KEY_TYPE]
        if kind not in _KEY_ATTRIBUTES or len(found) >= MAX_OBJECTS:
            continue
        wanted = [Attribute.KEY_TYPE, *_KEY_ATTRIBUTES[kind]]
        key = public_key_of(each.get_attributes(wanted))
        if key is not None:
            found.append((str(each[Attribute.LABEL]), key))
    return found
