"""Where a PKCS#11 module departs from the standard; docs/tokens.md tells the whole of it."""

from pkcs11 import Attribute

_UNSTATED = {"tpm2-software.github.io": (Attribute.ENCRYPT, Attribute.VERIFY)}
"""By the library's manufacturer: attributes of a public key that its template must not state.
tpm2-pkcs11 settles these by itself, and refuses any template that says otherwise."""


_ONE_CALL_AT_A_TIME = frozenset({"tpm2-software.github.io"})
"""Modules that fail when two threads are in them, though they were initialised with locking."""


_READS_ITS_STORE = frozenset({"SoftHSM"})
"""Modules that look into their files at each use of a token's object, and not for those of a
session: SoftHSM2 signs with a session's copy of a P-256 key in three quarters of the time."""


def signs_from_copies(manufacturer: str) -> bool:
    """Whether keys are copied into the session that signs with them (C_CopyObject)."""
    return manufacturer in _READS_ITS_STORE


def takes_one_call_at_a_time(manufacturer: str, *, through_a_server: bool) -> bool:
    """`through_a_server`: the module is p11-kit's client. When its server ends, threads that wait
    for their turn on the connection are not woken (0.24). Nothing is lost by it: the server does
    one call of a connection after the other."""
    return through_a_server or manufacturer in _ONE_CALL_AT_A_TIME


_SHOWS_HALF_WRITTEN = frozenset({"SoftHSM"})
"""Modules whose tokens other processes do not see while one logs in (`hsm.neighbours`)."""


def shows_half_written_tokens(manufacturer: str) -> bool:
    return manufacturer in _SHOWS_HALF_WRITTEN


def unstated_attributes(manufacturer: str) -> tuple[Attribute, ...]:
    """What key generation leaves to the modules of this manufacturer."""
    return _UNSTATED.get(manufacturer, ())
