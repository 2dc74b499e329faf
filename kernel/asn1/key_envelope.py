"""A private key on its way to one token: CMS EnvelopedData around AES key wrap.

RFC 5652, 6.1, with RSAES-OAEP (RFC 3560, RFC 4055) for the one-time AES key and AES key wrap with
padding (RFC 5649) for the PKCS#8 PrivateKeyInfo inside. The format stands in docs/key-centre.md.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from kernel.algorithms import KeyKind, PublicKey
from kernel.asn1 import der
from kernel.refusals import Malformed, Unprocessable

MAX_ENVELOPE_BYTES = 16 * 1024
_ENVELOPED_DATA: Final = der.oid("1.2.840.113549.1.7.3")
_DATA: Final = der.oid("1.2.840.113549.1.7.1")
_OAEP_SHA1: Final = der.sequence(der.oid("1.2.840.113549.1.1.7"), der.sequence())
"""Parameters all by default: SHA-1, MGF1 with SHA-1, no label (RFC 4055, 4.1)."""
_AES256_WRAP_PAD: Final = der.sequence(der.oid("2.16.840.1.101.3.4.1.48"))
_VERSION_2: Final = der.integer(2)
_IDENTIFIER_TAG, _CONTENT_TAG = 0x80, 0x80


@dataclass(frozen=True)
class KeyEnvelope:
    """One private key for one transport key."""

    recipient: bytes
    """subjectKeyIdentifier of the transport key, 20 octets."""
    encrypted_key: bytes
    """The one-time AES-256 key under RSAES-OAEP."""
    content: bytes
    """PrivateKeyInfo under AES key wrap with padding."""

    def encode(self) -> bytes:
        """ContentInfo, DER."""
        recipient = der.sequence(
            _VERSION_2,
            der.implicit(0, self.recipient),
            _OAEP_SHA1,
            der.octet_string(self.encrypted_key),
        )
        content = der.sequence(_DATA, _AES256_WRAP_PAD, der.implicit(0, self.content))
        enveloped = der.sequence(_VERSION_2, der.set_of([recipient]), content)
        return der.sequence(_ENVELOPED_DATA, der.explicit(0, enveloped))

    @classmethod
    def decode(cls, data: bytes) -> "KeyEnvelope":
        """Read exactly what `encode` writes. Raises Malformed `key-envelope.malformed`."""
        if len(data) > MAX_ENVELOPE_BYTES:
            raise _malformed()
        try:
            kind, outer = der.children(data, der.read_only(data, der.SEQUENCE))
            (enveloped,) = der.children(data, outer)
            _version, recipients, content = der.children(data, enveloped)
            (recipient,) = der.children(data, recipients)
            _, identifier, _, encrypted = der.children(data, recipient)
            _, _, sealed = der.children(data, content)
            found = cls(
                *(data[part.content : part.end] for part in (identifier, encrypted, sealed))
            )
        except (Malformed, ValueError):
            raise _malformed() from None
        # Every other octet is fixed: what encodes back to the same is of this form and no other.
        if data[kind.start : kind.end] != _ENVELOPED_DATA or found.encode() != bytes(data):
            raise _malformed()
        return found


def transport_key_identifier(key: PublicKey) -> bytes:
    """SHA-1 of the key's bit string (RFC 5280, 4.2.1.2, method 1): an identifier, no protection."""
    _, bits = der.children(key.spki, der.read(key.spki))
    return hashlib.sha1(key.spki[bits.content + 1 : bits.end], usedforsecurity=False).digest()


def require_transport_key(key: PublicKey) -> None:
    """Raises Unprocessable `transport-key.unsuitable`: not RSA of 3072 to 4096 bits, or weak."""
    if key.kind is not KeyKind.RSA or not 3072 <= key.bits <= 4096 or key.weakness():
        raise Unprocessable("transport-key.unsuitable", "a transport key is RSA of 3072 bits")


def _malformed() -> Malformed:
    return Malformed("key-envelope.malformed", "not the envelope of a key, as this house makes it")
