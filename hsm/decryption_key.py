"""A private key in a token that others encrypt to: it agrees on keys (EC) or decrypts (RSA)."""

import secrets

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pkcs11 import KDF, MGF, Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass

from hsm.generation import Export
from hsm.sessions import PooledSession, Sessions
from hsm.token import Token
from hsm.token_key import read_public_key, require_guarded
from kernel.algorithms import PublicKey
from kernel.refusals import Unavailable, Unprocessable

OAEP_SHA1 = (Mechanism.SHA_1, MGF.SHA1, None)
"""RSAES-OAEP with SHA-1 and MGF1 with SHA-1, no label: all that PKCS#11 modules agree on."""


class DecryptionKey:
    """Safe for threads. Methods raise Unavailable as `SessionPool.run`, and Unprocessable
    `key.use` when the key is of the other kind."""

    def __init__(self, token: Token, label: str) -> None:
        """Raises Unavailable `token.no-key`."""
        self._pool: Sessions = token.pool
        self._label = label
        self.public_key: PublicKey = self._pool.run(
            lambda session: read_public_key(session.session, label)
        )

    def agree(self, peer: ec.EllipticCurvePublicKey) -> bytes:
        """The shared secret Z (SEC 1, 3.3.1): the x coordinate, in whole octets of the field.

        It leaves the token, because the key derivation of CMS (RFC 5753) is not among what tokens
        do; it serves one message.
        """
        own = self.public_key.pyca
        if not isinstance(own, ec.EllipticCurvePublicKey) or peer.curve.name != own.curve.name:
            raise Unprocessable("key.use", "keys of two curves, or none, agree on nothing")
        point = peer.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

        def work(session: PooledSession) -> bytes:
            key = session.session.get_key(ObjectClass.PRIVATE_KEY, label=self._label)
            shared = key.derive_key(  # type: ignore[attr-defined]
                KeyType.GENERIC_SECRET,
                own.curve.key_size,
                capabilities=MechanismFlag(0),
                mechanism=Mechanism.ECDH1_DERIVE,
                mechanism_param=(KDF.NULL, None, point),
                template={Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True},
            )
            try:
                return bytes(shared[Attribute.VALUE])
            finally:
                shared.destroy()

        return self._pool.run(work)

    def decrypt(self, ciphertext: bytes, *, oaep: bool) -> bytes:
        """RSAES-OAEP (SHA-1) or RSAES-PKCS1-v1_5 (RFC 8017, 7.1.2 and 7.2.2)."""
        if not isinstance(self.public_key.pyca, rsa.RSAPublicKey):
            raise Unprocessable("key.use", "only an RSA key decrypts")
        mechanism, parameter = (
            (Mechanism.RSA_PKCS_OAEP, OAEP_SHA1) if oaep else (Mechanism.RSA_PKCS, None)
        )

        def work(session: PooledSession) -> bytes:
            key = session.session.get_key(ObjectClass.PRIVATE_KEY, label=self._label)
            found: bytes = key.decrypt(  # type: ignore[attr-defined]
                ciphertext, mechanism=mechanism, mechanism_param=parameter
            )
            return found

        return self._pool.run(work)

    def self_test(self) -> None:
        """Encrypt in software, decrypt in the token.

        Raises Unavailable `token.wrong-key`: the private key is not the public one's.
        """
        public = self.public_key.pyca
        if isinstance(public, ec.EllipticCurvePublicKey):
            once = ec.generate_private_key(public.curve)
            good = self.agree(once.public_key()) == once.exchange(ec.ECDH(), public)
        elif isinstance(public, rsa.RSAPublicKey):
            probe = secrets.token_bytes(32)
            scheme = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
            good = self.decrypt(public.encrypt(probe, scheme), oaep=True) == probe
        else:
            raise Unprocessable("key.use", "nothing is encrypted to this kind of key")
        if not good:
            raise Unavailable(
                "token.wrong-key", "the token decrypts with another key", key=self._label
            )

    def require_guarded(self) -> None:
        """Raises Unavailable `token.unguarded-key` when the private key could leave the token."""

        def work(session: PooledSession) -> None:
            key = session.session.get_key(ObjectClass.PRIVATE_KEY, label=self._label)
            require_guarded(key, self._label, Export.NEVER)  # type: ignore[arg-type]

        self._pool.run(work)
