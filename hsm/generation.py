"""How a token makes a key pair: what the pair may do, and whether it may ever leave, wrapped."""

import secrets
from enum import StrEnum
from typing import Any

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag
from pkcs11.constants import DEFAULT
from pkcs11.exceptions import PKCS11Error

from hsm.mechanisms import MECHANISMS, generation_parameters
from hsm.module import Module
from hsm.quirks import unstated_attributes
from hsm.wrapping import WRAPPING_MECHANISMS, KeyUse
from kernel.algorithms import AlgorithmSuite


class Export(StrEnum):
    """Whether a key may leave its token; in clear it never does."""

    NEVER = "never"
    WRAPPED = "wrapped"
    """Under any wrapping key of the token: whoever has the PIN can make one."""
    TRUSTED = "trusted"
    """Only under a key that the security officer marked (CKA_WRAP_WITH_TRUSTED)."""


def guarding_attributes(export: Export) -> dict[Attribute, bool]:
    """The part of a private or secret key's template that guards it."""
    template = {
        Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: export is not Export.NEVER,
    }
    if export is Export.TRUSTED:
        template[Attribute.WRAP_WITH_TRUSTED] = True
    return template


def export_of(key: pkcs11.Object) -> Export:
    """What a key's own attributes say."""
    if not key[Attribute.EXTRACTABLE]:
        return Export.NEVER
    try:
        return Export.TRUSTED if key[Attribute.WRAP_WITH_TRUSTED] else Export.WRAPPED
    except PKCS11Error:
        return Export.WRAPPED


def stays_when_asked(session: pkcs11.Session, key: Any) -> bool:
    """Whether the token really keeps a key that it promised to keep: a wrapping key that anybody
    with the PIN can make is tried on it. True too for a token that wraps nothing."""
    flags = MechanismFlag.WRAP | MechanismFlag.UNWRAP
    try:
        wrapping: Any = session.generate_key(
            KeyType.AES, 256, id=secrets.token_bytes(16), label="", store=False, capabilities=flags
        )
        able = session.token.slot.get_mechanisms()
    except PKCS11Error:
        return True
    for mechanism in (*WRAPPING_MECHANISMS, Mechanism.AES_CBC_PAD):
        if mechanism in able:
            parameter = bytes(16) if mechanism is Mechanism.AES_CBC_PAD else None
            try:
                wrapping.wrap_key(key, mechanism=mechanism, mechanism_param=parameter)
            except PKCS11Error:
                continue
            return False
    return True


_FLAGS = {
    KeyUse.SIGN: MechanismFlag.SIGN | MechanismFlag.VERIFY,
    KeyUse.DECRYPT: MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
    KeyUse.AGREE: MechanismFlag.DERIVE,
}


def generate_pair(
    session: pkcs11.Session,
    module: Module,
    label: str,
    suite: AlgorithmSuite,
    use: KeyUse,
    export: Export,
    *,
    store: bool,
) -> tuple[pkcs11.PublicKey, pkcs11.PrivateKey]:
    """`store`: False makes a pair that ends with the session. Raises PKCS11Error."""
    mechanism = MECHANISMS[suite.name]
    parameters = generation_parameters(suite)
    template: dict[str, Any] = {
        "id": secrets.token_bytes(16),
        "label": label,
        "store": store,
        "capabilities": _FLAGS[use],
        "mechanism": mechanism.generate,
        "public_template": dict.fromkeys(unstated_attributes(module.manufacturer), DEFAULT),
        "private_template": guarding_attributes(export),
    }
    if isinstance(parameters, bytes):
        domain = session.create_domain_parameters(
            mechanism.key_type, {Attribute.EC_PARAMS: parameters}, local=True
        )
        return domain.generate_keypair(**template)
    return session.generate_keypair(KeyType.RSA, parameters, **template)
