"""Documents in canonical form as they are written (Canonical XML 1.0, without comments).

Most declarations are, but for the XML declaration: elements and text, and attributes and
namespaces in the root's start tag alone, in order. Their octets show it in a fraction of the
time that a tree and a second writing take. Every answer here is either exact or None; whoever
gets None goes the general way of `xml_security`, which alone refuses.
"""

import re
import threading
from dataclasses import dataclass
from typing import cast

from lxml import etree

from kernel.refusals import Refusal
from signing_service.formats import xml_security

MAX_BYTES = xml_security.MAX_NODES // 2
"""So short that it cannot hold too many nodes, nor a text too long for libxml2's tree."""

_NAME = rb"(?!xml)[A-Za-z_\x80-\xff][A-Za-z0-9._\x80-\xff-]*"
_URI = rb"(?:https?://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._~-]+)*/?\#?|urn:[A-Za-z0-9:._-]+)"
"""Absolute without doubt: there is no canonical form with a relative one (1.3)."""
_VALUE = rb'"[^"<>&\t\r\n]*"'
_NAMESPACE = re.compile(rb' xmlns(?::(%b))?="(%b)"' % (_NAME, _URI))
_ATTRIBUTE = re.compile(rb" (%b)=%b" % (_NAME, _VALUE))
_ROOT = re.compile(
    rb'<((?:%b:)?%b)((?: xmlns(?::%b)?="%b")*)((?: %b=%b)*)(?: %b:%b=%b)?>'
    % (_NAME, _NAME, _NAME, _URI, _NAME, _VALUE, _NAME, _NAME, _VALUE)
)
"""Name, namespaces and attributes, of which one in a namespace comes last (2.3)."""
_WHITESPACE = b" \t\r\n"
_MARKS = b"<>/=\"'!? \t\r\n&"
_UNMARKED = bytes(set(range(256)) - set(_MARKS))
_NOT_OF_TAGS = bytes(set(_MARKS) - set(b"<>/"))
_DEPTH = 250
_REFERENCES = (b"&amp;", b"&lt;", b"&gt;", b"&#xD;")
"""As text is written (2.3)."""
_SPACES = frozenset(_WHITESPACE[i : i + 1] for i in range(4))
_parsers = threading.local()


@dataclass(frozen=True, slots=True)
class PlainDocument:
    canonical: bytes
    """The document's canonical form, which is also that of its root."""
    head: bytes
    """The document as written, up to the root's end tag."""
    tail: bytes
    """From the root's end tag on."""
    namespaces: dict[str, str]
    """In scope in the root by prefix, the default one by an empty prefix."""


def read(document: bytes) -> PlainDocument | None:
    """A document that `xml_security.parse` accepts and that is plain."""
    if len(document) > MAX_BYTES:
        return None
    found = _plain(document)
    if found is None or not _is_well_formed(document):
        return None
    start, end, root = found
    split = end - len(root[1]) - 3
    namespaces = {prefix.decode(): uri.decode() for prefix, uri in _NAMESPACE.findall(root[2])}
    return PlainDocument(document[start:end], document[:split], document[split:], namespaces)


def _plain(document: bytes) -> tuple[int, int, re.Match[bytes]] | None:
    """Where the root begins and ends and its start tag, if this is plain once it is well-formed."""
    try:
        encoding, start = xml_security.declaration_of(document)
    except Refusal:
        return None
    while document[start : start + 1] in _SPACES:
        start += 1
    end = len(document.rstrip(_WHITESPACE))
    root = _ROOT.match(document, start)
    if encoding != "utf-8" or root is None or not _is_in_order(root):
        return None
    return (start, end, root) if _is_plain(document[root.end() : end]) else None


def _is_in_order(root: re.Match[bytes]) -> bool:
    """Namespaces by prefix, the default one first, and attributes by name (2.2)."""
    prefixes = [prefix for prefix, _ in _NAMESPACE.findall(root[2])]
    names = _ATTRIBUTE.findall(root[3])
    return prefixes == sorted(prefixes) and names == sorted(names)


def _is_plain(content: bytes) -> bool:
    """Whether this, from the root's start tag on, is text and tags of a name and nothing else.

    Told by the marks that are left when all else is taken away: every `<` begins a tag, so each
    must be `<>` or `</>`; an empty element would be `</>` too, but without its `<>`.
    """
    marks = content.translate(None, _UNMARKED)
    starts, ends = marks.count(b"<>"), marks.count(b"</>")
    return (
        ends == starts + 1
        and starts + ends == marks.count(b"<") == marks.count(b">")
        and b"\r" not in marks
        and (b"&" not in marks or _are_canonical_references(content))
        and _is_shallow(marks)
    )


def _are_canonical_references(content: bytes) -> bool:
    return content.count(b"&") == sum(content.count(each) for each in _REFERENCES)


def _is_shallow(marks: bytes) -> bool:
    """Whether a tree could be built: libxml2 checks a depth of 256 once more where it builds one.

    A tag takes two octets or three, and leaving out the innermost elements takes one level away.
    """
    tags = marks.translate(None, _NOT_OF_TAGS)
    for levels in range(8):
        if len(tags) // 5 + levels < _DEPTH:
            return True
        # What stands before a tag is a stroke in a text.
        tags = tags.replace(b"<></>", b"").replace(b"/<", b"<")
    return False


class _Nothing:
    """What libxml2 is asked to build: a document is checked as ever, but no tree is made."""

    def close(self) -> None:
        pass


def _is_well_formed(document: bytes) -> bool:
    parser: etree.XMLParser | None = getattr(_parsers, "parser", None)
    if parser is None:
        parser = xml_security.new_parser("utf-8", cast("etree.ParserTarget", _Nothing()))
        _parsers.parser = parser
    try:
        etree.fromstring(document, parser)
    except (etree.LxmlError, ValueError):
        return False
    # An undeclared prefix is an error that lxml passes over where no tree is built.
    return not parser.error_log
