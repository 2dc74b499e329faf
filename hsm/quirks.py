"""Where a PKCS#11 module departs from the standard; docs/tokens.md tells the whole of it."""

from pkcs11 import Attribute

from hsm.module import Module

_UNSTATED = {"tpm2-software.github.io": (Attribute.ENCRYPT, Attribute.VERIFY)}
"""By the library's manufacturer: attributes of a public key that its template must not state.
tpm2-pkcs11 settles these by itself, and refuses any template that says otherwise."""


_ONE_CALL_AT_A_TIME = frozenset({"tpm2-software.github.io"})
"""Modules that fail when two threads are in them, though they were initialised with locking."""


def takes_one_call_at_a_time(module: Module) -> bool:
    return module.manufacturer in _ONE_CALL_AT_A_TIME


def unstated_attributes(module: Module) -> tuple[Attribute, ...]:
    """What key generation leaves to this module."""
    return _UNSTATED.get(module.manufacturer, ())
