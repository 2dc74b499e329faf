"""A key on its way between tokens: wrapped in one under an AES key, unwrapped in another.

Private keys are wrapped as PKCS#8 PrivateKeyInfo, secret keys as their value, with AES key wrap
with padding (RFC 5649) or without (RFC 3394): both tell a wrong key or a changed octet.
"""

import base64
import json
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import pkcs11
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.constants import DEFAULT
from pkcs11.exceptions import PKCS11Error

from hsm.mechanisms import ec_parameters
from kernel.algorithms import PublicKey
from kernel.refusals import Malformed, Unavailable, Unprocessable

_LONGEST_WRAPPED = 16 * 1024
WRAPPING_MECHANISMS = (
    Mechanism.AES_KEY_WRAP_PAD,
    Mechanism.AES_KEY_WRAP_KWP,
    Mechanism.AES_KEY_WRAP,
)
"""In the order of choice. 0x210A is RFC 5649 in SoftHSM2; PKCS#11 3.0 numbers that 0x210B."""

_OF_PUBLIC_KEYS = (Attribute.ENCRYPT, Attribute.VERIFY, Attribute.WRAP)
_OF_PRIVATE_KEYS = (Attribute.DECRYPT, Attribute.SIGN, Attribute.UNWRAP, Attribute.DERIVE)
"""Said one by one: a module may take what is left unsaid for allowed."""


class KeyUse(StrEnum):
    """What a key pair is for; it does nothing else (NIST SP 800-57, 5.2)."""

    SIGN = "sign"
    DECRYPT = "decrypt"
    """RSA."""
    AGREE = "agree"
    """Elliptic-curve Diffie-Hellman."""


PRIVATE_USE = {
    KeyUse.SIGN: Attribute.SIGN,
    KeyUse.DECRYPT: Attribute.DECRYPT,
    KeyUse.AGREE: Attribute.DERIVE,
}


@dataclass(frozen=True)
class WrappedKey:
    """A private key as it may be kept outside a token: worthless without the wrapping key."""

    spki: bytes
    """Its public key, DER SubjectPublicKeyInfo."""
    use: KeyUse
    mechanism: str
    value: bytes

    def encode(self) -> bytes:
        """JSON, ASCII; `decode` reads it back."""
        fields = {
            "spki": base64.b64encode(self.spki).decode(),
            "use": str(self.use),
            "mechanism": self.mechanism,
            "value": base64.b64encode(self.value).decode(),
        }
        return json.dumps(fields, sort_keys=True).encode()

    @classmethod
    def decode(cls, data: bytes) -> "WrappedKey":
        """Raises Malformed `wrapped-key.malformed`."""
        try:
            if len(data) > 2 * _LONGEST_WRAPPED:
                raise ValueError
            fields = json.loads(data)
            if set(fields) != {"spki", "use", "mechanism", "value"}:
                raise ValueError
            return cls(
                base64.b64decode(fields["spki"], validate=True),
                KeyUse(fields["use"]),
                str(fields["mechanism"]),
                base64.b64decode(fields["value"], validate=True),
            )
        except (ValueError, TypeError):
            raise Malformed("wrapped-key.malformed", "not a wrapped key") from None


@dataclass(frozen=True)
class WrappedSecret:
    """A secret key outside its token, wrapped."""

    use: str
    mechanism: str
    value: bytes


def wrap(wrapping: Any, private: pkcs11.PrivateKey, public: PublicKey, use: KeyUse) -> WrappedKey:
    """`wrapping`: an AES key of the same session. Raises PKCS11Error, Unavailable as
    `wrapping_mechanism`."""
    mechanism = wrapping_mechanism(wrapping.session)
    value = wrapping.wrap_key(private, mechanism=mechanism)
    return WrappedKey(public.spki, use, mechanism.name, value)


def wrapping_mechanism(session: pkcs11.Session) -> Mechanism:
    """Raises Unavailable `token.mechanism` when the token wraps with none that tells tampering."""
    able = session.token.slot.get_mechanisms()
    for mechanism in WRAPPING_MECHANISMS:
        if mechanism in able:
            return mechanism
    raise Unavailable("token.mechanism", "the token has no AES key wrap", token=session.token.label)


def unwrap(
    session: pkcs11.Session,
    wrapping: Any,
    wrapped: WrappedKey,
    label: str,
    *,
    guard: dict[Attribute, bool],
    store: bool = True,
) -> pkcs11.PrivateKey:
    """Put the pair into the token of this read-write session; returns the private key.

    `guard`: see `hsm.generation.guarding_attributes`.
    Raises Malformed `wrapped-key.malformed` for another wrapping key or changed octets,
    Unprocessable `public-key.unsupported`, PKCS11Error.
    """
    public = PublicKey.from_spki(wrapped.spki)
    identifier = secrets.token_bytes(16)
    key_type, _ = _public_object(public)
    private_template = {
        **dict.fromkeys(_OF_PUBLIC_KEYS, DEFAULT),
        **dict.fromkeys(_OF_PRIVATE_KEYS, False),
        PRIVATE_USE[wrapped.use]: True,
        **guard,
    }
    try:
        private = wrapping.unwrap_key(
            ObjectClass.PRIVATE_KEY, key_type, wrapped.value, id=identifier, label=label,
            mechanism=_named(wrapped.mechanism), store=store, template=private_template,
        )  # fmt: skip
    except PKCS11Error as error:
        if type(error).__name__ in _NOT_OURS:
            raise not_ours() from error
        raise
    try:
        create_public(session, public, identifier, label, store=store)
    except PKCS11Error:
        private.destroy()
        raise
    return cast(pkcs11.PrivateKey, private)


def create_public(
    session: pkcs11.Session, public: PublicKey, identifier: bytes, label: str, *, store: bool = True
) -> pkcs11.Object:
    """The public half of a pair, beside the private one. Raises PKCS11Error."""
    key_type, attributes = _public_object(public)
    return session.create_object(
        {
            Attribute.CLASS: ObjectClass.PUBLIC_KEY,
            Attribute.KEY_TYPE: key_type,
            Attribute.TOKEN: store,
            Attribute.PRIVATE: False,
            Attribute.ID: identifier,
            Attribute.LABEL: label,
            **attributes,
        }
    )


def unwrap_secret(
    session: pkcs11.Session,
    wrapping: Any,
    wrapped: WrappedSecret,
    label: str,
    key_type: KeyType,
    capabilities: pkcs11.MechanismFlag,
    guard: dict[Attribute, bool],
) -> None:
    """Put the secret key into the token of this read-write session. Raises as `unwrap`."""
    template = {**guard, Attribute.VALUE_LEN: DEFAULT}
    try:
        wrapping.unwrap_key(
            ObjectClass.SECRET_KEY, key_type, wrapped.value, id=secrets.token_bytes(16),
            label=label, mechanism=_named(wrapped.mechanism), store=True,
            capabilities=capabilities, template=template,
        )  # fmt: skip
    except PKCS11Error as error:
        if type(error).__name__ in _NOT_OURS:
            raise not_ours() from error
        raise


_NOT_OURS = {
    "WrappedKeyInvalid", "WrappedKeyLenRange", "GeneralError", "EncryptedDataInvalid",
    "EncryptedDataLenRange", "FunctionFailed",
}  # fmt: skip
"""What tokens answer when the integrity check of key wrap fails; SoftHSM2 says GeneralError."""


def not_ours() -> Malformed:
    return Malformed("wrapped-key.malformed", "the key was wrapped under another key, or changed")


def _named(name: str) -> Mechanism:
    for mechanism in WRAPPING_MECHANISMS:
        if mechanism.name == name:
            return mechanism
    raise Malformed("wrapped-key.malformed", "no such key wrap")


def _public_object(public: PublicKey) -> tuple[KeyType, dict[Attribute, Any]]:
    key = public.pyca
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return KeyType.RSA, {
            Attribute.MODULUS: numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big"),
            Attribute.PUBLIC_EXPONENT: numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big"),
        }
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return KeyType.EC, _point_attributes(ec_parameters(public), point)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return KeyType.EC_EDWARDS, _point_attributes(ec_parameters(public), key.public_bytes_raw())
    raise Unprocessable("public-key.unsupported", "this kind of key cannot be unwrapped")


def _point_attributes(parameters: bytes, point: bytes) -> dict[Attribute, Any]:
    """CKA_EC_POINT is the point as an OCTET STRING (PKCS#11 2.40, 2.3.3)."""
    size = len(point)
    header = bytes([4, size]) if size < 128 else bytes([4, 0x81, size])
    return {Attribute.EC_PARAMS: parameters, Attribute.EC_POINT: header + point}
