"""Unblocking codes on their way: sealed for the authority, opened with a one-time secret.

JWE in compact form (RFC 7516): `ECDH-ES+A256KW` (RFC 7518, 4.6) to the authority, and
`PBES2-HS512+A256KW` (4.8) back, both with `A256GCM` (5.3).
"""

import base64
import binascii
import hashlib
import json
import secrets
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from kernel.refusals import Forbidden, Malformed

_SEAL, _OPEN, _ENCRYPTION = "ECDH-ES+A256KW", "PBES2-HS512+A256KW", "A256GCM"
_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}
_KEY_OCTETS = 32
_ROUNDS = range(100_000, 2_000_001)
MAX_CHARACTERS = 8192


def seal(recipient: dict[str, Any], payload: dict[str, str]) -> str:
    """Encrypt to the authority's JWK. Raises Malformed `recovery.key`."""
    public = _public_key(recipient)
    curve = public.curve
    ephemeral = ec.generate_private_key(curve)
    numbers = ephemeral.public_key().public_numbers()
    size = (curve.key_size + 7) // 8
    header = {
        "alg": _SEAL,
        "enc": _ENCRYPTION,
        "epk": {
            "kty": "EC",
            "crv": recipient["crv"],
            "x": _text(numbers.x.to_bytes(size, "big")),
            "y": _text(numbers.y.to_bytes(size, "big")),
        },
    }
    if isinstance(recipient.get("kid"), str):
        header["kid"] = recipient["kid"]
    wrapping = _agreed(ephemeral.exchange(ec.ECDH(), public))
    return _compact(header, wrapping, json.dumps(payload).encode())


def fingerprint(recipient: dict[str, Any]) -> str:
    """SHA-256 of the key's SubjectPublicKeyInfo, hexadecimal. Raises Malformed `recovery.key`."""
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(_public_key(recipient).public_bytes(encoding, form)).hexdigest()


def open_with_secret(envelope: str, secret: str) -> dict[str, str]:
    """What the authority sealed under a one-time secret.

    Raises Malformed `recovery.envelope`; Forbidden `recovery.secret` when the secret is wrong.
    """
    if len(envelope) > MAX_CHARACTERS:
        raise _not_an_envelope()
    try:
        protected, *encoded = envelope.split(".")
        header = json.loads(_octets(protected))
        wrapped, nonce, ciphertext, tag = map(_octets, encoded)
        salt, rounds = _octets(header["p2s"]), header["p2c"]
        if (header["alg"], header["enc"]) != (_OPEN, _ENCRYPTION) or "crit" in header:
            raise ValueError("another algorithm")
        if type(rounds) is not int or rounds not in _ROUNDS or not 8 <= len(salt) <= 64:
            raise ValueError("other parameters")
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError):
        raise _not_an_envelope() from None
    derived = PBKDF2HMAC(hashes.SHA512(), _KEY_OCTETS, _OPEN.encode() + b"\0" + salt, rounds)
    try:
        key = aes_key_unwrap(derived.derive(normalised(secret).encode()), wrapped)
        payload = AESGCM(key).decrypt(nonce, ciphertext + tag, protected.encode())
        fields = json.loads(payload)
    except (InvalidUnwrap, InvalidTag, ValueError):
        raise Forbidden("recovery.secret", "the one-time secret is wrong") from None
    if not isinstance(fields, dict) or not all(isinstance(v, str) for v in fields.values()):
        raise _not_an_envelope()
    return fields


def normalised(secret: str) -> str:
    """As people type it: capitals, no spaces or hyphens."""
    return "".join(secret.split()).replace("-", "").upper()


def _public_key(jwk: dict[str, Any]) -> ec.EllipticCurvePublicKey:
    try:
        if jwk["kty"] != "EC":
            raise ValueError("another kind of key")
        x, y = (int.from_bytes(_octets(jwk[name]), "big") for name in ("x", "y"))
        return ec.EllipticCurvePublicNumbers(x, y, _CURVES[jwk["crv"]]).public_key()
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise Malformed("recovery.key", "the recovery key is no JWK on P-256 or P-384") from None


def _agreed(shared: bytes) -> bytes:
    """Concat KDF (RFC 7518, 4.6.2) without party information."""
    info = b"".join(
        (
            len(_SEAL).to_bytes(4, "big") + _SEAL.encode(),
            bytes(4),
            bytes(4),
            (_KEY_OCTETS * 8).to_bytes(4, "big"),
        )
    )
    return ConcatKDFHash(hashes.SHA256(), _KEY_OCTETS, info).derive(shared)


def _compact(header: dict[str, Any], wrapping: bytes, payload: bytes) -> str:
    protected = _text(json.dumps(header, separators=(",", ":")).encode())
    key, nonce = secrets.token_bytes(_KEY_OCTETS), secrets.token_bytes(12)
    sealed = AESGCM(key).encrypt(nonce, payload, protected.encode())
    parts = (aes_key_wrap(wrapping, key), nonce, sealed[:-16], sealed[-16:])
    return ".".join((protected, *map(_text, parts)))


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _octets(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _not_an_envelope() -> Malformed:
    return Malformed("recovery.envelope", "not an envelope with an unblocking code")
