"""EnvelopedData and AuthEnvelopedData (RFC 5652, 6; RFC 5083) as strangers write them: read.

BER is taken where it was written; what is encrypted is joined from its pieces.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kernel.asn1 import ber, der
from kernel.refusals import Malformed, TooLarge, Unprocessable

MAX_MESSAGE_BYTES = 64 << 20
_ENVELOPED = der.oid("1.2.840.113549.1.7.3")
_AUTH_ENVELOPED = der.oid("1.2.840.113549.1.9.16.1.23")
_KARI = 0xA1


@dataclass(frozen=True)
class Recipient:
    """One recipient's way to the content's key."""

    identifier: bytes
    """IssuerAndSerialNumber, DER, or the key identifier alone."""
    algorithm: bytes
    """keyEncryptionAlgorithm, DER."""
    encrypted_key: bytes
    originator_key: bytes | None = None
    """The sender's point, for key agreement."""
    user_key_material: bytes | None = None


@dataclass(frozen=True)
class EnvelopedMessage:
    recipients: tuple[Recipient, ...]
    algorithm: bytes
    """contentEncryptionAlgorithm, DER."""
    content: bytes
    tag: bytes | None
    """Of AuthEnvelopedData; None: nothing tells whether the content was changed."""
    authenticated: bytes
    """authAttrs as they are authenticated: DER of a SET; empty where there are none."""


def read_enveloped(data: bytes) -> EnvelopedMessage:
    """Raises Malformed `enveloped.malformed`; TooLarge `enveloped.too-large`; Unprocessable
    `enveloped.type` for another kind of message."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise TooLarge("enveloped.too-large", f"at most {MAX_MESSAGE_BYTES >> 20} MiB")
    try:
        return _read(ber.to_definite(data))
    except (Malformed, ValueError):
        raise Malformed("enveloped.malformed", "not an encrypted message (CMS)") from None


def _read(data: bytes) -> EnvelopedMessage:
    kind, outer = der.children(data, der.read_only(data, der.SEQUENCE))
    named = data[kind.start : kind.end]
    if named not in (_ENVELOPED, _AUTH_ENVELOPED):
        raise Unprocessable("enveloped.type", "a message of another kind (CMS)")
    (enveloped,) = der.children(data, outer)
    fields = list(der.children(data, enveloped))[1:]
    if fields[0].tag == 0xA0:
        fields.pop(0)  # originatorInfo
    recipients = tuple(
        found for each in der.children(data, fields[0]) for found in _recipient(data, each)
    )
    _, algorithm, content = der.children(data, fields[1])
    rest = fields[2:]
    tag, attributes = None, b""
    if named == _AUTH_ENVELOPED:
        if rest and rest[0].tag == 0xA1:
            shown = rest.pop(0)
            attributes = b"\x31" + data[shown.start + 1 : shown.end]
        tag = _value(data, rest[0])
    sealed = _octets(data, content)
    return EnvelopedMessage(recipients, _whole(data, algorithm), sealed, tag, attributes)


def _recipient(data: bytes, info: der.Element) -> Iterator[Recipient]:
    if info.tag == der.SEQUENCE:  # KeyTransRecipientInfo
        _, identifier, algorithm, key = der.children(data, info)
        shown, sealed = _identifier(data, identifier), _value(data, key)
        yield Recipient(shown, _whole(data, algorithm), sealed)
    elif info.tag == _KARI:
        _, originator, *material, algorithm, keys = der.children(data, info)
        (key,) = der.children(data, originator)
        if key.tag != 0xA1:
            return  # static keys of a sender who is named by a certificate
        _, point = der.children(data, key)
        given = None
        if material:
            (octets,) = der.children(data, material[0])
            given = _value(data, octets)
        for each in der.children(data, keys):
            identifier, sealed_key = der.children(data, each)
            yield Recipient(
                _identifier(data, identifier),
                _whole(data, algorithm),
                _value(data, sealed_key),
                data[point.content + 1 : point.end],
                given,
            )


def _identifier(data: bytes, element: der.Element) -> bytes:
    if element.tag == der.SEQUENCE:
        return _whole(data, element)
    if element.tag == 0xA0:  # RecipientKeyIdentifier
        return _value(data, next(der.children(data, element)))
    return _value(data, element)


def _octets(data: bytes, element: der.Element) -> bytes:
    """[0] IMPLICIT OCTET STRING, whole or in pieces."""
    if element.tag == 0xA0:
        return b"".join(_value(data, piece) for piece in der.children(data, element))
    return _value(data, element)


def _whole(data: bytes, element: der.Element) -> bytes:
    return data[element.start : element.end]


def _value(data: bytes, element: der.Element) -> bytes:
    return data[element.content : element.end]
