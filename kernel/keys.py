"""What every room may ask of a private key, wherever it lives."""

from typing import Protocol

from kernel.algorithms import AlgorithmSuite, PublicKey


class KeyHandle(Protocol):
    """A private key that never leaves its token."""

    @property
    def public_key(self) -> PublicKey: ...

    @property
    def suite(self) -> AlgorithmSuite: ...

    def sign(self, message: bytes) -> bytes:
        """Sign `message`; the value has the X.509 shape (ECDSA: DER of r and s).

        Raises Unavailable `token.missing`, `token.locked`, `token.pin-wrong`, `token.failed`.
        """
        ...

    def sign_digest(self, digest: bytes) -> bytes:
        """Sign a digest computed with `suite.digest` (not for Ed25519). Raises as `sign`."""
        ...
