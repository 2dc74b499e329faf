"""Secret keys in a token: one encrypts small data, one makes blind indexes, one wraps keys.

A key has one use. One that could wrap and decrypt would show what it wrapped: wrap a private
key, then decrypt the wrapping (J. Clulow, On the Security of PKCS #11, 2003, 3.2).
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

from pkcs11 import Attribute, GCMParams, KeyType, Mechanism, MechanismFlag, ObjectClass

from hsm.generation import Export, guarding_attributes
from hsm.limits import limited_write
from hsm.sessions import PooledSession, Sessions
from hsm.token_key import TokenKey, read_public_key
from hsm.wrapping import (
    KeyUse,
    WrappedKey,
    WrappedSecret,
    unwrap,
    unwrap_secret,
    wrap,
    wrapping_mechanism,
)
from kernel.algorithms import AlgorithmSuite
from kernel.identifiers import KeyUri
from kernel.refusals import Conflict, Malformed, TooLarge, Unavailable, Unprocessable

LONGEST_PLAINTEXT = 64 * 1024
_VERSION = b"\x01"
_NONCE_OCTETS = 12
_TAG_OCTETS = 16


class SecretUse(StrEnum):
    ENCRYPT = "encrypt"
    """AES-256-GCM (NIST SP 800-38D) of small data."""
    MAC = "mac"
    """HMAC-SHA256 (RFC 2104): blind indexes, integrity of rows."""
    WRAP = "wrap"
    """AES-256 key wrap (RFC 5649, 3394) of other keys."""


_TYPES = {
    SecretUse.ENCRYPT: KeyType.AES,
    SecretUse.MAC: KeyType.GENERIC_SECRET,
    SecretUse.WRAP: KeyType.AES,
}
_FLAGS = {
    SecretUse.ENCRYPT: MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
    SecretUse.MAC: MechanismFlag.SIGN | MechanismFlag.VERIFY,
    SecretUse.WRAP: MechanismFlag.WRAP | MechanismFlag.UNWRAP,
}
_SHOWN_BY = {
    SecretUse.WRAP: Attribute.WRAP,
    SecretUse.ENCRYPT: Attribute.ENCRYPT,
    SecretUse.MAC: Attribute.SIGN,
}


class SecretKey:
    """A secret key in a token. Safe for threads.

    Every method raises Unprocessable `key.use` when the key is for something else, and
    Unavailable as `SessionPool.run`.
    """

    def __init__(self, pool: Sessions, uri: KeyUri, use: SecretUse) -> None:
        self._pool = pool
        self.uri = uri
        self.use = use

    @property
    def pool(self) -> Sessions:
        """The sessions, for the other modules of this room."""
        return self._pool

    def __repr__(self) -> str:
        return f"SecretKey({self.uri}, {self.use})"

    def encrypt(self, plaintext: bytes, associated: bytes = b"") -> bytes:
        """Encrypt at most 64 KiB; 29 octets longer than `plaintext`.

        `associated` is authenticated and must be given again, for example the row's identifier.
        Each call draws its own 96-bit nonce: at most 2^32 under one key (SP 800-38D, 8.3).
        Raises TooLarge `secret.too-large`.
        """
        self._require(SecretUse.ENCRYPT)
        if len(plaintext) > LONGEST_PLAINTEXT:
            raise TooLarge("secret.too-large", "more than a secret key encrypts at once")
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        parameters = _parameters(nonce, associated)

        def work(session: PooledSession) -> bytes:
            key = session.secret_key(self.uri.object)
            value: bytes = key.encrypt(
                plaintext, mechanism=Mechanism.AES_GCM, mechanism_param=parameters
            )
            return value

        return _VERSION + nonce + self._pool.run(work)

    def decrypt(self, ciphertext: bytes, associated: bytes = b"") -> bytes:
        """What `encrypt` was given.

        Raises Malformed `secret.malformed`, and Unprocessable `secret.not-authentic` for another
        key, other `associated` data or a changed octet.
        """
        self._require(SecretUse.ENCRYPT)
        shortest = len(_VERSION) + _NONCE_OCTETS + _TAG_OCTETS
        if not shortest <= len(ciphertext) <= shortest + LONGEST_PLAINTEXT:
            raise Malformed("secret.malformed", "not encrypted data of this shape")
        if ciphertext[:1] != _VERSION:
            raise Malformed("secret.malformed", "encrypted data of an unknown version")
        nonce, body = _parts(ciphertext)
        parameters = _parameters(nonce, associated)

        try:
            return self._decrypt(body, parameters)
        except Unavailable as refusal:
            if refusal.facts.get("error") not in _TAG_REFUSED:
                raise
            # A broken token answers the same as a wrong tag does: see whether it still works.
            self.self_test()
            raise Unprocessable(
                "secret.not-authentic", "encrypted under another key or elsewhere, or changed"
            ) from refusal

    def _decrypt(self, body: bytes, parameters: GCMParams) -> bytes:
        def work(session: PooledSession) -> bytes:
            key = session.secret_key(self.uri.object)
            value: bytes = key.decrypt(
                body, mechanism=Mechanism.AES_GCM, mechanism_param=parameters
            )
            return value

        return self._pool.run(work)

    def mac(self, message: bytes) -> bytes:
        """HMAC-SHA256, 32 octets."""
        self._require(SecretUse.MAC)

        def work(session: PooledSession) -> bytes:
            key = session.secret_key(self.uri.object)
            value: bytes = key.sign(message, mechanism=Mechanism.SHA256_HMAC)
            return value

        return self._pool.run(work)

    def wrap(self, label: str, use: KeyUse = KeyUse.SIGN) -> WrappedKey:
        """Wrap the token's key pair of this label, which was made exportable.

        Raises Unavailable `token.not-exportable`, `token.no-key`, `token.mechanism`.
        """
        self._require(SecretUse.WRAP)

        def work(session: PooledSession) -> WrappedKey:
            private: Any = session.private_key(label)
            public = read_public_key(session.session, label)
            return wrap(session.secret_key(self.uri.object), private, public, use)

        return self._pool.run(work)

    @limited_write
    def unwrap(
        self, wrapped: WrappedKey, label: str, suite: AlgorithmSuite | None = None,
        *, export: Export = Export.NEVER,
    ) -> TokenKey:  # fmt: skip
        """Put a wrapped pair into this token under `label`, sensitive; a signing key is tried.

        A key that does not sign for its public key is removed again. Raises Malformed
        `wrapped-key.malformed`, Conflict `key.exists`, Unavailable.
        """
        self._require(SecretUse.WRAP)
        with self._found_out(), self._pool.write() as session:
            taken = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: label}
            if next(iter(session.get_objects(taken)), None) is not None:
                raise Conflict("key.exists", "the token already holds such a key", key=label)
            wrapping = session.get_key(ObjectClass.SECRET_KEY, label=self.uri.object)
            guard = guarding_attributes(export)
            unwrap(session, wrapping, wrapped, label, guard=guard)
            public = read_public_key(session, label)
        uri = KeyUri(self.uri.token, label)
        key = TokenKey(self._pool, uri, public, suite or public.default_suite())
        if wrapped.use is KeyUse.SIGN:
            try:
                key.self_test()
            except Unavailable:
                self._remove(label)
                raise
        return key

    @limited_write
    def try_unwrap(self, wrapped: WrappedKey) -> None:
        """That the token takes a key back that it wrapped: into a session's memory, no further.

        Raises as `unwrap`.
        """
        self._require(SecretUse.WRAP)
        guard = guarding_attributes(Export.WRAPPED)
        with self._found_out(), self._pool.write() as session:
            wrapping = session.get_key(ObjectClass.SECRET_KEY, label=self.uri.object)
            unwrap(session, wrapping, wrapped, "", guard=guard, store=False)

    def wrap_secret(self, label: str) -> WrappedSecret:
        """Wrap the token's secret key of this label. Raises as `wrap`."""
        self._require(SecretUse.WRAP)
        use = use_of(self._pool, label)

        def work(session: PooledSession) -> WrappedSecret:
            mechanism = wrapping_mechanism(session.session)
            wrapping = session.secret_key(self.uri.object)
            value = wrapping.wrap_key(session.secret_key(label), mechanism=mechanism)
            return WrappedSecret(str(use), mechanism.name, value)

        return self._pool.run(work)

    @limited_write
    def unwrap_secret(self, wrapped: WrappedSecret, label: str, export: Export) -> None:
        """Put a wrapped secret key into this token. Raises as `unwrap`."""
        self._require(SecretUse.WRAP)
        use = SecretUse(wrapped.use)
        guard = {**guarding_attributes(export), Attribute.MODIFIABLE: False}
        with self._found_out(), self._pool.write() as session:
            wrapping = session.get_key(ObjectClass.SECRET_KEY, label=self.uri.object)
            unwrap_secret(session, wrapping, wrapped, label, _TYPES[use], _FLAGS[use], guard)
        SecretKey(self._pool, KeyUri(self.uri.token, label), use).self_test()

    def self_test(self) -> None:
        """Use the key once each way. Raises Unavailable `token.wrong-key` and as the token."""
        probe = b"PortSeal self-test " + secrets.token_bytes(16)
        if self.use is SecretUse.ENCRYPT:
            made = self.encrypt(probe)
            nonce, body = _parts(made)
            good = self._decrypt(body, _parameters(nonce, b"")) == probe
        elif self.use is SecretUse.MAC:
            good = self.mac(probe) == self.mac(probe)
        else:
            good = True  # wrapping is tried with the key that is wrapped
        if not good:
            raise Unavailable("token.wrong-key", "the secret key does not work", key=str(self.uri))

    def is_same_as(self, other: "SecretKey") -> bool:
        """Whether the other, in whichever token, does the same: neither shows its value.

        Raises Unavailable as the tokens do.
        """
        probe = secrets.token_bytes(32)
        if self.use is not other.use:
            return False
        if self.use is SecretUse.MAC:
            return self.mac(probe) == other.mac(probe)
        if self.use is SecretUse.WRAP:
            return self._wrapped(probe) == other._wrapped(probe)
        try:
            return other.decrypt(self.encrypt(probe)) == probe
        except Unprocessable:
            return False

    def _wrapped(self, probe: bytes) -> bytes:
        """A key of that value, wrapped; the same each time (RFC 5649)."""
        template = {
            Attribute.CLASS: ObjectClass.SECRET_KEY,
            Attribute.KEY_TYPE: KeyType.AES,
            Attribute.VALUE: probe,
            Attribute.TOKEN: False,
            Attribute.PRIVATE: True,
            Attribute.EXTRACTABLE: True,
        }

        def work(session: PooledSession) -> bytes:
            made: Any = session.session.create_object(template)
            try:
                mechanism = wrapping_mechanism(session.session)
                wrapping = session.secret_key(self.uri.object)
                value: bytes = wrapping.wrap_key(made, mechanism=mechanism)
                return value
            finally:
                made.destroy()

        return self._pool.run(work)

    @contextmanager
    def _found_out(self) -> Iterator[None]:
        """A token that is gone refuses to unwrap as it refuses changed octets. A fresh login tells:
        raises Unavailable then."""
        try:
            yield
        except Malformed:
            self._pool.close()
            self._pool.run(lambda session: None)
            raise

    def _require(self, use: SecretUse) -> None:
        if self.use is not use:
            raise Unprocessable("key.use", "this key does not {use}", key=str(self.uri), use=use)

    @limited_write
    def _remove(self, label: str) -> None:
        with self._pool.write() as session:
            for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
                for each in session.get_objects({Attribute.CLASS: kind, Attribute.LABEL: label}):
                    each.destroy()


_TAG_REFUSED = {"GeneralError", "EncryptedDataInvalid", "EncryptedDataLenRange", "FunctionFailed"}


def _parts(ciphertext: bytes) -> tuple[bytes, bytes]:
    start = len(_VERSION) + _NONCE_OCTETS
    return ciphertext[len(_VERSION) : start], ciphertext[start:]


def _parameters(nonce: bytes, associated: bytes) -> GCMParams:
    return GCMParams(nonce, associated or None, 8 * _TAG_OCTETS)


def generate_secret(pool: Sessions, label: str, use: SecretUse, export: Export) -> None:
    """256 bits from the token's own generator: sensitive, and extractable only where asked for."""
    wanted = {**guarding_attributes(export), Attribute.MODIFIABLE: False}
    with pool.write() as session:
        made = session.generate_key(
            _TYPES[use], 256, label=label, id=secrets.token_bytes(16), store=True,
            capabilities=_FLAGS[use], template=wanted,
        )  # fmt: skip
        if not all(made[attribute] is value for attribute, value in wanted.items()):
            made.destroy()
            raise Unavailable("token.unguarded-key", "the token made a key that can leave it")


def use_of(pool: Sessions, label: str) -> SecretUse:
    """What the secret key of this label is for, as the token says. Raises Unavailable
    `token.no-key`."""

    def work(session: PooledSession) -> SecretUse:
        key = session.secret_key(label)
        return next((use for use, shown in _SHOWN_BY.items() if key[shown]), SecretUse.ENCRYPT)

    return pool.run(work)
