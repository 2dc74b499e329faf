"""Which octets of a signed file, of what lies in it and of what lies beside it, are covered.

Told by readers that are not ours where there are some: expat for XML, json for JWS, zipfile for
containers. What is covered in CMS and PDF is found as the octets themselves.
"""

import base64
import binascii
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from xml.parsers import expat

from lxml import etree

from signing_service.formats.asic.zip_file import write_zip
from signing_service.formats.cms import signed_data
from tests.signing_service.packagings import Kind

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
_CONTENT_OF_DATA = bytes.fromhex("06092a864886f70d010701a0")
"""EncapsulatedContentInfo of data, up to the tag of its content."""
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
Files = dict[str, bytes]
DOCUMENT, SIGNED = "document", "signed"


def taken_apart(kind: Kind, document: bytes, signed: bytes) -> Files:
    """The files that a verifier is given, a container's by their names in it."""
    if is_container(kind):
        with zipfile.ZipFile(io.BytesIO(signed)) as container:
            return {name: container.read(name) for name in container.namelist()}
    return {DOCUMENT: document, SIGNED: signed} if kind.detached else {SIGNED: signed}


def put_together(kind: Kind, files: Files, comment: bytes) -> tuple[bytes, bytes | None]:
    """What a verifier is given: the document and its signature, or the signed file alone."""
    if is_container(kind):
        return write_zip(files, stored=["mimetype"], comment=comment), None
    return (files[DOCUMENT], files[SIGNED]) if kind.detached else (files[SIGNED], None)


def is_container(kind: Kind) -> bool:
    return kind.format.startswith("ASiC")


@dataclass(frozen=True)
class Region:
    """Octets of one file that a signature covers."""

    file: str
    start: int
    end: int
    what: str
    meaning: Callable[[bytes], object]
    """What the file says there, so that two notations of one thing are told from two things."""


def regions(kind: Kind, files: Files) -> list[Region]:
    """Everything that is covered, region by region. No region is empty."""
    return [each for each in _regions(kind, files) if each.start < each.end]


def _regions(kind: Kind, files: Files) -> Iterator[Region]:
    if is_container(kind):
        for name, content in files.items():
            if name.endswith(".p7s"):
                yield from _cms(name, content)
            elif "signatures" in name:
                yield from _xml(name, content)
            elif name != "META-INF/manifest.xml":  # media types, as OpenDocument has them
                yield whole(name, content)  # the mimetype among them
        return
    if kind.detached:
        yield whole(DOCUMENT, files[DOCUMENT])
    of_format = {"CAdES": _cms, "XAdES": _xml, "JAdES": _jws, "PAdES": _pdf}
    yield from of_format[kind.format](SIGNED, files[SIGNED])


def whole(file: str, content: bytes) -> Region:
    return Region(file, 0, len(content), file, bytes)


# -- CMS and PDF -----------------------------------------------------------------------------------


def _cms(file: str, message: bytes) -> Iterator[Region]:
    """The signed attributes, whose tag is another where they stand, and the content."""
    read = signed_data.read(message)
    (signer,) = read.signers
    yield _only(file, message, signer.signed_bytes[1:], "signed attributes")
    if read.content is not None:
        start = message.index(read.content, message.index(_CONTENT_OF_DATA))
        yield Region(file, start, start + len(read.content), "content", bytes)


def _only(file: str, content: bytes, octets: bytes, what: str) -> Region:
    assert content.count(octets) == 1, what
    start = content.index(octets)
    return Region(file, start, start + len(octets), what, bytes)


def _pdf(file: str, content: bytes) -> Iterator[Region]:
    """All but the place of the signature itself (ISO 32000-2, 12.8.1)."""
    (found,) = re.findall(rb"/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]", content)
    first, before, second, after = map(int, found)
    assert (first, second + after) == (0, len(content))
    assert content[before : before + 1] == b"<"
    assert content[second - 1 : second] == b">"
    yield Region(file, 0, before, "before the signature", bytes)
    yield Region(file, second, len(content), "behind the signature", bytes)


# -- XML -------------------------------------------------------------------------------------------


def _xml(file: str, content: bytes) -> Iterator[Region]:
    """ds:SignedInfo, xades:SignedProperties and, where it is inside, what was signed."""
    spans = list(_spans(content))

    def of(namespace: str, name: str) -> _Span:
        (found,) = [each for each in spans if each.name == f"{namespace} {name}"]
        return found

    for namespace, name in ((DS, "SignedInfo"), (XADES, "SignedProperties")):
        span = of(namespace, name)
        yield Region(file, span.start, span.end, name, _canonical(f"{{{namespace}}}{name}"))
    signature, named = of(DS, "Signature"), {each.identifier: each for each in spans}
    info = etree.fromstring(content).find(f".//{{{DS}}}SignedInfo")
    assert info is not None
    for reference in info.findall(f"{{{DS}}}Reference"):
        uri = reference.get("URI", "")
        target = named.get(uri[1:]) if uri.startswith("#") else None
        if uri == "":
            yield from _without_comments(file, content, spans[0].start, signature.start, "before")
            yield from _without_comments(file, content, signature.end, spans[0].end, "behind")
        elif target is not None and target.name == f"{DS} Object":
            start = content.index(b">", target.start) + 1
            end = content.rindex(b"<", start, target.end)
            yield Region(file, start, end, "object", _decoded_at(start, end))
        elif target is not None and target.name != f"{XADES} SignedProperties":
            yield from _without_comments(file, content, target.start, target.end, "target")


def _without_comments(
    file: str, content: bytes, start: int, end: int, what: str
) -> Iterator[Region]:
    """Canonical form without comments leaves just these out."""
    for found in _COMMENT.finditer(content, start, end):
        yield Region(file, start, found.start(), what, _everything)
        start = found.end()
    yield Region(file, start, end, what, _everything)


class _Span(NamedTuple):
    name: str
    """Namespace and local name."""
    start: int
    end: int
    identifier: str


def _spans(content: bytes) -> Iterator[_Span]:
    """Where every element stands, in document order."""
    parser = expat.ParserCreate(namespace_separator=" ")
    found: list[_Span] = []
    still_open: list[int] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        still_open.append(len(found))
        found.append(_Span(name, parser.CurrentByteIndex, -1, attributes.get("Id", "")))

    def end(_: str) -> None:
        index, at = still_open.pop(), parser.CurrentByteIndex
        if content.startswith(b"</", at):  # else it is behind an empty element
            at = content.index(b">", at) + 1
        found[index] = found[index]._replace(end=at)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.Parse(content, True)
    return iter(found)


def _canonical(tag: str) -> Callable[[bytes], object]:
    def meaning(content: bytes) -> object:
        try:
            (element,) = etree.fromstring(content).iter(tag)
        except (etree.LxmlError, ValueError):
            return None
        return etree.tostring(element, method="c14n", with_comments=False)

    return meaning


def _everything(content: bytes) -> object:
    try:
        return etree.tostring(etree.fromstring(content), method="c14n", with_comments=False)
    except etree.LxmlError:  # not XML any more, or without canonical form
        return None


def _decoded_at(start: int, end: int) -> Callable[[bytes], object]:
    def meaning(content: bytes) -> object:
        try:
            return base64.b64decode(b"".join(content[start:end].split()), validate=True)
        except binascii.Error:
            return None

    return meaning


# -- JWS -------------------------------------------------------------------------------------------


def _jws(file: str, content: bytes) -> Iterator[Region]:
    """The protected header and the payload, as they stand in the signing input."""
    try:
        read = json.loads(content)
    except ValueError:
        protected, payload, _ = content.split(b".")
        places = 0, len(protected) + 1
    else:
        (signature,) = read.get("signatures", [read])
        protected, payload = signature["protected"].encode(), read.get("payload", "").encode()
        places = content.index(protected), content.index(b'"%s"' % payload) + 1 if payload else 0
    for part, start, what in zip(
        (protected, payload), places, ("protected header", "payload"), strict=True
    ):
        yield Region(file, start, start + len(part), what, bytes)
