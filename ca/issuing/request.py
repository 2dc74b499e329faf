"""Certification requests (PKCS#10, RFC 2986), read strictly.

A request proves possession of its key and proposes a name. What a certificate holds is decided
by its profile, so a request may propose little else; what it may not propose is refused rather
than dropped in silence.
"""

import base64
import binascii
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ca.issuing.subject import SubjectFields
from kernel.algorithms import SUITES_BY_SIGNATURE_ALGORITHM, PublicKey
from kernel.asn1 import der
from kernel.refusals import Malformed, TooLarge, Unprocessable
from policies.oids import SUBJECT_ATTRIBUTES

MAX_REQUEST_BYTES = 16 * 1024
_PEM_LABELS = (b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST")
_EXTENSION_REQUEST = "1.2.840.113549.1.9.14"
_FIELDS = {dotted: field for field, dotted in SUBJECT_ATTRIBUTES.items()}
_LEAST_STRENGTH = 112
_HARMLESS = (x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectKeyIdentifier)
"""Extensions that tools add by themselves; the profile decides about them."""


@dataclass(frozen=True)
class Pkcs10:
    """A request whose signature verified: whoever sent it holds the private key."""

    public_key: PublicKey
    subject: SubjectFields
    """What the request proposes; the authority's own records decide."""
    der: bytes


def read_pkcs10(data: bytes) -> Pkcs10:
    """Read a request, DER or PEM, and verify its proof of possession (RFC 2986, 4.2).

    Raises TooLarge `pkcs10.too-large` (over 16 KiB); Malformed `pkcs10.malformed`; Unprocessable
    `pkcs10.algorithm`, `pkcs10.signature`, `pkcs10.attribute`, `pkcs10.extension`,
    `pkcs10.subject`, `public-key.unsupported`; Malformed `public-key.malformed`.
    """
    if len(data) > MAX_REQUEST_BYTES:
        raise TooLarge(
            "pkcs10.too-large", "a request has at most {most} octets", most=MAX_REQUEST_BYTES
        )
    encoded = _from_pem(data) if data[:1] != b"\x30" else bytes(data)
    try:
        der.read_only(encoded, der.SEQUENCE)
        request = x509.load_der_x509_csr(encoded)
        spki = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        subject, attributes = request.subject, list(request.attributes)
    except UnsupportedAlgorithm:
        raise Unprocessable("public-key.unsupported", "this kind of key is not supported") from None
    except (Malformed, ValueError, TypeError, x509.InvalidVersion):
        raise Malformed("pkcs10.malformed", "not a certification request") from None
    key = PublicKey.from_spki(spki)
    _verify_possession(request, encoded, key)
    _check_attributes(request, attributes)
    return Pkcs10(key, _subject(subject), encoded)


def _from_pem(data: bytes) -> bytes:
    text = data.strip()
    for label in _PEM_LABELS:
        head, foot = b"-----BEGIN %b-----" % label, b"-----END %b-----" % label
        if text.startswith(head) and text.endswith(foot):
            break
    else:
        raise Malformed("pkcs10.malformed", "neither DER nor one PEM certification request")
    lines = text[len(head) : -len(foot)].split()
    try:
        return base64.b64decode(b"".join(lines), validate=True)
    except binascii.Error:
        raise Malformed("pkcs10.malformed", "the PEM text is not base64") from None


def _verify_possession(
    request: x509.CertificateSigningRequest, data: bytes, key: PublicKey
) -> None:
    _, algorithm, value = der.children(data, der.read(data))
    if data[value.content] != 0:
        raise Malformed("pkcs10.malformed", "a signature value of a broken octet")
    suite = SUITES_BY_SIGNATURE_ALGORITHM.get(data[algorithm.start : algorithm.end])
    if suite is None or suite.strength < _LEAST_STRENGTH or not key.fits(suite):
        raise Unprocessable("pkcs10.algorithm", "not a signature algorithm that is accepted")
    if not key.verify(suite, request.signature, request.tbs_certrequest_bytes):
        raise Unprocessable("pkcs10.signature", "the request is not signed by its own key")


def _check_attributes(
    request: x509.CertificateSigningRequest, attributes: list[x509.Attribute]
) -> None:
    if any(attribute.oid.dotted_string != _EXTENSION_REQUEST for attribute in attributes):
        raise Unprocessable("pkcs10.attribute", "only an extensionRequest may stand beside the key")
    try:
        extensions = request.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise Malformed("pkcs10.malformed", "the requested extensions cannot be read") from None
    for extension in extensions:
        value = extension.value
        if isinstance(value, x509.BasicConstraints) and not value.ca:
            continue
        if not isinstance(value, _HARMLESS):
            raise Unprocessable(
                "pkcs10.extension",
                "the request asks for an extension that is not given on request",
                extension=extension.oid.dotted_string,
            )


def _subject(name: x509.Name) -> SubjectFields:
    values: dict[str, str] = {}
    for attribute in name:
        field = _FIELDS.get(attribute.oid.dotted_string)
        value = attribute.value
        if field is None or field in values or not isinstance(value, str):
            raise Unprocessable(
                "pkcs10.subject",
                "the subject holds an attribute twice, or one that no profile has",
                attribute=attribute.oid.dotted_string,
            )
        values[field] = value
    return SubjectFields(**values)
