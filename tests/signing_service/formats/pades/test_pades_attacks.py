"""PDF signatures under attack: shadows, gaps, wrapped updates, certified documents.

Each test makes a file whose signature value is genuine, and changes what surrounds it.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.refusals import Malformed, Refusal
from signing_service.formats.pades import whole as pades
from signing_service.formats.pades.pdf.document import PdfFile
from signing_service.formats.pades.reading import Reading
from signing_service.formats.pades.whole import Certification, Placement
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import SignatureEvidence
from tests.signing_service.formats.pades.pdf.samples import (
    EMPTY_SIGNATURE_FIELD,
    TEXT_FIELD,
    object_in,
    sample,
    stream,
    updated,
)
from tests.signing_service.formats.pades.pdf.strangers import signed_by_pyhanko
from tests.signing_service.formats.pades.test_pades import sound
from tests.software_keys import Identity, SoftwareAuthority

Sign = Callable[..., bytes]
FORGED = stream(b"BT /F1 24 Tf 72 700 Td (Pay 999999 yuan) Tj ET")
CATALOG, PAGE, CONTENT = 1, 4, 5


@pytest.fixture(scope="module")
def sign(signer: Identity, software_authority: SoftwareAuthority) -> Sign:
    def work(pdf: bytes, **options: Any) -> bytes:
        return pades.sign(pdf, signer.key, signer.certificate, software_authority.now, **options)

    return work


@pytest.fixture(scope="module")
def signed(sign: Sign) -> bytes:
    return sign(sample())


def changed(pdf: bytes) -> SignatureEvidence:
    """The first signature's evidence: genuine in itself, but not over this document."""
    evidence = pades.read(pdf)[0]
    assert all(reference.intact for reference in evidence.references)
    assert not evidence.covers_document
    assert evidence.observations
    return evidence


def test_the_files_that_are_attacked_are_sound(signed: bytes) -> None:
    assert sound(pades.read(signed)[0])


@pytest.mark.parametrize(
    "objects",
    [
        {CONTENT: FORGED},
        {2: b"<</Type /Pages /Kids [] /Count 0>>"},
        {2: b"<</Type /Pages /Kids [4 0 R 4 0 R] /Count 2>>"},
        {3: b"<</Type /Font /Subtype /Type1 /BaseFont /Symbol>>"},
        {900: FORGED},
        {PAGE: b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 900 0 R>>",
         900: FORGED},
        {PAGE: b"<</Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R"
               b" /Resources <</Font <</F1 3 0 R>>>> /Annots [7 0 R 900 0 R]>>",
         900: b"<</Type /Annot /Subtype /FreeText /Rect [0 0 595 842] /Contents (lies)>>"},
    ],
    ids=["content", "no pages", "pages", "font", "hidden", "page", "overlay"],
)  # fmt: skip
def test_an_update_that_changes_what_is_seen(signed: bytes, objects: dict[int, bytes]) -> None:
    changed(updated(signed, objects))


def test_the_catalog_gets_no_action(signed: bytes) -> None:
    catalog = object_in(signed, CATALOG)[:-2]

    changed(updated(signed, {CATALOG: catalog + b" /OpenAction <</S /JavaScript /JS (x)>>>>"}))
    changed(updated(signed, {CATALOG: catalog.replace(b"/Pages 2 0 R", b"/Pages 900 0 R") + b">>",
                             900: object_in(signed, 2)}))  # fmt: skip


def test_the_catalog_may_not_move(signed: bytes) -> None:
    catalog = object_in(signed, CATALOG)

    changed(updated(signed, {900: catalog}, root=900))


def test_a_rewritten_object_that_says_the_same_is_no_change(signed: bytes) -> None:
    same = updated(signed, {CONTENT: object_in(signed, CONTENT)})

    assert sound(pades.read(same)[0])


def test_an_object_that_the_signed_page_was_waiting_for(sign: Sign) -> None:
    """Hide and replace: a reference into nothing is signed, the object comes later."""
    prepared = sample().replace(b"/Contents 5 0 R ", b"/Contents [5 0 R 950 % so\n0 R] ")
    prepared = _with_new_table(prepared)
    pdf = sign(prepared)
    store = b"<</Certs [950 0 R]>>"
    catalog = object_in(pdf, CATALOG)[:-2] + b" /DSS 951 0 R>>"

    evidence = changed(updated(pdf, {950: FORGED, 951: store, CATALOG: catalog}))

    assert "waiting for" in " ".join(evidence.observations)


def test_an_old_state_is_not_brought_back(sign: Sign, signed: bytes) -> None:
    """An update that points back to what an earlier update replaced."""
    changed_first = updated(sample(), {CONTENT: FORGED})
    pdf = sign(changed_first)
    offset = pdf.index(b"\n5 0 obj") + 1
    previous = int(pdf.rsplit(b"startxref", 1)[1].split()[0])
    position = len(pdf)
    pdf += b"xref\n5 1\n%010d 00000 n\r\n" % offset
    pdf += b"trailer\n<</Size 9 /Root 1 0 R /Prev %d>>\nstartxref\n%d\n%%%%EOF\n" % (
        previous, position,
    )  # fmt: skip

    with pytest.raises(Malformed, match=r"pdf.revision"):
        pades.read(pdf)


def test_the_signed_revision_is_not_bypassed(signed: bytes) -> None:
    """The last update builds on the revision before the signature, and copies the signature."""
    original = int(sample().rsplit(b"startxref", 1)[1].split()[0])
    form = re.search(rb"/AcroForm .*?>>", object_in(signed, CATALOG))
    assert form is not None
    signature = len(_objects(sample())) + 1
    bypass = updated(
        signed,
        {
            CATALOG: object_in(signed, CATALOG),
            CONTENT: FORGED,
            signature: object_in(signed, signature),
            signature + 1: object_in(signed, signature + 1),
        },
    )
    latest = int(signed.rsplit(b"startxref", 1)[1].split()[0])
    bypass = bypass.replace(b"/Prev %d " % latest, b"/Prev %d " % original)

    with pytest.raises(Malformed, match=r"p(df|ades)\."):
        pades.read(bypass)


def test_a_signature_moved_into_an_update_does_not_hold(signed: bytes) -> None:
    number = len(_objects(sample())) + 1

    with pytest.raises(Malformed, match=r"pades.byte-range"):
        pades.read(updated(signed, {number: object_in(signed, number)}))


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda a, b, c, d: (a, b, c, d - 1),
        lambda a, b, c, d: (a, b, c, d + 1),
        lambda a, b, c, d: (a, b - 10, c, d),
        lambda a, b, c, d: (a, b, c + 10, d - 10),
        lambda a, b, c, d: (a + 9, b, c, d),
        lambda a, b, c, d: (a, b, b, d),
        lambda a, b, c, d: (a, b, c, 0),
        lambda a, b, c, d: (a, b, c, -1),
        lambda a, b, c, d: (a, b, 10**9, d),
    ],
)
def test_a_byte_range_with_gaps_or_overlaps(
    signed: bytes, rewrite: Callable[..., tuple[int, ...]]
) -> None:
    match = re.search(rb"/ByteRange \[([0-9 ]+)\]", signed)
    assert match is not None
    numbers = rewrite(*map(int, match[1].split()))
    written = b" ".join(b"%d" % number for number in numbers).ljust(len(match[1]))
    forged = signed[: match.start(1)] + written[: len(match[1])] + signed[match.end(1) :]

    assert len(forged) == len(signed)
    try:
        (evidence,) = pades.read(forged)
    except Malformed:
        return
    assert not sound(evidence)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"/ByteRange [0", b"/ByteRange (0"),
        (b"/Contents <", b"/Contents [<"),
        (b"/Contents <", b"/Contents (<"),
        (b"/SubFilter /ETSI.CAdES.detached", b"/SubFilter /adbe.x509.rsa_sha1 "),
    ],
)
def test_a_signature_dictionary_that_is_none(signed: bytes, old: bytes, new: bytes) -> None:
    with pytest.raises(Malformed, match=r"p(df|ades)\."):
        pades.read(signed.replace(old, new))


def test_nothing_hides_behind_the_value(signed: bytes) -> None:
    """What the byte range leaves out is the value alone: neither its padding nor its hole
    carries anything."""
    hole = re.search(rb"/Contents <([0-9a-f]+?)(0{64,})>", signed)
    assert hole is not None
    for at, octet in ((hole.end(2) - 2, b"1"), (hole.end(2) - 2, b" "), (hole.end(2) - 3, b">")):
        with pytest.raises(Malformed, match=r"p(df|ades)\."):
            pades.read(signed[:at] + octet + signed[at + 1 :])


def test_a_second_value_under_the_same_key(signed: bytes) -> None:
    dangling = signed.replace(b"/Type /Sig ", b"/Contents<00>", 1)

    with pytest.raises(Malformed):
        pades.read(dangling)


def test_octets_after_the_last_update(signed: bytes) -> None:
    assert sound(pades.read(signed + b"\r\n \n")[0])
    for tail in (b"%", b"%%EOF", b"9 0 obj <<>> endobj\n"):
        with pytest.raises(Malformed, match=r"pdf.malformed"):
            pades.read(signed + tail)


def test_a_removed_signature_shows_in_those_before_it(sign: Sign, signed: bytes) -> None:
    twice = sign(signed)
    catalog = object_in(signed, CATALOG)

    evidence = changed(updated(twice, {CATALOG: catalog}))

    assert len(pades.read(twice)) == 2
    assert evidence.observations


def test_the_security_store_hides_nothing(signed: bytes) -> None:
    """A store whose parts are other objects, or more than values."""
    catalog = object_in(signed, CATALOG)[:-2] + b" /DSS 900 0 R>>"
    for objects in (
        {900: b"<</Certs [5 0 R]>>", CONTENT: FORGED},
        {900: b"<</Certs [] /Evil 901 0 R>>", 901: FORGED},
        {900: b"<</Certs [901 0 R]>>", 901: stream(b"x", b"/Type /XObject /Subtype /Form")},
    ):
        changed(updated(signed, {CATALOG: catalog, **objects}))


def test_a_new_field_may_only_sign(signed: bytes) -> None:
    form = re.search(rb"/Fields \[(.*?)\]", object_in(signed, CATALOG))
    assert form is not None
    catalog = object_in(signed, CATALOG).replace(form[0], b"/Fields [" + form[1] + b" 900 0 R]")
    for field in (
        b"<</FT /Tx /T (new) /Rect [0 0 595 842] /V (lies)>>",
        b"<</FT /Sig /T (new) /Rect [0 0 595 842] /AP <</N 901 0 R>>>>",
        b"<</FT /Sig /T (new) /Rect [0 0 0 0] /AA <</E <</S /JavaScript /JS (x)>>>>>>",
    ):
        appearance = stream(b"0 0 595 842 re f", b"/Type /XObject /Subtype /Form /BBox [0 0 9 9]")
        changed(updated(signed, {CATALOG: catalog, 900: field, 901: appearance}))
    waiting = b"<</FT /Sig /T (new) /Rect [0 0 0 0]>>"
    assert sound(pades.read(updated(signed, {CATALOG: catalog, 900: waiting}))[0])


def test_a_field_filled_in_after_signing(sign: Sign) -> None:
    """Only where the certification allows it, and only the value."""
    form = sample(fields=(TEXT_FIELD, EMPTY_SIGNATURE_FIELD))
    plain = sign(form)
    certified = sign(form, placement=Placement(certification=Certification.FILLING_IN))
    final = sign(form, placement=Placement(certification=Certification.NO_CHANGES))

    def filled(pdf: bytes, old: bytes = b"(100)", new: bytes = b"(999999)") -> bytes:
        return updated(pdf, {6: object_in(pdf, 6).replace(old, new)})

    changed(filled(plain))
    changed(filled(final))
    evidence = pades.read(filled(certified))[0]
    assert sound(evidence)
    assert "amount was filled in later" in " ".join(evidence.observations)
    changed(filled(certified, b"[72 600 200 620]", b"[0 0 595 842]"))
    changed(filled(certified, b"/F 4", b"/F 2"))


def test_a_locked_field_stays_as_it_is(sign: Sign) -> None:
    lock = b" /Lock <</Type /SigFieldLock /Action /Include /Fields [(amount)]>>"
    form = sample(fields=(TEXT_FIELD, EMPTY_SIGNATURE_FIELD + lock))
    certified = sign(form, placement=Placement(certification=Certification.FILLING_IN))
    approved = sign(certified, placement=Placement(field="approval"))

    first, second = pades.read(
        updated(approved, {6: object_in(approved, 6).replace(b"(100)", b"(999999)")})
    )

    assert all(map(sound, pades.read(approved)))
    assert first.covers_document  # the certification allowed it
    assert not second.covers_document
    assert "the form field amount was locked" in second.observations


def test_a_visible_signature_on_a_certified_document(
    sign: Sign, signer: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sneaky signature attack: a new signature field that covers the content."""
    certified = sign(sample(), placement=Placement(certification=Certification.FILLING_IN))
    monkeypatch.setattr("signing_service.formats.pades.writing._check_permitted", lambda *_: None)
    seal = pades.Seal((0, 0, 595, 842), verification_url="https://attacker.example")

    evidence = changed(sign(certified, placement=Placement(seal=seal)))

    assert "a visible signature was put on a certified document" in evidence.observations


def test_the_certification_itself_is_bound(sign: Sign) -> None:
    certified = sign(sample(), placement=Placement(certification=Certification.NO_CHANGES))
    catalog = re.sub(rb"/Perms <<.*?>>", b"", object_in(certified, CATALOG))

    with pytest.raises(Malformed, match=r"pades.certification"):
        pades.read(updated(certified, {CATALOG: catalog}))


def test_a_strangers_signature_is_attacked_in_vain(signer: Identity) -> None:
    pdf = signed_by_pyhanko(sample(as_streams=True), signer)

    assert sound(pades.read(pdf)[0])
    with pytest.raises(Malformed):
        pades.read(pdf[:-1] + b"x")
    changed(updated(pdf, {CONTENT: FORGED}))


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_any_flipped_octet_is_noticed(
    stamped_twice: bytes, last_hole: tuple[int, int], place: float, mask: int
) -> None:
    """Any but those of the last value itself, which is covered by nothing yet."""
    start, end = last_hole
    at = int(place * (len(stamped_twice) - (end - start)))
    at += end - start if at >= start else 0
    forged = bytearray(stamped_twice)
    forged[at] ^= mask

    try:
        evidence = pades.read(bytes(forged))
    except Refusal:
        return
    assert len(evidence) < 2 or not all(map(sound, evidence))


@pytest.fixture(scope="module")
def stamped_twice(sign: Sign, timestamper: LocalTimestamper) -> bytes:
    return sign(sign(sample(), timestamper=timestamper), timestamper=timestamper)


@pytest.fixture(scope="module")
def last_hole(stamped_twice: bytes) -> tuple[int, int]:
    return Reading(PdfFile(stamped_twice)).signatures[-1].hole


def _objects(pdf: bytes) -> list[bytes]:
    return re.findall(rb"^\d+ 0 obj$", pdf, re.MULTILINE)


def _with_new_table(pdf: bytes) -> bytes:
    """The same objects after an edit, their offsets counted again."""
    body = pdf[: pdf.index(b"xref\n0 ")]
    offsets = [match.start() for match in re.finditer(rb"^\d+ 0 obj$", body, re.MULTILINE)]
    rows = b"".join(b"%010d 00000 n\r\n" % offset for offset in offsets)
    size = len(offsets) + 1
    return body + b"xref\n0 %d\n0000000000 65535 f\r\n%strailer\n<</Size %d /Root 1 0 R>>\n" % (
        size, rows, size,
    ) + b"startxref\n%d\n%%%%EOF\n" % len(body)  # fmt: skip
