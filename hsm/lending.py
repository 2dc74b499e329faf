"""A key that a token is lent: it stands in the token's memory and never on its storage."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.exceptions import PKCS11Error

from hsm.cryptoki import CryptokiError
from hsm.module import Module
from hsm.sessions import Sessions, refusal_of
from kernel.refusals import Unavailable


@contextmanager
def lent_key(
    module: Module, pool: Sessions, token: str, label: str, value: bytes, so_pin: str | None
) -> Iterator[None]:
    """An AES key that wraps and unwraps, until the end of the block.

    With `so_pin` it is made by the security officer with CKA_TRUSTED (PKCS#11 2.40, 4.9). Then
    it is no private object: those the officer does not see.
    """
    if so_pin is None:
        with pool.write() as session:
            key = session.create_object(_template(label, value, trusted=False))
            try:
                yield
            finally:
                with suppress(PKCS11Error):
                    key.destroy()
        return
    session = _made_by_officer(module, pool, token, label, value, so_pin)
    try:
        yield
    finally:
        with suppress(PKCS11Error):
            session.close()


def _made_by_officer(
    module: Module, pool: Sessions, token: str, label: str, value: bytes, so_pin: str
) -> pkcs11.Session:
    """The session that holds the key; nobody is logged in afterwards."""
    pool.close()  # the officer does not log in beside the user
    found = module.token(token)
    try:
        officer = module.cryptoki.security_officer(found.slot.slot_id, so_pin)
        with module.operation(), module.alone(), officer:
            session: pkcs11.Session = found.open(rw=True)
            session.create_object(_template(label, value, trusted=True))
            return session
    except PKCS11Error as error:
        raise refusal_of(error, token) from error
    except CryptokiError as error:
        raise Unavailable(
            "token.officer", "the security officer cannot log in", token=token
        ) from error


def _template(label: str, value: bytes, *, trusted: bool) -> dict[Attribute, Any]:
    template: dict[Attribute, Any] = {
        Attribute.CLASS: ObjectClass.SECRET_KEY,
        Attribute.KEY_TYPE: KeyType.AES,
        Attribute.VALUE: value,
        Attribute.LABEL: label,
        Attribute.TOKEN: False,
        Attribute.PRIVATE: not trusted,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.ENCRYPT: False,
        Attribute.DECRYPT: False,
        Attribute.SIGN: False,
        Attribute.VERIFY: False,
        Attribute.WRAP: True,
        Attribute.UNWRAP: True,
    }
    if trusted:
        template[Attribute.TRUSTED] = True
    return template
