"""XML that attacks the reader: each form is refused, or the evidence says what is not covered."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from kernel.refusals import Malformed, Refusal
from signing_service.formats import xml_security
from signing_service.formats.xades import whole as xades
from signing_service.formats.xml_names import DS, XADES
from tests.software_keys import SoftwareAuthority

AUTHORITY = SoftwareAuthority()
SIGNER = AUTHORITY.signer()
DECLARATION = (Path(__file__).parents[3] / "samples" / "dec-import.xml").read_bytes()
SIGNED = xades.sign(DECLARATION, SIGNER.key, SIGNER.certificate, AUTHORITY.now, chain=SIGNER.chain)
START = SIGNED.index(b"<ds:Signature ")
END = SIGNED.index(b"</ds:Signature>") + len(b"</ds:Signature>")
SIGNATURE = SIGNED[START:END]
NAME = SIGNATURE.split(b'Id="')[1].split(b'"')[0]
ROOT_START = DECLARATION.index(b"<DecMessage")


def outcome(document: bytes) -> str:
    """The refusal's code, `covered` when all verifies, or what does not hold."""
    try:
        evidence = xades.read(document)[0]
    except Refusal as refusal:
        return refusal.code
    certificate = evidence.signing_certificate
    if certificate is None or evidence.suite is None:
        return "no signer"
    if not certificate.public_key.verify(
        evidence.suite, evidence.signature_value, evidence.signed_bytes
    ):
        return "value"
    broken = [reference.name for reference in evidence.references if not reference.intact]
    if broken:
        return f"broken: {', '.join(broken)}"
    return "covered" if evidence.covers_document else "not covered"


def resigned(change: Callable[[bytes], bytes]) -> bytes:
    """The signature with another SignedInfo, rightly signed by the same key.

    So what is refused is refused for its structure, not for a wrong value.
    """
    start = SIGNATURE.index(b"<ds:SignedInfo>")
    end = SIGNATURE.index(b"</ds:SignedInfo>") + len(b"</ds:SignedInfo>")
    changed = change(SIGNATURE[start:end])
    document = SIGNED.replace(SIGNATURE[start:end], changed)
    root = xml_security.parse(document)
    (info,) = root.iter(f"{{{DS}}}SignedInfo")
    raw = SIGNER.key.suite.to_raw(SIGNER.key.sign(xml_security.canonicalise(info)))
    old = SIGNATURE.split(b"</ds:SignatureValue>")[0].rpartition(b">")[2]
    return document.replace(old, b64encode(raw))


def test_the_untouched_document_is_covered() -> None:
    assert outcome(SIGNED) == "covered"
    assert outcome(resigned(lambda info: info)) == "covered"


BOMB = b"""<!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><b>&c;</b>"""


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (b"", "xml.malformed"),
        (b"not xml", "xml.malformed"),
        (b"<a>", "xml.malformed"),
        (b"<a/><b/>", "xml.malformed"),
        (b"<a>\x00</a>", "xml.encoding"),
        (BOMB, "xml.dtd"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>', "xml.dtd"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><a/>', "xml.dtd"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'.encode("utf-16"), "xml.encoding"),
        ('<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-16-be"), "xml.encoding"),
        (b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4APA-a/+AD4-',
         "xml.encoding"),
        (b'<?xml version="1.0" encoding="cp037"?><a/>', "xml.encoding"),
        (b'<?xml version="1.0"' + b" " * 100 + b'encoding="utf-7"?>+ADw-a/+AD4-', "xml.encoding"),
        (b'<?xml version="1.0"' + b" " * 900 + b'encoding="utf-7"?>+ADw-a/+AD4-', "xml.encoding"),
        (b'<?xml version="1.0" x=">" encoding="utf-7"?>+ADw-a/+AD4-', "xml.encoding"),
        (b'<?xml\nversion="1.0"\nencoding="utf-7"?>+ADw-a/+AD4-', "xml.encoding"),
        (b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-7"?>+ADw-a/+AD4-', "xml.encoding"),
        (b'\xef\xbb\xbf<?xml version="1.0" encoding="gbk"?><a/>', "xml.encoding"),
        ("<a>é</a>".encode("iso-8859-1"), "xml.malformed"),
        (b"<a>" + b"<b/>x" * (xml_security.MAX_NODES * 6 // 10) + b"</a>", "xml.too-complex"),
        (b"<a>&undefined;</a>", "xml.malformed"),
        (b"<a>" * 300 + b"</a>" * 300, "xml.malformed"),
        (b"<a>" + b"<b/>" * xml_security.MAX_NODES + b"</a>", "xml.too-complex"),
        (b"<a>" + b" " * xml_security.MAX_XML_BYTES + b"</a>", "xml.too-large"),
        (b'<a xmlns="relative"/>', "xades.no-signature"),
        (b"<a/>", "xades.no-signature"),
    ],
)  # fmt: skip
def test_hostile_or_empty_xml_is_refused(document: bytes, code: str) -> None:
    assert outcome(document) == code


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        (b"", "utf-8"),
        (b"\xef\xbb\xbf", "utf-8"),
        (b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>', "utf-8"),
        (b"<?xml version='1.0' encoding = 'GB18030' standalone='yes' ?>", "gb18030"),
        (b'<?xml version="1.0" encoding="GBK"?>', "gbk"),
        (b'<?xml version="1.0" encoding="gb2312"?>', "gb2312"),
        (b'<?xml-stylesheet href="x"?>', "utf-8"),
    ],
)
def test_chinese_is_read_in_its_encodings(declared: bytes, encoding: str) -> None:
    document = declared + "<报关单>货物</报关单>".encode(encoding)
    assert xml_security.parse(document).text == "货物"


def test_a_document_without_canonical_form_cannot_be_signed() -> None:
    with pytest.raises(Malformed, match=r"xml\.canonicalisation"):
        xades.prepare(b'<a xmlns="relative"/>', SIGNER.certificate, AUTHORITY.now)


def test_wrapping_the_document_in_another_is_seen() -> None:
    wrapped = b"<evil>" + SIGNED[ROOT_START:] + b"</evil>"

    assert outcome(wrapped) == "broken: document"


def test_moving_the_signature_into_a_forged_document_is_seen() -> None:
    forged = DECLARATION.replace(b"12400.00", b"1.00")
    moved = forged.replace(b"</DecMessage>", SIGNATURE + b"</DecMessage>")

    assert outcome(moved) == "broken: document"


def test_hiding_the_original_inside_the_signature_is_refused() -> None:
    """The classic: the signed document moves into a ds:Object, another takes its place."""
    original = DECLARATION[ROOT_START:].strip()
    hiding = SIGNATURE.replace(
        b"</ds:Signature>", b'<ds:Object Id="x">' + original + b"</ds:Object></ds:Signature>"
    )
    forged = DECLARATION.replace(b"12400.00", b"1.00")

    assert outcome(forged.replace(b"</DecMessage>", hiding + b"</DecMessage>")) == (
        "xades.structure"
    )


@pytest.mark.parametrize(
    "place",
    [
        (b"<ds:Object>", b"<ds:Object><smuggled/>"),
        (b"</ds:Signature>", b"<smuggled/></ds:Signature>"),
        (b"</ds:Signature>", b"<ds:Object><smuggled/></ds:Object></ds:Signature>"),
        (b"<ds:SignatureValue ", b"<smuggled/><ds:SignatureValue "),
        (b"<ds:KeyInfo>", b"<ds:Object/><ds:KeyInfo>"),
    ],
)
def test_unsigned_content_in_the_signature_is_refused(place: tuple[bytes, bytes]) -> None:
    assert outcome(SIGNED.replace(*place)) == "xades.structure"


def test_a_reference_to_a_part_does_not_cover_the_document() -> None:
    """What is signed is a part; what the reader would see is the whole."""
    part = DECLARATION.replace(b"<DecHead>", b'<DecHead Id="head">')
    head = xml_security.parse(part)[0]
    digest = SIGNER.key.suite.hash(xml_security.canonicalise(head))

    def refer(info: bytes) -> bytes:
        transform = f'<ds:Transform Algorithm="{DS}enveloped-signature"></ds:Transform>'.encode()
        old_digest = info.split(b"<ds:DigestValue>")[1].split(b"<")[0]
        return (
            info.replace(b'URI=""', b'URI="#head"')
            .replace(transform, b"")
            .replace(old_digest, b64encode(digest))
        )

    signed = resigned(refer).replace(b"<DecHead>", b'<DecHead Id="head">')

    assert outcome(signed) == "not covered"
    assert outcome(signed.replace(b"<DecLists>", b'<DecLists id="head">')) == "xml.duplicate-id"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b'URI=""', b'URI="http://127.0.0.1:9/x"', "xades.external-reference"),
        (b'URI=""', b'URI="file:///etc/hostname"', "xades.external-reference"),
        (b'URI=""', b'URI="#xpointer(/)"', "xades.external-reference"),
        (b'URI=""', b'URI="#nothing"', "xades.references"),
        (b' URI=""', b"", "xades.references"),
        (b"enveloped-signature", b"base64", "xml.transform"),
        (f'{DS}enveloped-signature"'.encode(),
         b'http://www.w3.org/TR/1999/REC-xpath-19991116"', "xml.transform"),
        (f'{DS}enveloped-signature"'.encode(),
         b'http://www.w3.org/TR/1999/REC-xslt-19991116"', "xml.transform"),
        (f'<ds:Transform Algorithm="{DS}enveloped-signature"></ds:Transform>'.encode(), b"",
         "xades.references"),
        (b'<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/',
         b'<ds:CanonicalizationMethod Algorithm="urn:', "xml.transform"),
        (b"></ds:SignatureMethod>", b"><ds:HMACOutputLength>1</ds:HMACOutputLength>"
         b"</ds:SignatureMethod>", "xades.structure"),
        (b"01903#SignedProperties", b"01903#Other", "covered"),
    ],
)  # fmt: skip
def test_references_and_transforms_are_on_an_allow_list(old: bytes, new: bytes, code: str) -> None:
    assert outcome(resigned(lambda info: info.replace(old, new, 1))) == code


def _reference(info: bytes, index: int) -> bytes:
    parts = info.split(b"<ds:Reference")
    return b"<ds:Reference" + parts[index].split(b"</ds:Reference>")[0] + b"</ds:Reference>"


def test_exactly_one_document_reference_and_one_to_the_properties() -> None:
    def twice(index: int) -> bytes:
        return resigned(lambda info: info.replace(_reference(info, index),
                                                  _reference(info, index) * 2))  # fmt: skip

    def without(index: int) -> bytes:
        return resigned(lambda info: info.replace(_reference(info, index), b""))

    assert outcome(twice(1)) == "xades.references"
    assert outcome(twice(2)) == "xades.signed-properties"
    assert outcome(without(1)) == "xades.references"
    assert outcome(without(2)) == "xades.signed-properties"
    assert outcome(resigned(lambda info: info.replace(
        _reference(info, 1), _reference(info, 1) * 5))) == "xades.references"  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b'Target="#', b'Target="#other', "xades.signed-properties"),
        (b"<xades:SignedProperties Id", b"<xades:Foreign/><xades:SignedProperties Id",
         "xades.signed-properties"),
        (b"</xades:QualifyingProperties>",
         b"<xades:SignedProperties/></xades:QualifyingProperties>",
         "xades.signed-properties"),
        (b"<DecHead>", b'<DecHead Id="' + NAME + b'-properties">', "xml.duplicate-id"),
        (b"<DecHead>", b'<DecHead xml:id="' + NAME + b'-properties">', "xml.duplicate-id"),
        (b"<ds:DigestValue>", b"<ds:DigestValue>AAAA<!-- -->", "xml.structure"),
        (b"<ds:DigestValue>", b"<ds:DigestValue>****", "xml.base64"),
        (b"<xades:SigningTime>", b"<xades:SigningTime>x", "xades.signed-properties"),
        (b"<xades:SigningTime>2", b"<xades:SigningTime>1", "broken: signed properties"),
        (b"<xades:MimeType>text/xml", b"<xades:MimeType>text/html", "broken: signed properties"),
        (b"<ds:X509Certificate>", b"<ds:X509Certificate>AAAA", "certificate.malformed"),
    ],
    ids=lambda part: (part.replace(NAME, b"NAME").decode() if isinstance(part, bytes) else part),
)  # fmt: skip
def test_changed_structure_is_refused_or_seen(old: bytes, new: bytes, code: str) -> None:
    assert outcome(SIGNED.replace(old, new, 1)) == code


def test_properties_of_another_signature_are_refused() -> None:
    """A reference of the properties' type that resolves elsewhere in the document."""
    foreign = b'<DecHead><p:SignedProperties xmlns:p="' + XADES.encode() + b'" Id="foreign"/>'
    document = resigned(
        lambda info: info.replace(b"#" + NAME + b"-properties", b"#foreign")
    ).replace(b"<DecHead>", foreign)

    assert outcome(document) == "xades.signed-properties"


def test_another_certificate_in_key_info_is_not_taken_for_the_signer() -> None:
    """The properties name the signer's certificate by its digest."""
    other = AUTHORITY.signer("other").certificate
    exchanged = SIGNED.replace(b64encode(SIGNER.certificate.der), b64encode(other.der))

    (evidence,) = xades.read(exchanged)

    assert evidence.signing_certificate == other
    assert evidence.certificate_reference is not None
    assert not evidence.certificate_reference.matches
    assert outcome(exchanged) == "value"


def test_comments_do_not_truncate_what_is_signed() -> None:
    """A comment in the document changes neither the canonical form nor what is covered."""
    commented = SIGNED.replace(b"<TradeMode>0110", b"<TradeMode>01<!-- -->10")

    assert outcome(commented) == "covered"


def test_many_signatures_are_refused() -> None:
    assert outcome(SIGNED.replace(SIGNATURE, SIGNATURE * 17)) == "xades.too-many"


def test_a_doubled_signature_is_refused() -> None:
    assert outcome(SIGNED.replace(SIGNATURE, SIGNATURE * 2)) == "xml.duplicate-id"


def test_a_nested_signature_is_not_mistaken_for_the_documents() -> None:
    nested = SIGNED.replace(
        b"</xades:SignedProperties></xades:QualifyingProperties>",
        b"</xades:SignedProperties><xades:UnsignedProperties><xades:UnsignedSignatureProperties>"
        b"<xades:CounterSignature><ds:Signature/></xades:CounterSignature>"
        b"</xades:UnsignedSignatureProperties></xades:UnsignedProperties>"
        b"</xades:QualifyingProperties>",
    )

    (evidence,) = xades.read(nested)

    assert evidence.observations == ("a counter-signature cannot be read (xades.structure)",)
    assert outcome(nested) == "covered"


def test_a_signature_that_is_the_document_is_refused() -> None:
    assert outcome(SIGNATURE).startswith(("xades.", "xml."))


def test_elements_with_chinese_names_are_canonicalised_wherever_they_stand() -> None:
    document = "<报关><表头 Id='h'><毛重>1</毛重></表头></报关>".encode()
    root = xml_security.parse(document)
    wanted = '<表头 Id="h"><毛重>1</毛重></表头>'.encode()
    assert xml_security.canonicalise(root[0]) == wanted
    assert xml_security.canonical_without_all(root, f"{{{DS}}}Signature").count(wanted) == 1
