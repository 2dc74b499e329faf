"""A token: make keys in it, sign with them, keep certificates beside them."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import pkcs11
from cryptography import x509
from pkcs11 import Attribute, ObjectClass
from pkcs11.exceptions import NoSuchKey

from hsm.generation import Export, export_of, generate_pair, stays_when_asked
from hsm.lending import lent_key
from hsm.limits import LimitedCalls, LimitedSessions, limited_write
from hsm.mechanisms import MECHANISMS
from hsm.module import Module, serial_of
from hsm.pins import PinSource
from hsm.secret_keys import SecretKey, SecretUse, generate_secret, use_of
from hsm.session_copies import is_copy
from hsm.sessions import PooledSession, SessionPool, Sessions
from hsm.token_key import TokenKey, read_public_key, require_guarded, shown_by
from hsm.wrapping import KeyUse, WrappedKey, wrap
from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.asn1.der import integer
from kernel.identifiers import KeyUri
from kernel.refusals import Conflict, Unavailable, Unprocessable


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


class Token:
    """A logged-in token. Opening is lazy: the PIN is asked for at the first use of a key."""

    def __init__(
        self,
        module: str,
        label: str,
        pin: PinSource,
        sessions: int = 4,
        server_address: str | None = None,
        parameters: str | None = None,
        limit_seconds: float | None = None,
        write_limit_seconds: float | None = None,
        serial: str | None = None,
    ) -> None:
        """`server_address`, `parameters`: see `Module.load`. `limit_seconds`: a call that takes
        longer is left behind and refused (`token.timeout`), but where a person gives the PIN;
        None: whoever asks a token that hangs waits as long as it does. `write_limit_seconds`: the
        same for making and destroying keys and for writing certificates. `serial`: the number of
        the one that is meant, where several may have the label.

        Raises Unavailable `token.module`.
        """
        self.label = label
        self._serial = serial
        self.pin_source = pin
        self._module = Module.load(module, server_address, parameters)
        pool = SessionPool(self._module, label, pin, sessions, serial)
        self._pool: Sessions = pool
        self._calls: LimitedCalls | None = None
        if pin.attended:
            return
        if limit_seconds is not None:
            self._calls = LimitedCalls(label, limit_seconds, pool.size)
        if limit_seconds is not None or write_limit_seconds is not None:
            writes = None
            if write_limit_seconds is not None:
                writes = LimitedCalls(label, write_limit_seconds, pool.size)
            self._pool = LimitedSessions(pool, self._calls, writes)

    @property
    def pool(self) -> Sessions:
        """The sessions, for the other modules of this room."""
        return self._pool

    def on_signature(self, told: Callable[[str], None]) -> None:
        """Call `told` with the key's label after every signature; it must be quick."""
        self._pool.told_of_signature = told

    def login(self) -> None:
        """Log in now. Raises Unavailable as `SessionPool.run`."""
        self._pool.run(lambda session: None)

    def close(self) -> None:
        self._pool.close()

    def info(self) -> TokenInfo:
        """Raises Unavailable `token.missing`, `token.timeout`."""
        return self._info() if self._calls is None else self._calls.run(self._info)

    def _info(self) -> TokenInfo:
        token = self._module.token(self.label, self._serial)
        return TokenInfo(
            label=token.label,
            serial=serial_of(token),
            manufacturer=token.manufacturer_id,
            model=token.model,
            locked=bool(token.flags & pkcs11.TokenFlag.USER_PIN_LOCKED),
            last_try=bool(token.flags & pkcs11.TokenFlag.USER_PIN_FINAL_TRY),
        )

    @limited_write
    def generate(
        self, label: str, suite: AlgorithmSuite, *, export: Export = Export.NEVER
    ) -> TokenKey:
        """Make a key pair in the token: sensitive, for signing only.

        It stays there for good unless `export` lets it leave wrapped, for a backup.
        Raises Conflict `key.exists`, Unprocessable `key.suite`, Unavailable.
        """
        _require_suite(suite)
        self.require_free(label)
        with self._pool.write() as session:
            public, private = generate_pair(
                session, self._module, label, suite, KeyUse.SIGN, export, store=True
            )
            try:
                require_guarded(private, label, export)
                if export is not Export.WRAPPED and not stays_when_asked(session, private):
                    raise Unavailable("token.unguarded-key", "the token wraps what must stay in it")
            except Unavailable:
                private.destroy()
                public.destroy()
                raise
        key = self.key(label, suite)
        key.self_test()
        return key

    def generate_shared(self, label: str, suite: AlgorithmSuite) -> TokenKey:
        """A service's own key, for every token that serves: this one alone, never to leave it.
        Where a pool's tokens share a replication key it is another matter (`hsm.pool`).

        Raises as `generate`.
        """
        return self.generate(label, suite)

    @limited_write
    def generate_wrapped(self, suite: AlgorithmSuite, use: KeyUse, wrapping: str) -> WrappedKey:
        """Make a key pair that the token does not keep: it comes out wrapped under the secret
        key labelled `wrapping`, for escrow.

        Raises Unprocessable `key.suite`, Unavailable `token.no-key`, `token.mechanism`.
        """
        _require_suite(suite)
        with self._pool.write() as session:
            public, private = generate_pair(
                session, self._module, "", suite, use, Export.WRAPPED, store=False
            )
            key = session.get_key(ObjectClass.SECRET_KEY, label=wrapping)
            return wrap(key, private, shown_by(public), use)

    @limited_write
    def generate_secret(
        self, label: str, use: SecretUse = SecretUse.ENCRYPT, *, export: Export = Export.NEVER
    ) -> SecretKey:
        """Make a secret key of 256 bits in the token, sensitive, for one use.

        Raises Conflict `key.exists`, Unavailable.
        """
        if label in self.secret_labels():
            raise Conflict("key.exists", "the token already holds a key of this name", key=label)
        generate_secret(self._pool, label, use, export)
        made = self.secret_key(label)
        made.self_test()
        return made

    def secret_key(self, label: str) -> SecretKey:
        """Raises Unavailable `token.no-key` and as `SessionPool.run`."""
        return SecretKey(self._pool, KeyUri(self.label, label), use_of(self._pool, label))

    def export_of(self, label: str, *, secret: bool = False) -> Export:
        """Whether this key may leave, as the token says. Raises Unavailable `token.no-key`."""

        def work(session: PooledSession) -> Export:
            kind = ObjectClass.SECRET_KEY if secret else ObjectClass.PRIVATE_KEY
            return export_of(session.session.get_key(object_class=kind, label=label))

        return self._pool.run(work)

    @limited_write
    def destroy(self, label: str) -> str:
        """Destroy the key pair of this label for good; its fingerprint. Certificates stay.

        Raises Unavailable `token.no-key`.
        """
        fingerprint = self.key(label).public_key.fingerprint
        with self._pool.write() as session:
            for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
                wanted = {Attribute.CLASS: kind, Attribute.LABEL: label}
                for each in list(session.get_objects(wanted)):
                    each.destroy()
        self._pool.close()  # no session holds a handle of it
        return fingerprint

    @limited_write
    def destroy_secret(self, label: str) -> None:
        """Destroy the secret key of this label for good. Raises Unavailable `token.no-key`."""
        if label not in self.secret_labels():
            raise Unavailable("token.no-key", "the token holds no such key", key=label)
        with self._pool.write() as session:
            wanted = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: label}
            for each in list(session.get_objects(wanted)):
                each.destroy()
        self._pool.close()  # no session holds a handle of it

    @contextmanager
    def lent(self, value: bytes, so_pin: str | None = None) -> Iterator[SecretKey]:
        """A wrapping key of that value, in the token's memory until the end of the block.

        `so_pin`: the security officer marks it as trusted, and keys that leave under trusted keys
        alone may leave under it. Raises Unavailable as `SessionPool.run`.
        """
        label = f"lent-{secrets.token_hex(8)}"
        with lent_key(self._module, self._pool, self.label, label, value, so_pin):
            yield SecretKey(self._pool, KeyUri(self.label, label), SecretUse.WRAP)

    def secret_labels(self) -> list[str]:
        """The labels of all secret keys."""
        return self._labels(ObjectClass.SECRET_KEY)

    def require_free(self, label: str) -> None:
        """Raises Conflict `key.exists` when a key pair of this label is there."""
        if label in self.key_labels():
            raise Conflict("key.exists", "the token already holds a key of this name", key=label)

    def key(self, label: str, suite: AlgorithmSuite | None = None) -> TokenKey:
        """The key of this label; `suite` defaults to the first that the key fits.

        Raises Unavailable `token.no-key` and as `SessionPool.run`.
        """
        public = self._pool.run(lambda session: read_public_key(session.session, label))
        return TokenKey(
            self._pool, KeyUri(self.label, label), public, suite or public.default_suite()
        )

    @limited_write
    def require_guarded(self, label: str, export: Export = Export.NEVER) -> None:
        """Raises Unavailable `token.unguarded-key` when the private key could leave the token
        otherwise than `export` says."""
        wanted = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: label}
        with self._pool.write() as session:
            for found in session.get_objects(wanted):
                require_guarded(cast(pkcs11.PrivateKey, found), label, export)

    def key_labels(self) -> list[str]:
        """The labels of all private keys."""
        return self._labels(ObjectClass.PRIVATE_KEY)

    def certificate_labels(self) -> list[str]:
        """The labels of all certificates, one for each certificate."""
        return self._labels(ObjectClass.CERTIFICATE)

    def _labels(self, kind: ObjectClass) -> list[str]:
        return self._pool.run(lambda session: labels_of(session, kind))

    @limited_write
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
                    **_names(der),
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


def labels_of(session: PooledSession, kind: ObjectClass) -> list[str]:
    """Of the token's objects of this kind, one for each."""
    found = session.session.get_objects({Attribute.CLASS: kind})
    labels = (str(each[Attribute.LABEL]) for each in found)
    return sorted(label for label in labels if not is_copy(label))


def _current(session: pkcs11.Session, label: str, found: list[Certificate]) -> Certificate:
    if len(found) == 1:
        return found[0]
    try:
        spki = read_public_key(session, label).spki
    except NoSuchKey:
        spki = b""
    return max(found, key=lambda each: (each.spki == spki, each.not_before, each.der))


def _require_suite(suite: AlgorithmSuite) -> None:
    if suite.name not in MECHANISMS:
        raise Unprocessable("key.suite", "no token signs under this suite", suite=suite.name)


def _names(der: bytes) -> dict[Attribute, bytes]:
    """What tokens find certificates by; NSS will not keep one without."""
    certificate = x509.load_der_x509_certificate(der)
    return {
        Attribute.SUBJECT: certificate.subject.public_bytes(),
        Attribute.ISSUER: certificate.issuer.public_bytes(),
        Attribute.SERIAL_NUMBER: integer(certificate.serial_number),
    }
