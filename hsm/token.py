"""A token: make keys in it, sign with them, keep certificates beside them."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, cast

import pkcs11
from cryptography import x509
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass
from pkcs11.constants import DEFAULT
from pkcs11.exceptions import NoSuchKey, PKCS11Error

from hsm.mechanisms import MECHANISMS, generation_parameters, public_key_of
from hsm.module import Module
from hsm.pins import PinSource
from hsm.quirks import unstated_attributes
from hsm.sessions import PooledSession, SessionPool, refusal_of
from kernel.algorithms import AlgorithmSuite, KeyKind, PublicKey
from kernel.asn1.certificate import Certificate
from kernel.identifiers import KeyUri
from kernel.refusals import Conflict, Unavailable, Unprocessable

_PUBLIC_ATTRIBUTES = {
    KeyType.EC: (Attribute.EC_PARAMS, Attribute.EC_POINT),
    KeyType.EC_EDWARDS: (Attribute.EC_PARAMS, Attribute.EC_POINT),
    KeyType.RSA: (Attribute.MODULUS, Attribute.PUBLIC_EXPONENT),
}


@dataclass(frozen=True)
class StoredCertificate:
    """A certificate kept on the token beside its key."""

    label: str
    der: bytes


@dataclass(frozen=True)
class TokenInfo:
    """What a token says of itself, without a login."""

    label: str
    serial: str
    manufacturer: str
    model: str
    locked: bool
    last_try: bool
    """One more wrong PIN locks the token (CKF_USER_PIN_FINAL_TRY)."""


class TokenKey:
    """A private key in a token; implements `kernel.keys.KeyHandle`. Safe for threads."""

    def __init__(
        self, pool: SessionPool, uri: KeyUri, public_key: PublicKey, suite: AlgorithmSuite
    ) -> None:
        if not public_key.fits(suite):
            raise Unprocessable(
                "key.suite", "the key cannot be used with this algorithm", suite=suite.name
            )
        self._pool = pool
        self._mechanism = MECHANISMS[suite.name]
        self.uri = uri
        self.public_key = public_key
        self.suite = suite

    def __repr__(self) -> str:
        return f"TokenKey({self.uri}, {self.suite.name})"

    def sign(self, message: bytes) -> bytes:
        """Sign a message; see `kernel.keys.KeyHandle.sign`."""
        if self.suite.kind is KeyKind.ED25519:
            return self._sign(message)
        return self.sign_digest(hashlib.new(self.suite.digest, message).digest())

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a digest; see `kernel.keys.KeyHandle.sign_digest`."""
        if self.suite.kind is KeyKind.ED25519:
            raise Unprocessable("key.digest", "Ed25519 signs messages, not digests")
        if len(digest) != hashlib.new(self.suite.digest).digest_size:
            raise Unprocessable("key.digest", "the digest has the wrong length")
        return self._sign(self._mechanism.prepare(digest))

    def _sign(self, data: bytes) -> bytes:
        mechanism = self._mechanism
        label = self.uri.object

        def work(session: PooledSession) -> bytes:
            return session.private_key(label).sign(
                data, mechanism=mechanism.sign, mechanism_param=mechanism.parameter
            )

        return mechanism.finish(self._pool.run(work))

    def self_test(self) -> None:
        """Sign a fresh message and verify it in software.

        Raises Unavailable `token.wrong-key` when the token signs with another key than it shows.
        """
        message = b"PortSeal self-test " + secrets.token_bytes(16)
        if not self.public_key.verify(self.suite, self.sign(message), message):
            raise Unavailable(
                "token.wrong-key", "a signature of this key does not verify", key=str(self.uri)
            )


class Token:
    """A logged-in token. Opening is lazy: the PIN is asked for at the first use of a key."""

    def __init__(self, module: str, label: str, pin: PinSource, sessions: int = 4) -> None:
        """Raises Unavailable `token.module`."""
        self.label = label
        self._module = Module.load(module)
        self._pool = SessionPool(self._module, label, pin, sessions)

    def login(self) -> None:
        """Log in now. Raises Unavailable as `SessionPool.run`."""
        self._pool.run(lambda session: None)

    def close(self) -> None:
        self._pool.close()

    def info(self) -> TokenInfo:
        """Raises Unavailable `token.missing`."""
        token = self._module.token(self.label)
        return TokenInfo(
            label=token.label,
            serial=token.serial.decode("ascii", "replace").strip(),
            manufacturer=token.manufacturer_id,
            model=token.model,
            locked=bool(token.flags & pkcs11.TokenFlag.USER_PIN_LOCKED),
            last_try=bool(token.flags & pkcs11.TokenFlag.USER_PIN_FINAL_TRY),
        )

    def generate(self, label: str, suite: AlgorithmSuite) -> TokenKey:
        """Make a key pair in the token: sensitive, never extractable, for signing only.

        Raises Conflict `key.exists`, Unprocessable `key.suite`, Unavailable.
        """
        if suite.name not in MECHANISMS:
            raise Unprocessable("key.suite", "no token signs under this suite", suite=suite.name)
        if label in self.key_labels():
            raise Conflict("key.exists", "the token already holds a key of this name", key=label)
        mechanism = MECHANISMS[suite.name]
        identifier = secrets.token_bytes(16)
        with self._pool.write() as session:
            parameters = generation_parameters(suite)
            template: dict[str, Any] = {
                "id": identifier,
                "label": label,
                "store": True,
                "capabilities": MechanismFlag.SIGN | MechanismFlag.VERIFY,
                "mechanism": mechanism.generate,
                "public_template": dict.fromkeys(unstated_attributes(self._module), DEFAULT),
                "private_template": {
                    Attribute.SENSITIVE: True,
                    Attribute.EXTRACTABLE: False,
                    Attribute.PRIVATE: True,
                },
            }
            if isinstance(parameters, bytes):
                domain = session.create_domain_parameters(
                    mechanism.key_type, {Attribute.EC_PARAMS: parameters}, local=True
                )
                _, private = domain.generate_keypair(**template)
            else:
                _, private = session.generate_keypair(KeyType.RSA, parameters, **template)
            _require_guarded(private, label)
        key = self.key(label, suite)
        key.self_test()
        return key

    def key(self, label: str, suite: AlgorithmSuite | None = None) -> TokenKey:
        """The key of this label; `suite` defaults to the first that the key fits.

        Raises Unavailable `token.no-key` and as `SessionPool.run`.
        """
        public = self._pool.run(lambda session: _read_public_key(session.session, label))
        return TokenKey(
            self._pool, KeyUri(self.label, label), public, suite or public.default_suite()
        )

    def require_guarded(self, label: str) -> None:
        """Raises Unavailable `token.unguarded-key` when the private key could leave the token."""
        wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: label}
        with self._pool.write() as session:
            for found in session.get_objects(wanted):
                _require_guarded(cast(pkcs11.PrivateKey, found), label)

    def key_labels(self) -> list[str]:
        """The labels of all private keys."""

        def work(session: PooledSession) -> list[str]:
            found = session.session.get_objects({Attribute.CLASS: ObjectClass.PRIVATE_KEY})
            return sorted(str(key[Attribute.LABEL]) for key in found)

        return self._pool.run(work)

    def write_certificate(self, label: str, der: bytes) -> None:
        """Keep a certificate beside the key of the same label, replacing an older one."""
        with self._pool.write() as session:
            wanted = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.LABEL: label}
            older = list(session.get_objects(wanted))
            keys = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: label}
            identifier = next((key[Attribute.ID] for key in session.get_objects(keys)), b"")
            session.create_object(
                {
                    Attribute.CLASS: ObjectClass.CERTIFICATE,
                    Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                    Attribute.TOKEN: True,
                    Attribute.PRIVATE: False,
                    Attribute.LABEL: label,
                    Attribute.ID: identifier,
                    Attribute.SUBJECT: _subject(der),
                    Attribute.VALUE: der,
                }
            )
            for certificate in older:
                certificate.destroy()

    def certificates(self) -> list[StoredCertificate]:
        """The certificate of each label, by label.

        A write that died midway leaves two of one label: then the newest that fits the label's
        key counts. The next write removes the others.
        """

        def work(session: PooledSession) -> list[StoredCertificate]:
            found: dict[str, list[Certificate]] = {}
            for each in session.session.get_objects({Attribute.CLASS: ObjectClass.CERTIFICATE}):
                certificate = Certificate.parse(bytes(each[Attribute.VALUE]))
                found.setdefault(str(each[Attribute.LABEL]), []).append(certificate)
            return [
                StoredCertificate(label, _current(session.session, label, found[label]).der)
                for label in sorted(found)
            ]

        return self._pool.run(work)

    def certificate(self, label: str) -> bytes | None:
        """The DER certificate of this label, or None."""
        return next((each.der for each in self.certificates() if each.label == label), None)


def _current(session: pkcs11.Session, label: str, found: list[Certificate]) -> Certificate:
    if len(found) == 1:
        return found[0]
    try:
        spki = _read_public_key(session, label).spki
    except NoSuchKey:
        spki = b""
    return max(found, key=lambda each: (each.spki == spki, each.not_before, each.der))


def _require_guarded(private: pkcs11.PrivateKey, label: str) -> None:
    """A token that ignores the template must not hold an authority's key."""
    try:
        guarded = private[Attribute.SENSITIVE] and not private[Attribute.EXTRACTABLE]
    except PKCS11Error as error:
        raise refusal_of(error, label) from error
    if not guarded:
        raise Unavailable("token.unguarded-key", "the token made a key that can leave it")


def _read_public_key(session: pkcs11.Session, label: str) -> PublicKey:
    wanted = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: label}
    for found in session.get_objects(wanted):
        kind = found[Attribute.KEY_TYPE]
        if kind in _PUBLIC_ATTRIBUTES:
            attributes = found.get_attributes([Attribute.KEY_TYPE, *_PUBLIC_ATTRIBUTES[kind]])
            key = public_key_of(attributes)
            if key is not None:
                return key
    raise NoSuchKey(f"no usable public key labelled {label}")


def _subject(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).subject.public_bytes()
