"""What a JAdES signature covers: its own payload, or objects that `sigD` names (5.2.8).

Objects are supplied by the caller and never fetched, whatever their names look like.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kernel.algorithms import DIGEST_OIDS
from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.document import Document
from signing_service.formats.jades import jose_json as json
from signing_service.formats.jades.header import DIGEST_NAMES, ReadHeader, digest_named
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.validation.evidence import DigestReference

MAX_OBJECTS = 1000
MAX_NAME = 2048
BY_URI = "http://uri.etsi.org/19182/ObjectIdByURI"
BY_URI_HASH = "http://uri.etsi.org/19182/ObjectIdByURIHash"


@dataclass(frozen=True, slots=True)
class Octets:
    """Parts one after another, as they stand in imprints: raw, or each base64url-encoded."""

    parts: tuple[Document, ...]
    encoded: bool
    tail: bytes = b""
    """What follows the parts, as it is."""

    def digest(self, name: str) -> bytes | None:
        """Piece by piece, whatever the size. None where the digest is not known."""
        if name not in DIGEST_OIDS or name not in hashlib.algorithms_available:
            return None
        if len(self.parts) == 1 and not self.encoded and not self.tail:
            return digest_of(name, self.parts[0])  # it may be known already
        running = hashlib.new(name)
        for part in self.parts:
            for piece in _encoded(part) if self.encoded else _pieces(part):
                running.update(piece)
        running.update(self.tail)
        return running.digest()

    def followed_by(self, tail: bytes) -> "Octets":
        return Octets(self.parts, self.encoded, self.tail + tail)


@dataclass(frozen=True, slots=True)
class CoveredContent:
    """A signature's content against what was presented."""

    payload: str | bytes | None
    """The second half of the JWS signing input; None where it was not presented."""
    references: tuple[DigestReference, ...]
    whole: bool
    """Whether everything presented is covered."""
    octets: Octets | None
    """What content and archive timestamps begin with; None where something was not presented."""
    content_type: str | None = None


def signed_objects(
    objects: Mapping[str, Document], digest: str, mime_type: str | None
) -> dict[str, Any]:
    """`sigD` by the mechanism ObjectIdByURIHash, with `b64` false: the digests are the objects'
    own, so that anybody can check them and large objects are read once.

    Raises Unprocessable `jades.objects`, `algorithm.unfit`, `document.digest`.
    """
    names = list(objects)
    if not 1 <= len(names) <= MAX_OBJECTS:
        raise Unprocessable("jades.objects", "1 to {most} objects", most=MAX_OBJECTS)
    if any(not 1 <= len(name) <= MAX_NAME or not name.isprintable() for name in names):
        raise Unprocessable("jades.objects", "a name is a URI")
    digests = [digest_of(digest, each) for each in objects.values()]
    if None in digests or digest not in DIGEST_NAMES:
        raise Unprocessable("document.digest", "an object's digest cannot be made")
    signed: dict[str, Any] = {
        "mId": BY_URI_HASH,
        "pars": names,
        "hashM": DIGEST_NAMES[digest],
        "hashV": [json.encode(value) for value in digests if value is not None],
    }
    if mime_type is not None:
        signed["ctys"] = [mime_type] * len(names)
    return {"b64": False, "sigD": signed}


def covered_content(
    header: ReadHeader,
    payload: str | None,
    document: Document | Mapping[str, Document] | None,
) -> CoveredContent:
    """`document` is the one detached object, or several by their names.

    Raises Malformed `jades.detached`, `jades.structure`, `json.*`; TooLarge
    `document.too-large`; Unprocessable `document.streamed`.
    """
    presented = dict(document) if isinstance(document, Mapping) else {}
    for part in (document, *presented.values()):
        if isinstance(part, bytes) and len(part) > MAX_DOCUMENT_BYTES:
            raise TooLarge("document.too-large", "the document is too large")
    if "sigD" not in header.members:
        if isinstance(document, Mapping):
            raise Malformed("jades.detached", "this signature names no objects")
        return _payload(header, payload, document)
    if payload:
        raise Malformed("jades.structure", "a payload beside sigD")
    signed = json.object_of(header.members["sigD"])
    names = list(map(json.text_of, json.array_of(signed.get("pars"), MAX_OBJECTS)))
    if not names or len(set(names)) != len(names):
        raise Malformed("jades.detached", "sigD names each object once")
    if document is not None and not isinstance(document, Mapping):
        if len(names) > 1:
            raise Malformed("jades.detached", "several objects are named; present them by name")
        presented = {names[0]: document}
    parts = [presented.get(name) for name in names]
    found = tuple(part for part in parts if part is not None)
    complete = len(found) == len(parts)
    octets = Octets(found, header.encodes_payload) if complete else None
    mechanism = signed.get("mId")
    if mechanism == BY_URI_HASH:
        content: str | bytes | None = ""
        references = _hashes(signed, names, parts, header.encodes_payload)
    elif mechanism == BY_URI:
        content = b"".join(_whole(octets)) if octets else None
        references = _reference("document", content)
    else:
        raise Malformed("jades.detached", "this sigD mechanism is not supported")
    whole = complete and presented.keys() <= set(names)
    return CoveredContent(content, references, whole, octets, _first_type(signed))


def _payload(header: ReadHeader, payload: str | None, document: Document | None) -> CoveredContent:
    """Attached; or detached by RFC 7515, appendix F, with the document presented."""
    if payload:
        content = json.decode(payload)
        actual = digest_of("sha256", content if document is None else document)
        reference = DigestReference("document", "sha256", hashlib.sha256(content).digest(), actual)
        octets = Octets((content,), encoded=True)
        return CoveredContent(payload, (reference,), reference.intact, octets, header.content_type)
    if document is None:
        missing = DigestReference("document", "sha256", b"", None)
        return CoveredContent(None, (missing,), False, None, header.content_type)
    octets = Octets((document,), encoded=True)
    content = b"".join(_whole(octets))
    return CoveredContent(
        content, _reference("document", content), True, octets, header.content_type
    )


def content_of(payload: str | None) -> bytes | None:
    """The attached document; None where there is none. Raises Malformed `json.base64url`."""
    return json.decode(payload) if payload else None


def _hashes(
    signed: dict[str, Any], names: list[str], parts: list[Document | None], encoded: bool
) -> tuple[DigestReference, ...]:
    digest = digest_named(signed.get("hashM"))
    values = json.array_of(signed.get("hashV"), MAX_OBJECTS)
    if len(values) != len(names):
        raise Malformed("jades.detached", "a digest for each object is needed")
    return tuple(
        DigestReference(
            "document" if len(names) == 1 else f"document {name[:80]}",
            digest,
            json.decode(value),
            None if part is None else Octets((part,), encoded).digest(digest),
        )
        for name, value, part in zip(names, values, parts, strict=True)
    )


def _reference(name: str, content: bytes | None) -> tuple[DigestReference, ...]:
    """Where the octets themselves are signed: their digest says that they were there."""
    if content is None:
        return (DigestReference(name, "sha256", b"", None),)
    digest = hashlib.sha256(content).digest()
    return (DigestReference(name, "sha256", digest, digest),)


def _whole(octets: Octets) -> Iterator[bytes]:
    """In memory, where they are signed themselves and not by their digest."""
    for part in octets.parts:
        if not isinstance(part, bytes):
            raise Unprocessable(
                "document.streamed", "this signature covers the octets themselves, not a digest"
            )
        yield json.encode(part).encode("ascii") if octets.encoded else part


def _first_type(signed: dict[str, Any]) -> str | None:
    types = json.array_of(signed.get("ctys", []), MAX_OBJECTS)
    return json.text_of(types[0])[:256] if types else None


def _pieces(document: Document) -> Iterator[bytes | memoryview]:
    if isinstance(document, bytes):
        yield document
    else:
        yield from document.pieces()


def _encoded(document: Document) -> Iterator[bytes]:
    """base64url without padding, in pieces of whole groups."""
    rest = b""
    for piece in _pieces(document):
        data = rest + bytes(piece)
        cut = len(data) - len(data) % 3
        yield base64.urlsafe_b64encode(data[:cut])
        rest = data[cut:]
    yield base64.urlsafe_b64encode(rest).rstrip(b"=")
