"""Which format a presented file has, told from its own octets, and the evidence that it holds."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Unprocessable
from signing_service.formats import bundle
from signing_service.formats.asic import reading as asic_reading
from signing_service.formats.asic.container import Container, ContainerType, is_zip
from signing_service.formats.cades import reading as cades_reading
from signing_service.formats.document import ByteRangeDigest, Document
from signing_service.formats.jades import reading as jades_reading
from signing_service.formats.pades import reading as pades_reading
from signing_service.formats.pades.pdf.document import is_pdf
from signing_service.formats.xades import reading as xades_reading
from signing_service.validation.evidence import Packaging, SignatureEvidence, SignatureFormat

_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,1024}<")
_EBCDIC = b"\x4c\x6f\xa7\x94"
_XML_ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_XML_BLANKS = " \t\r\n"
_JSON = re.compile(rb"\s{0,1024}\{")
_COMPACT_JWS = re.compile(rb"\s{0,64}eyA?[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\s*")
_PEM = re.compile(rb"\s{0,64}-----BEGIN (CMS|PKCS7)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*")

_Read = Callable[[bytes, Document | None, Sequence[Certificate]], list[SignatureEvidence]]


def read_signatures(
    document: Document | None, signature: bytes | None, *, known: Sequence[Certificate] = ()
) -> list[SignatureEvidence]:
    """Evidence of every signature in a signed file, or in a `signature` beside its `document`.

    Raises Malformed `signature.packaging` (a document beside a signature that holds its own),
    Unprocessable `document.streamed` (a signed file that is not in memory, and no container), and
    what the format raises.
    """
    presented = signature if signature is not None else document
    assert presented is not None
    if not isinstance(presented, bytes):
        if presented.begins_with(b"PK\x03\x04"):
            return asic_reading.read(presented, known=known)
        raise Unprocessable("document.streamed", "of files this large only containers are read")
    beside = document if signature is not None else None
    return _reader_of(presented)(presented, beside, known)


def format_of(presented: bytes) -> SignatureFormat:
    """The format by which such a file is raised; what cannot be told is CAdES. Raises as
    `Container.read`."""
    reader = _reader_of(presented)
    if reader is _asic:
        simple = Container.read(presented).type is ContainerType.ASIC_S
        return SignatureFormat.ASIC_S if simple else SignatureFormat.ASIC_E
    return _FORMATS.get(reader, SignatureFormat.CADES)


def is_xml(data: bytes) -> bool:
    return _XML.match(data) is not None


def may_be_xml(head: bytes) -> bool:
    """Whether a parser might take what begins so for XML, in whatever encoding it reads (XML 1.0,
    appendix F). Blanks without end count too."""
    if head.startswith(_EBCDIC):
        return True
    read = (head.decode(encoding, "replace") for encoding in _XML_ENCODINGS)
    return any(text.removeprefix("\ufeff").lstrip(_XML_BLANKS)[:1] in ("", "<") for text in read)


def is_jws(data: bytes) -> bool:
    return _JSON.match(data) is not None or _COMPACT_JWS.fullmatch(data) is not None


def _reader_of(presented: bytes) -> _Read:
    return next((reader for told, reader in _READERS if told(presented)), _cades)


def _xades(
    signed: bytes, document: Document | None, known: Sequence[Certificate]
) -> list[SignatureEvidence]:
    evidence = xades_reading.read(signed, document, known=known)
    if document is not None and any(e.packaging is not Packaging.DETACHED for e in evidence):
        raise _holds_its_own()
    return evidence


def _pades(
    signed: bytes, document: Document | None, known: Sequence[Certificate]
) -> list[SignatureEvidence]:
    if document is not None:
        raise _holds_its_own()
    return pades_reading.read(signed, known=known)


def _asic(
    signed: bytes, document: Document | None, known: Sequence[Certificate]
) -> list[SignatureEvidence]:
    if document is not None:
        raise _holds_its_own()
    return asic_reading.read(signed, known=known)


def _jades(
    signed: bytes, document: Document | None, known: Sequence[Certificate]
) -> list[SignatureEvidence]:
    return jades_reading.read(signed, document, known=known)


def _bundle(
    proof: bytes, document: Document | None, known: Sequence[Certificate]
) -> list[SignatureEvidence]:
    if document is None:
        raise Malformed("signature.packaging", "a bundle's proof lies beside its declaration")
    return bundle.read_part(document, proof, known=known)


def _cades(
    signed: bytes, document: Document | None, known: Sequence[Certificate]
) -> list[SignatureEvidence]:
    found = cades_reading.read(_der(signed), document, known=known)
    if isinstance(document, ByteRangeDigest):
        at = document.signed_at
        found = [
            each._replace(format=SignatureFormat.PADES, claimed_signing_time=at) for each in found
        ]
    return found


_READERS: tuple[tuple[Callable[[bytes], bool], _Read], ...] = (
    (is_xml, _xades),
    (is_pdf, _pades),
    (is_zip, _asic),
    (bundle.is_proof, _bundle),
    (is_jws, _jades),
)
_FORMATS: dict[_Read, SignatureFormat] = {
    _xades: SignatureFormat.XADES,
    _pades: SignatureFormat.PADES,
    _jades: SignatureFormat.JADES,
}


def _holds_its_own() -> Malformed:
    return Malformed("signature.packaging", "this signature holds its document: present it alone")


def _der(presented: bytes) -> bytes:
    """DER out of its PEM armour (RFC 7468), where there is one. Raises Malformed."""
    armoured = _PEM.fullmatch(presented)
    if armoured is None:
        return presented
    try:
        return base64.b64decode(b"".join(armoured[2].split()), validate=True)
    except binascii.Error:
        raise Malformed("cms.malformed", "the PEM text is not base64") from None
