"""What is told from a document's octets is exactly what libxml2 makes of its tree."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from kernel.refusals import Refusal
from signing_service.formats import plain_xml, xml_security
from signing_service.formats.xades import whole as xades
from signing_service.formats.xml_names import DS
from signing_service.formats.xml_security import C14N, C14N_11
from tests.bench.xades import LARGE
from tests.signing_service.formats.xades import test_xml_attacks as attacks
from tests.signing_service.formats.xades.test_xades import (
    AUTHORITY,
    DECLARATION,
    DOCUMENTS,
    INVENTORY,
    SIGNER,
    sign,
    xmlsec1_verifies,
)
from tests.signing_service.long_way import nothing_remembered


def general(document: bytes) -> bytes | None:
    """None for what is refused."""
    try:
        return xml_security.canonicalise(xml_security.parse(document))
    except Refusal:
        return None


def check(document: bytes) -> bool:
    """Whether it is plain; then all that is told of it holds."""
    plain = plain_xml.read(document)
    if plain is None:
        return False
    root = xml_security.parse(document)
    assert plain.canonical == general(document)
    assert plain.canonical == xml_security.canonicalise(root, C14N_11)
    assert plain.namespaces == {prefix or "": uri for prefix, uri in root.nsmap.items()}
    assert not xml_security.inherited_attributes(etree.SubElement(root, "below"))
    assert plain.head + plain.tail == document
    assert plain.tail.startswith(b"</")
    return True


PLAIN = {
    "declaration": DECLARATION,
    "inventory": INVENTORY,
    "large": LARGE,
    "bare": b"<a></a>",
    "marked": b"\xef\xbb\xbf<a>x</a>",
    "surrounded by space": b" \t\n<a>x</a>\r\n",
    "references": b"<a>&amp;&lt;&gt;&#xD; &amp;quot;</a>",
    "marks in text": b"<a>/ = ! ? ' \" ]] -- /</a>",
    "namespaces": b'<b:a xmlns="urn:d" xmlns:b="http://b.example/x/" xmlns:c="urn:c">'
    b"<c:x></c:x><y>z</y></b:a>",
    "attributes": b'<a xmlns:b="https://b.example#" A=" " a="\'/" b="" b:A="x">t</a>',
    "nested": b"<a>" * 150 + b"x" + b"</a>" * 150,
    "many groups": b"<a>%b</a>" % (b"<b><c>1/2</c><d>//</d></b>" * 2000),
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_plain_is_seen_to_be(name: str) -> None:
    assert check(PLAIN[name])


NOT_PLAIN = {
    **{name: each for name, each in DOCUMENTS.items() if name not in ("declaration", "namespaced")},
    "empty element": b"<a><b/></a>",
    "comment": b"<a><!----></a>",
    "comment around": b"<a></a><!-- -->",
    "section": b"<a><![CDATA[x]]></a>",
    "instruction": b"<a><?b?></a>",
    "instruction before": b"<?b?><a></a>",
    "line end": b"<a>\r\n</a>",
    "quotation mark by reference": b"<a>&quot;</a>",
    "letter by reference": b"<a>&#65;</a>",
    "raw mark": b"<a>></a>",
    "space in start tag": b"<a><b ></b></a>",
    "space in end tag": b"<a></a >",
    "line in end tag": b"<a><b></b\n></a>",
    "attribute below": b'<a><b c="d"></b></a>',
    "default namespace undone": b'<a xmlns="urn:a"><b xmlns=""></b></a>',
    "superfluous undoing": b'<a xmlns=""></a>',
    "single quotes": b"<a b='c'></a>",
    "two spaces": b'<a  b="c"></a>',
    "tab in a value": b'<a b="c\td"></a>',
    "reference in a value": b'<a b="&gt;"></a>',
    "attributes out of order": b'<a c="" b=""></a>',
    "attribute before a namespace": b'<a b="" xmlns="urn:a"></a>',
    "namespaces out of order": b'<a xmlns:c="urn:c" xmlns:b="urn:b"></a>',
    "default namespace last": b'<a xmlns:b="urn:b" xmlns="urn:d"></a>',
    "two in namespaces": b'<a xmlns:b="urn:z" xmlns:c="urn:a" b:x="" c:x=""></a>',
    "bound xml": b'<a xmlns:xml="http://www.w3.org/XML/1998/namespace"></a>',
    "attribute of xml": b'<a xml:lang="zh"></a>',
    "relative namespace": b'<a xmlns="b"></a>',
    "scheme without more": b'<a xmlns="http:"></a>',
    "ascii": b'<?xml version="1.0" encoding="US-ASCII"?><a></a>',
    "too deep for a tree": b"<a>" * 257 + b"</a>" * 257,
    "document type": b"<!DOCTYPE a><a></a>",
    "undeclared prefix": b"<b:a></b:a>",
    "undeclared prefix below": b"<a><b:c></b:c></a>",
    "two colons": b'<a xmlns:b="urn:b"><b:c:d></b:c:d></a>',
    "crossed": b"<a><b></a></b>",
    "two roots": b"<a></a><a></a>",
    "text behind": b"<a></a>b<c></c>",
    "twice the same": b'<a b="" b=""></a>',
    "not UTF-8": b"<a>\xff</a>",
    "surrogate": b"<a>\xed\xa0\x80</a>",
    "no character": b"<a>\x0b</a>",
    "no name": b"<a><1></1></a>",
    "nothing": b"",
    "too long": b"<a>%b</a>" % bytes(plain_xml.MAX_BYTES).replace(b"\0", b"x"),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_what_is_not_plain_goes_the_general_way(name: str) -> None:
    assert not check(NOT_PLAIN[name])


PIECES = st.sampled_from(
    [
        b"<a>", b"</a>", b"<b>", b"</b>", b"<p:a>", b"</p:a>", b"<a/>", b"<a >", b"</a >", b"x",
        b" ", b"\n", b"\r", b"\t", b"/", b"=", b">", b"<", b"&amp;", b"&lt;", b"&gt;", b"&quot;",
        b"&#xD;", b"&#65;", b"]]>", b"<!--", b"-->", b"<![CDATA[", b"<?p", b"?>", b"\xe6\x8a\xa5",
        b"\xef", b'<b c="d">', b'<b xmlns="">', b'<b xmlns="urn:b">', b"\x00", b"'", b'"', b"!",
        b"?",
    ]
)  # fmt: skip
ROOTS = st.sampled_from(
    [
        b"<a>", b'<a xmlns="urn:a">', b'<a xmlns:p="urn:p">', b"<p:a>", b'<a b="c" d="">',
        b'<p:a xmlns:p="http://p.example/#" b="1" p:b="2">', b'<a b="x"c="y">', b"<a b='c'>",
        b"<a >",
    ]
)  # fmt: skip
BEFORE = [b"", b"\n", b'<?xml version="1.0" encoding="UTF-8"?>', b"\xef\xbb\xbf"]


@settings(max_examples=1500)
@given(
    before=st.sampled_from(
        [b"", b"\n", b'<?xml version="1.0" encoding="UTF-8"?>', b"\xef\xbb\xbf"]
    ),
    root=ROOTS,
    pieces=st.lists(PIECES, max_size=8),
    after=st.sampled_from([b"</a>", b"</p:a>", b"</a>\n", b"</a><!-- -->", b"", b"</a >"]),
)
def test_of_any_document_no_more_is_told_than_holds(
    before: bytes, root: bytes, pieces: list[bytes], after: bytes
) -> None:
    check(before + root + b"".join(pieces) + after)


@st.composite
def well_formed(draw: st.DrawFn) -> bytes:
    """Documents that are plain more often than not."""
    text = st.text("ab 报/=!?'\"\n", max_size=4) | st.sampled_from(
        ["&amp;", "&lt;", "&gt;", "&#xD;"]
    )
    odd = st.sampled_from(["<c/>", "<!-- x -->", '<c d="e"></c>', "&quot;", "<![CDATA[x]]>", "\r"])
    inner = st.recursive(
        text,
        lambda below: st.lists(below | text, min_size=1, max_size=4).map(
            lambda parts: f"<x>{''.join(parts)}</x>"
        ),
        max_leaves=12,
    )
    parts = draw(st.lists(st.one_of(inner, inner, inner, odd), max_size=5))
    return draw(ROOTS.filter(lambda root: b":" not in root)) + "".join(parts).encode() + b"</a>"


@settings(max_examples=300)
@given(well_formed())
def test_of_well_formed_documents_no_more_is_told_than_holds(document: bytes) -> None:
    check(document)


@settings(max_examples=300)
@given(st.sampled_from(sorted(PLAIN)), st.data())
def test_one_changed_octet_is_noticed(name: str, data: st.DataObject) -> None:
    document = bytearray(PLAIN[name])
    position = data.draw(st.integers(0, min(len(document), 3000) - 1))
    document[position] = data.draw(st.sampled_from(b"<>&/=\"'!? \t\r\n\x00\xffax:"))
    check(bytes(document))


def test_xmlsec1_accepts_what_was_signed_the_short_way(tmp_path: Path) -> None:
    """Its canonical form is its own."""
    for name, document in PLAIN.items():
        assert xmlsec1_verifies(tmp_path, sign(document)), name


# -- signing ---------------------------------------------------------------------------------------


def prepared(document: bytes, parallel: bool = False) -> object:
    try:
        return xades.prepare(document, SIGNER.certificate, AUTHORITY.now, parallel=parallel)
    except Refusal as refusal:
        return str(refusal)


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize(
    "document",
    [*PLAIN.values(), *NOT_PLAIN.values(), attacks.SIGNED, b'<a xmlns:d="%b"></a>' % DS.encode(),
     b'<d:Signature xmlns:d="%b"></d:Signature>' % DS.encode()],
)  # fmt: skip
def test_both_ways_prepare_the_same(document: bytes, parallel: bool) -> None:
    short = prepared(document, parallel)
    with nothing_remembered():
        long = prepared(document, parallel)
    assert short == long


def test_another_canonicalisation_goes_the_general_way() -> None:
    """Exclusive canonical form leaves out what a plain document declares and does not use."""
    exclusive = attacks.resigned(
        lambda info: info.replace(
            b'enveloped-signature"></ds:Transform><ds:Transform Algorithm="' + C14N.encode(),
            b'enveloped-signature"></ds:Transform><ds:Transform Algorithm="'
            + xml_security.EXCLUSIVE_C14N.encode(),
        )
    )
    assert attacks.outcome(exclusive) == attacks.outcome(attacks.SIGNED) == "covered"
    document = b'<a xmlns="urn:a" xmlns:unused="urn:b">x</a>'
    signed = sign(document)
    (evidence,) = xades.read(signed.replace(
        C14N.encode() + b'"></ds:Transform></ds:Transforms><ds:DigestMethod',
        xml_security.EXCLUSIVE_C14N.encode()
        + b'"></ds:Transform></ds:Transforms><ds:DigestMethod', 1,
    ))  # fmt: skip
    (reference,) = [each for each in evidence.references if each.name == "document"]
    assert not reference.intact
