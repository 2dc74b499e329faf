"""A private key in a token: what it shows, what it signs, and how it is guarded."""

import hashlib
import secrets
from contextlib import suppress

import pkcs11
from pkcs11 import Attribute, KeyType, ObjectClass
from pkcs11.exceptions import NoSuchKey, PKCS11Error

from hsm.generation import Export, guarding_attributes
from hsm.mechanisms import MECHANISMS, public_key_of
from hsm.sessions import PooledSession, Sessions, refusal_of
from kernel.algorithms import AlgorithmSuite, KeyKind, PublicKey
from kernel.identifiers import KeyUri
from kernel.refusals import Unavailable, Unprocessable

PUBLIC_ATTRIBUTES = {
    KeyType.EC: (Attribute.EC_PARAMS, Attribute.EC_POINT),
    KeyType.EC_EDWARDS: (Attribute.EC_PARAMS, Attribute.EC_POINT),
    KeyType.RSA: (Attribute.MODULUS, Attribute.PUBLIC_EXPONENT),
}


class TokenKey:
    """A private key in a token; implements `kernel.keys.KeyHandle`. Safe for threads."""

    def __init__(
        self, pool: Sessions, uri: KeyUri, public_key: PublicKey, suite: AlgorithmSuite
    ) -> None:
        if not public_key.fits(suite):
            raise Unprocessable(
                "key.suite", "the key cannot be used with this algorithm", suite=suite.name
            )
        self._pool = pool
        self._mechanism = MECHANISMS[suite.name]
        self._hash = getattr(hashlib, suite.digest)
        self._digest_size = self._hash().digest_size
        self.uri = uri
        self.public_key = public_key
        self.suite = suite

    def __repr__(self) -> str:
        return f"TokenKey({self.uri}, {self.suite.name})"

    def sign(self, message: bytes) -> bytes:
        """Sign a message; see `kernel.keys.KeyHandle.sign`."""
        if self.suite.kind is KeyKind.ED25519:
            return self._sign(message)
        return self.sign_digest(self._hash(message).digest())

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a digest; see `kernel.keys.KeyHandle.sign_digest`."""
        if self.suite.kind is KeyKind.ED25519:
            raise Unprocessable("key.digest", "Ed25519 signs messages, not digests")
        if len(digest) != self._digest_size:
            raise Unprocessable("key.digest", "the digest has the wrong length")
        return self._sign(self._mechanism.prepare(digest))

    def _sign(self, data: bytes) -> bytes:
        mechanism = self._mechanism
        label = self.uri.object

        def work(session: PooledSession) -> bytes:
            return session.signing_key(label).sign(
                data, mechanism=mechanism.sign, mechanism_param=mechanism.parameter
            )

        signature = self._pool.run(work)
        if self._pool.told_of_signature is not None and label is not None:
            self._pool.told_of_signature(label)
        return mechanism.finish(signature)

    def self_test(self) -> None:
        """Sign a fresh message and verify it in software.

        Raises Unavailable `token.wrong-key` when the token signs with another key than it shows.
        """
        message = b"PortSeal self-test " + secrets.token_bytes(16)
        if not self.public_key.verify(self.suite, self.sign(message), message):
            raise Unavailable(
                "token.wrong-key", "a signature of this key does not verify", key=str(self.uri)
            )


def require_guarded(private: pkcs11.PrivateKey, label: str, export: Export = Export.NEVER) -> None:
    """A token that ignores the template must not hold an authority's key."""
    wanted = guarding_attributes(export)
    try:
        guarded = all(private[attribute] is value for attribute, value in wanted.items())
    except PKCS11Error as error:
        raise refusal_of(error, label) from error
    if not guarded:
        raise Unavailable("token.unguarded-key", "the token made a key that can leave it")


def read_public_key(session: pkcs11.Session, label: str) -> PublicKey:
    """Raises NoSuchKey."""
    wanted = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: label}
    for found in session.get_objects(wanted):
        if found[Attribute.KEY_TYPE] in PUBLIC_ATTRIBUTES:
            with suppress(NoSuchKey):
                return shown_by(found)
    raise NoSuchKey(f"no usable public key labelled {label}")


def shown_by(public: pkcs11.Object) -> PublicKey:
    """What a public key object holds. Raises NoSuchKey for a kind that we do not use."""
    kind = public[Attribute.KEY_TYPE]
    attributes = public.get_attributes([Attribute.KEY_TYPE, *PUBLIC_ATTRIBUTES[kind]])
    key = public_key_of(attributes)
    if key is None:
        raise NoSuchKey("a public key of another kind")
    return key
