"""Opens what others encrypted to a card. The key comes out of an operation of the token: RSA
decryption (RFC 3370, RFC 3560), or Diffie-Hellman with the key derivation of RFC 5753."""

from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from hsm.decryption_key import DecryptionKey
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Forbidden, Malformed, Unprocessable
from portseal.holder.enveloped import EnvelopedMessage, Recipient, read_enveloped

_KDF_DIGESTS: dict[bytes, hashes.HashAlgorithm] = {
    der.oid("1.3.133.16.840.63.0.2"): hashes.SHA1(),  # noqa: S303 - a KDF needs no more
    der.oid("1.3.132.1.11.1"): hashes.SHA256(),
    der.oid("1.3.132.1.11.2"): hashes.SHA384(),
    der.oid("1.3.132.1.11.3"): hashes.SHA512(),
}
"""dhSinglePass-stdDH-*kdf-scheme (RFC 5753, 7.1.4)."""
_WRAPS = {
    der.oid("2.16.840.1.101.3.4.1.5"): 16,
    der.oid("2.16.840.1.101.3.4.1.25"): 24,
    der.oid("2.16.840.1.101.3.4.1.45"): 32,
}
"""id-aes*-wrap: octets of the key."""
_CBC = {
    der.oid("2.16.840.1.101.3.4.1.2"): 16,
    der.oid("2.16.840.1.101.3.4.1.22"): 24,
    der.oid("2.16.840.1.101.3.4.1.42"): 32,
}
_GCM = {
    der.oid("2.16.840.1.101.3.4.1.6"): 16,
    der.oid("2.16.840.1.101.3.4.1.26"): 24,
    der.oid("2.16.840.1.101.3.4.1.46"): 32,
}
_RSA = der.oid("1.2.840.113549.1.1.1")
_OAEP_SHA1 = der.sequence(der.oid("1.2.840.113549.1.1.7"), der.sequence())


def open_message(data: bytes, keys: Sequence[tuple[Certificate, DecryptionKey]]) -> bytes:
    """What was encrypted to one of these certificates.

    Raises as `read_enveloped`; Forbidden `enveloped.other-recipient`; Unprocessable
    `enveloped.algorithm`, `enveloped.changed`; Unavailable from the token.
    """
    message = read_enveloped(data)
    for certificate, key in keys:
        for recipient in message.recipients:
            if recipient.identifier in (
                certificate.issuer_and_serial,
                certificate.subject_key_identifier,
            ):
                try:
                    return _decrypt(message, _content_key(recipient, key))
                except (ValueError, IndexError, Malformed):
                    raise _changed() from None
    raise Forbidden("enveloped.other-recipient", "the message is not encrypted to this card")


def _content_key(recipient: Recipient, key: DecryptionKey) -> bytes:
    if recipient.originator_key is not None:
        return _agreed(recipient, recipient.originator_key, key)
    kind, _ = _algorithm(recipient.algorithm)
    if kind == _RSA:
        return key.decrypt(recipient.encrypted_key, oaep=False)
    if recipient.algorithm == _OAEP_SHA1:
        return key.decrypt(recipient.encrypted_key, oaep=True)
    raise _unknown()


def _agreed(recipient: Recipient, point: bytes, key: DecryptionKey) -> bytes:
    """RFC 5753, 3.1: Z from the token, X9.63 KDF, AES key wrap."""
    scheme, wrap = _algorithm(recipient.algorithm)
    digest = _KDF_DIGESTS.get(scheme)
    octets = _WRAPS.get(_algorithm(wrap)[0]) if wrap else None
    own = key.public_key.pyca
    if digest is None or octets is None or not isinstance(own, ec.EllipticCurvePublicKey):
        raise _unknown()
    shared = key.agree(ec.EllipticCurvePublicKey.from_encoded_point(own.curve, point))
    given = recipient.user_key_material
    information = der.sequence(
        wrap,
        b"" if given is None else der.explicit(0, der.octet_string(given)),
        der.explicit(2, der.octet_string((8 * octets).to_bytes(4, "big"))),
    )
    wrapping = X963KDF(digest, octets, information).derive(shared)
    try:
        return aes_key_unwrap(wrapping, recipient.encrypted_key)
    except InvalidUnwrap:
        raise _changed() from None


def _decrypt(message: EnvelopedMessage, key: bytes) -> bytes:
    kind, parameters = _algorithm(message.algorithm)
    if message.tag is None and _CBC.get(kind) == len(key):
        vector = der.read_only(parameters, 0x04)
        cipher = Cipher(
            algorithms.AES(key), modes.CBC(parameters[vector.content : vector.end])
        ).decryptor()
        padded = cipher.update(message.content) + cipher.finalize()
        remover = padding.PKCS7(128).unpadder()
        return remover.update(padded) + remover.finalize()
    if message.tag is not None and _GCM.get(kind) == len(key):
        nonce = next(der.children(parameters, der.read_only(parameters, der.SEQUENCE)))
        try:
            return AESGCM(key).decrypt(
                parameters[nonce.content : nonce.end],
                message.content + message.tag,
                message.authenticated or None,
            )
        except InvalidTag:
            raise _changed() from None
    raise _unknown()


def _algorithm(encoded: bytes) -> tuple[bytes, bytes]:
    """Type and parameters of an AlgorithmIdentifier, DER; parameters empty where absent."""
    kind, *parameters = der.children(encoded, der.read_only(encoded, der.SEQUENCE))
    given = encoded[parameters[0].start : parameters[0].end] if parameters else b""
    return encoded[kind.start : kind.end], given


def _unknown() -> Unprocessable:
    return Unprocessable("enveloped.algorithm", "encrypted in a way that is not known here")


def _changed() -> Unprocessable:
    return Unprocessable("enveloped.changed", "the message was changed, or is for another key")
