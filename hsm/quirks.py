"""Where a PKCS#11 module departs from the standard; docs/tokens.md tells the whole of it."""

from pkcs11 import Attribute

from hsm.module import Module

_UNSTATED = {"tpm2-software.github.io": (Attribute.ENCRYPT, Attribute.VERIFY)}
"""By the library's manufacturer: attributes of a public key that its template must not state.
tpm2-pkcs11 settles these by itself, and refuses any template that says otherwise."""


def unstated_attributes(module: Module) -> tuple[Attribute, ...]:
    """What key generation leaves to this module."""
    return _UNSTATED.get(module.manufacturer, ())
