"""Foreign XML read safely, and canonical XML (XML 1.0; Canonical XML 1.0 and Exclusive C14N).

No document type, so no entities and no default attributes; no network; limits on size, nodes
and (libxml2's own, 256) depth. Comments never hide text: where text is expected, an element
with any child is refused.
"""

import base64
import binascii
import re
import threading
from collections import defaultdict
from collections.abc import Sequence
from typing import cast

from lxml import etree

from kernel.refusals import Malformed, TooLarge
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES, MAX_SIGNATURE_BYTES

MAX_NODES = 1_000_000
MAX_XML_BYTES = MAX_DOCUMENT_BYTES + MAX_SIGNATURE_BYTES

C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
C14N_11 = "http://www.w3.org/2006/12/xml-c14n11"
EXCLUSIVE_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
_WITH_COMMENTS = {C14N + "#WithComments": C14N, EXCLUSIVE_C14N + "WithComments": EXCLUSIVE_C14N}
CANONICALISATIONS = frozenset({C14N, C14N_11, EXCLUSIVE_C14N, *_WITH_COMMENTS})

_XML = "{http://www.w3.org/XML/1998/namespace}"
_ENCODINGS = frozenset({"utf-8", "us-ascii", "iso-8859-1", "gb2312", "gbk", "gb18030"})
_MAX_DECLARATION_BYTES = 256
_DECLARATION = re.compile(
    rb"""<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*["']1\.[0-9]["']"""
    rb"""(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*["']([A-Za-z][A-Za-z0-9._-]{0,31})["'])?"""
    rb"""(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*["'](?:yes|no)["'])?[ \t\r\n]*\?>"""
)
"""XML 1.0, 2.8 [23]."""
_BOM = b"\xef\xbb\xbf"
_IDENTIFIERS = etree.XPath("//@*[local-name()='Id' or local-name()='ID' or local-name()='id']")
_NODES = etree.XPath("count(//node()) + count(//@*)")
_parsers = threading.local()


def parse(data: bytes) -> etree._Element:
    """The root of a document.

    Raises TooLarge `xml.too-large`; Malformed `xml.malformed`, `xml.dtd`, `xml.encoding`,
    `xml.too-complex`.
    """
    if len(data) > MAX_XML_BYTES:
        raise TooLarge("xml.too-large", "the document is too large", limit=MAX_XML_BYTES)
    encoding, _ = declaration_of(data)
    # One octet is looked for in a fraction of the time of nine.
    if b"!" in data and b"<!DOCTYPE" in data:
        raise Malformed("xml.dtd", "a document type is not accepted")
    # Counted before parsing, so that no tree is ever built that is far too large: each mark
    # begins one node, which one text at most follows. A short document cannot hold so many.
    marks = 0 if 2 * len(data) <= MAX_NODES else data.count(b"<") + data.count(b"=")
    if marks > MAX_NODES:
        raise _too_complex()
    root = _parse(data, encoding)
    if 2 * marks > MAX_NODES and cast(float, _NODES(root)) > MAX_NODES:
        raise _too_complex()
    return root


def declaration_of(data: bytes) -> tuple[str, int]:
    """The encoding, and how many octets a mark of it and the XML declaration take.

    Only encodings in which markup is ASCII, so that what is looked for cannot hide. Raises
    Malformed `xml.encoding`.
    """
    mark = len(_BOM) if data[:3] == _BOM else 0
    start = data[mark:_MAX_DECLARATION_BYTES]
    name, end = "utf-8", mark
    if start.startswith(b"<?xml") and start[5:6].isspace():
        declaration = _DECLARATION.match(start)
        if declaration is None:
            raise Malformed("xml.encoding", "the XML declaration is not readable")
        name = (declaration.group(1) or b"utf-8").decode().lower()
        end += declaration.end()
    if (
        name not in _ENCODINGS
        or (mark and name != "utf-8")
        or data[:2] in {b"\xff\xfe", b"\xfe\xff"}
        or b"\x00" in data[:8]
    ):
        raise Malformed("xml.encoding", "UTF-8 or GB 18030 is needed")
    return name, end


def new_parser(encoding: str, target: "etree.ParserTarget | None" = None) -> etree.XMLParser:
    """A parser that reads no more than the document; its tree goes to `target`, if any."""
    return etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        collect_ids=False,
        target=target,
    )


def text_of(element: etree._Element) -> str:
    """The text of an element that has nothing else, not even a comment.

    Raises Malformed `xml.structure`.
    """
    if len(element):
        raise Malformed("xml.structure", "{local} holds more than text", local=_local(element))
    return element.text or ""


def base64_of(element: etree._Element) -> bytes:
    """Raises Malformed `xml.structure`, `xml.base64`."""
    return from_base64(text_of(element), element.tag)


def from_base64(text: str, name: str) -> bytes:
    """The octets of an element's text. Raises Malformed `xml.base64`."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        local = etree.QName(name).localname
        raise Malformed("xml.base64", "{local} is not base64", local=local) from None


def elements_by_id(root: etree._Element) -> dict[str, list[etree._Element]]:
    """The elements that carry an identifier, by any attribute that reads `Id`; two at most
    for each, since two are already one too many."""
    found: defaultdict[str, list[etree._Element]] = defaultdict(list)
    for value in cast(list[etree._ElementUnicodeResult], _IDENTIFIERS(root)):
        bearer, bearers = value.getparent(), found[str(value)]
        if bearer is not None and len(bearers) < 2 and bearer not in bearers:
            bearers.append(bearer)
    return found


def canonicalise(
    element: etree._Element, algorithm: str = C14N, prefixes: Sequence[str] = ()
) -> bytes:
    """Canonical form of an element as part of its document (of the document for its root).

    `prefixes` is Exclusive C14N's InclusiveNamespaces. Raises Malformed `xml.transform` for an
    algorithm that is not accepted, `xml.canonicalisation`.
    """
    base = _WITH_COMMENTS.get(algorithm, algorithm)
    if base not in CANONICALISATIONS:
        raise Malformed("xml.transform", "this canonicalisation is not accepted")
    tree = element.getroottree()
    if tree.getroot() is not element:
        tree = _standalone(element, base)
    try:
        return etree.tostring(
            tree,
            method="c14n",
            exclusive=base == EXCLUSIVE_C14N,
            with_comments=base != algorithm,
            inclusive_ns_prefixes=list(prefixes) or None,
        )
    except (etree.LxmlError, ValueError):
        # Relative namespace names, which Canonical XML does not allow.
        raise Malformed("xml.canonicalisation", "there is no canonical form") from None


def canonical_without(
    root: etree._Element,
    part: etree._Element,
    algorithm: str = C14N,
    prefixes: Sequence[str] = (),
    *,
    with_surroundings: bool = True,
) -> bytes:
    """The document's canonical form without `part` and without comments.

    This is a same-document reference with the enveloped-signature transform (XML-DSig, 4.4.3.3
    and 6.6.4): the text after the part stays. `with_surroundings` takes in the processing
    instructions around the root, as `URI=""` does. The tree is as before afterwards. Raises as
    `canonicalise`.
    """
    algorithm = _WITH_COMMENTS.get(algorithm, algorithm)
    parent = part.getparent()
    if parent is None:
        raise Malformed("xml.structure", "the signature is the document itself")
    position = parent.index(part)
    tail, part.tail = part.tail, None
    # lxml keeps the text after an element with the element: it has to change hands.
    before = parent[position - 1] if position else None
    kept = (before.tail if before is not None else parent.text) or None
    _set_text(parent, before, (kept or "") + (tail or ""))
    parent.remove(part)
    try:
        if not with_surroundings:
            root = _standalone(root, algorithm).getroot()
        return canonicalise(root, algorithm, prefixes)
    finally:
        parent.insert(position, part)
        part.tail = tail
        _set_text(parent, before, kept)


def canonical_without_all(
    root: etree._Element,
    tag: str,
    algorithm: str = C14N,
    prefixes: Sequence[str] = (),
) -> bytes:
    """The document's canonical form without any element of that name and without comments.

    This is `URI=""` with the XPath transform `not(ancestor-or-self::...)`. Raises as
    `canonicalise`.
    """
    algorithm = _WITH_COMMENTS.get(algorithm, algorithm)
    copy = _copy(root.getroottree())
    if copy.tag == tag:
        raise Malformed("xml.structure", "the signature is the document itself")
    for element in list(copy.iter(tag)):
        parent = element.getparent()
        if parent is not None:
            position = parent.index(element)
            before = parent[position - 1] if position else None
            kept = (before.tail if before is not None else parent.text) or ""
            _set_text(parent, before, kept + (element.tail or ""))
            parent.remove(element)
    return canonicalise(copy, algorithm, prefixes)


def inherited_attributes(element: etree._Element) -> dict[str, str]:
    """The xml: attributes in force for `element` from its ancestors (Canonical XML 1.0, 2.4)."""
    inherited: dict[str, str] = {}
    for ancestor in element.iterancestors():
        for name, value in ancestor.items():
            if str(name).startswith(_XML):
                inherited.setdefault(str(name), str(value))
    return inherited


def _standalone(element: etree._Element, algorithm: str) -> etree._ElementTree:
    """A copy of the element as a document that keeps the namespaces in scope.

    lxml canonicalises an element in place through a borrowed root, which can put a wrong
    xmlns="" on descendants; a document of its own is always right.
    """
    copy = _copy(element)
    if algorithm != EXCLUSIVE_C14N:
        inherited = inherited_attributes(element)
        if algorithm == C14N_11:
            # Canonical XML 1.1, 2.4: identifiers are not inherited, base addresses are joined.
            inherited.pop(f"{_XML}id", None)
            if f"{_XML}base" in inherited:
                raise Malformed("xml.transform", "C14N 1.1 below xml:base is not accepted")
        for name, value in inherited.items():
            if name not in copy.attrib:
                copy.set(name, value)
    return copy.getroottree()


def _copy(part: etree._Element | etree._ElementTree) -> etree._Element:
    """Written in UTF-8: lxml's own choice, ASCII, cannot write every element's name."""
    return _parse(etree.tostring(part, encoding="utf-8", with_tail=False))


def _set_text(parent: etree._Element, before: etree._Element | None, text: str | None) -> None:
    if before is not None:
        before.tail = text
    else:
        parent.text = text


def _parse(data: bytes, encoding: str = "utf-8") -> etree._Element:
    """`encoding` binds the parser, whatever the document declares."""
    parser: etree.XMLParser | None = getattr(_parsers, encoding, None)
    if parser is None:
        parser = new_parser(encoding)
        setattr(_parsers, encoding, parser)
    try:
        root = etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError):
        raise Malformed("xml.malformed", "not well-formed XML") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise Malformed("xml.dtd", "a document type is not accepted")
    return root


def _too_complex() -> Malformed:
    return Malformed("xml.too-complex", "more than {most} nodes", most=MAX_NODES)


def _local(element: etree._Element) -> str:
    return str(etree.QName(element).localname)
