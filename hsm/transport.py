"""A private key from one token to another that share no key: sealed to a transport key.

The receiving token makes an RSA key pair that can unwrap and nothing else; the sending token wraps
the private key under a fresh AES key and that under the transport key; the receiving one unwraps
both (docs/key-centre.md). In clear the key is in neither program's memory.
"""

import secrets
from contextlib import suppress
from typing import Any

import pkcs11
from cryptography.hazmat.primitives.asymmetric import rsa
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.exceptions import PKCS11Error

from hsm.decryption_key import OAEP_SHA1, DecryptionKey
from hsm.generation import Export, guarding_attributes
from hsm.limits import limited_write
from hsm.token import Token
from hsm.token_key import read_public_key, require_guarded
from hsm.wrapping import KeyUse, WrappedKey, unwrap, wrapping_mechanism
from kernel.algorithms import KeyKind, PublicKey
from kernel.asn1.key_envelope import KeyEnvelope, require_transport_key, transport_key_identifier
from kernel.refusals import Conflict, Forbidden, Malformed, Refusal, Unavailable

TRANSPORT_LABEL = "transport"
TRANSPORT_BITS = 3072
_USES = {KeyKind.EC: KeyUse.AGREE, KeyKind.RSA: KeyUse.DECRYPT}


@limited_write
def seal(token: Token, wrapped: WrappedKey, wrapping: str, transport: PublicKey) -> KeyEnvelope:
    """From escrow to a transport key, inside `token`, whose secret key `wrapping` wrapped it.

    Raises Unprocessable `transport-key.unsuitable`; Malformed `wrapped-key.malformed`;
    Unavailable `token.no-key`, `token.mechanism` and as the token does.
    """
    require_transport_key(transport)
    with token.pool.write() as session:
        escrow = session.get_key(ObjectClass.SECRET_KEY, label=wrapping)
        private = unwrap(
            session, escrow, wrapped, "", guard=guarding_attributes(Export.WRAPPED), store=False
        )
        once = session.generate_key(
            KeyType.AES, 256, store=False, capabilities=MechanismFlag.WRAP,
            template=guarding_attributes(Export.WRAPPED),
        )  # fmt: skip
        content = once.wrap_key(private, mechanism=_padded(session))  # type: ignore[attr-defined]
        encrypted = _public_object(session, transport).wrap_key(
            once, mechanism=Mechanism.RSA_PKCS_OAEP, mechanism_param=OAEP_SHA1
        )
        return KeyEnvelope(transport_key_identifier(transport), encrypted, content)


@limited_write
def make_transport_key(token: Token) -> PublicKey:
    """A new transport key in the receiving token; an older one is destroyed. Raises Unavailable."""
    destroy_transport_key(token)
    with token.pool.write() as session:
        _, private = session.generate_keypair(
            KeyType.RSA, TRANSPORT_BITS, store=True, label=TRANSPORT_LABEL,
            id=secrets.token_bytes(16), capabilities=MechanismFlag.WRAP | MechanismFlag.UNWRAP,
            private_template=guarding_attributes(Export.NEVER),
        )  # fmt: skip
        require_guarded(private, TRANSPORT_LABEL, Export.NEVER)
        return read_public_key(session, TRANSPORT_LABEL)


@limited_write
def destroy_transport_key(token: Token) -> None:
    """Nothing happens when there is none. Raises Unavailable."""
    _destroy(token, TRANSPORT_LABEL)


@limited_write
def receive(token: Token, envelope: KeyEnvelope, label: str, public_key: PublicKey) -> None:
    """Put the private key of an envelope into `token` under `label`, for good and guarded.

    `public_key` is the certificate's: a key that does not decrypt for it is removed again.
    Raises Conflict `key.exists`; Forbidden `key-envelope.other-recipient`; Malformed
    `key-envelope.malformed` (also for a key of another kind); Unavailable `token.no-key` without
    a transport key, `token.wrong-key`, and as the token does.
    """
    if label in token.key_labels():
        raise Conflict("key.exists", "the token already holds a key of this name", key=label)
    use = _USES.get(public_key.kind)
    if use is None:
        raise Malformed("key-envelope.malformed", "nothing is encrypted to this kind of key")
    with token.pool.write() as session:
        own = read_public_key(session, TRANSPORT_LABEL)
        if transport_key_identifier(own) != envelope.recipient:
            raise Forbidden(
                "key-envelope.other-recipient", "the envelope is for another card's transport key"
            )
        transport: Any = session.get_key(ObjectClass.PRIVATE_KEY, label=TRANSPORT_LABEL)
        try:
            once = transport.unwrap_key(
                ObjectClass.SECRET_KEY, KeyType.AES, envelope.encrypted_key,
                mechanism=Mechanism.RSA_PKCS_OAEP, mechanism_param=OAEP_SHA1, store=False,
                capabilities=MechanismFlag.UNWRAP, template=guarding_attributes(Export.NEVER),
            )  # fmt: skip
        except PKCS11Error as error:
            raise _unopened() from error
        wrapped = WrappedKey(public_key.spki, use, _padded(session).name, envelope.content)
        try:
            unwrap(session, once, wrapped, label, guard=guarding_attributes(Export.NEVER))
        except Malformed:
            raise _unopened() from None
    _require_working(token, label)


def _require_working(token: Token, label: str) -> None:
    try:
        key = DecryptionKey(token, label)
        key.require_guarded()
        key.self_test()
    except Refusal:
        with suppress(Unavailable):
            _destroy(token, label)
        raise


def _destroy(token: Token, label: str) -> None:
    with token.pool.write() as session:
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            for each in session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: label}):
                each.destroy()


def _padded(session: pkcs11.Session) -> Mechanism:
    """AES key wrap with padding (RFC 5649) as this module numbers it."""
    mechanism = wrapping_mechanism(session)
    if mechanism is Mechanism.AES_KEY_WRAP:
        raise Unavailable("token.mechanism", "the token has no AES key wrap with padding")
    return mechanism


def _public_object(session: pkcs11.Session, key: PublicKey) -> Any:
    """The transport key as a session object that wraps."""
    public = key.pyca
    assert isinstance(public, rsa.RSAPublicKey)
    numbers = public.public_numbers()
    return session.create_object(
        {
            Attribute.CLASS: ObjectClass.PUBLIC_KEY,
            Attribute.KEY_TYPE: KeyType.RSA,
            Attribute.TOKEN: False,
            Attribute.PRIVATE: False,
            Attribute.WRAP: True,
            Attribute.MODULUS: numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big"),
            Attribute.PUBLIC_EXPONENT: numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big"),
        }
    )


def _unopened() -> Malformed:
    return Malformed("key-envelope.malformed", "the envelope does not open, or holds another key")
