"""Documents of every shape that a format may be given, as hypothesis makes them."""

import string
import zlib
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st

from tests.signing_service.formats.pades.pdf.samples import (
    EMPTY_SIGNATURE_FIELD,
    TEXT_FIELD,
    object_in,
    sample,
    stream,
    updated,
)

_PREFIXES = {"a": "urn:a", "b": "urn:b?x=1&y=2", "": "urn:default"}
_NAMES = ("entry", "GrossWt", "报关单", "x-1", "_y")
_CHARACTERS = st.characters(exclude_categories=["Cc", "Cs", "Cn", "Co"])
_WORDS = st.text(_CHARACTERS, max_size=12)
_VALUES = st.text(st.one_of(_CHARACTERS, st.sampled_from("\t\n\r")), max_size=12)
_LETTERS = (string.ascii_letters + string.digits).encode()


# -- XML -------------------------------------------------------------------------------------------


@st.composite
def _start(draw: st.DrawFn, declared: frozenset[str]) -> tuple[str, str, frozenset[str]]:
    """A start tag without its last character, the element's name, and what is declared in it."""
    new = draw(st.sets(st.sampled_from(sorted(_PREFIXES)), max_size=2))
    inside = declared | (new - {""})
    prefix = draw(st.sampled_from(["", *sorted(inside)]))
    name = f"{prefix}:" * bool(prefix) + draw(st.sampled_from(_NAMES))
    attributes = {f"xmlns:{p}" if p else "xmlns": _PREFIXES[p] for p in new}
    of_element = ["plain", "other", "xml:lang", *(f"{each}:q" for each in inside)]
    for attribute in draw(st.lists(st.sampled_from(of_element), max_size=3, unique=True)):
        attributes[attribute] = "zh" if attribute == "xml:lang" else draw(_VALUES)
    order = draw(st.permutations(sorted(attributes)))
    white = draw(st.sampled_from([" ", "  ", "\n "]))
    written = "".join(f"{white}{each}={quoteattr(attributes[each])}" for each in order)
    return f"<{name}{written}", name, inside


_COMMENTS = _WORDS.filter(lambda text: "--" not in text and not text.endswith("-"))
_TEXTS = st.one_of(
    _WORDS.map(escape),
    _WORDS.filter(lambda text: "]]>" not in text).map(lambda text: f"<![CDATA[{text}]]>"),
    _COMMENTS.map(lambda text: f"<!--{text}-->"),
    st.sampled_from(["<?sheet type='x'?>", "&#65;&#x6d77;", "\n  ", "&#13;", "&lt;b&gt;"]),
)


@st.composite
def _element(draw: st.DrawFn, declared: frozenset[str] = frozenset(), depth: int = 0) -> str:
    start, name, inside = draw(_start(declared))
    pieces = draw(st.lists(_TEXTS, max_size=3))
    if depth < 3:
        pieces += draw(st.lists(_element(inside, depth + 1), max_size=2))
        pieces = list(draw(st.permutations(pieces)))
    if not pieces and draw(st.booleans()):
        return f"{start}/>"
    return f"{start}>{''.join(pieces)}</{name}>"


XML = _element().map(lambda text: f"<d>{text}</d>".encode())
"""Attributes, namespaces (the default one among them), comments, CDATA, instructions, character
references, empty elements and white space; nothing is canonical yet."""


# -- PDF -------------------------------------------------------------------------------------------


@st.composite
def _pdf(draw: st.DrawFn) -> bytes:
    """One to three pages, with a table or as streams, with fields, a note, packed content, and
    an update that was appended before anybody signed."""
    said = bytes(draw(st.lists(st.sampled_from(_LETTERS), min_size=1, max_size=40)))
    pdf = sample(
        draw(st.integers(1, 3)),
        as_streams=draw(st.booleans()),
        fields=tuple(draw(st.sets(st.sampled_from([TEXT_FIELD, EMPTY_SIGNATURE_FIELD])))),
        annotations=draw(
            st.sampled_from([b"", b"<</Type /Annot /Subtype /Text /Rect [0 0 9 9] /Contents (n)>>"])
        ),
    )
    content = b"BT /F1 24 Tf 72 700 Td (%s) Tj ET" % said
    shape = draw(st.sampled_from(["as it is", "plain", "packed"]))
    if shape == "as it is" or b"/XRef" in pdf:
        return pdf
    if shape == "packed":
        return updated(pdf, {5: stream(zlib.compress(content), b"/Filter /FlateDecode")})
    assert object_in(pdf, 5)
    return updated(pdf, {5: stream(content)})


DOCUMENTS = {"octets": st.binary(min_size=1, max_size=400), "xml": XML, "pdf": _pdf()}
"""By what a `Kind` takes."""
