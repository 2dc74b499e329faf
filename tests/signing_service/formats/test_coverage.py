"""A holder's program signs only what covers the holder's own document, whatever it is handed."""

from dataclasses import replace

import pytest

from kernel.entropy import SystemEntropy
from signing_service.formats import bundle, making
from signing_service.formats.bundle import Part
from signing_service.formats.claims import PROOF_OF_APPROVAL, Claims, PolicyReference
from signing_service.formats.coverage import covers
from signing_service.formats.coverage_bundle import covers_bundle
from signing_service.formats.jades.whole import Serialisation
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.pades.pdf.syntax import Name
from signing_service.formats.pades.whole import Certification, Placement, Seal
from signing_service.formats.prepared import PreparedSignature
from signing_service.validation.evidence import Packaging, SignatureFormat
from tests.signing_service.formats.hostile import (
    LOCKED_PDF,
    LOCKS,
    UNLOCKED_PDF,
    WAYS,
    locking,
    slipping_in,
)
from tests.signing_service.formats.pades.pdf.samples import sample, stream, updated
from tests.signing_service.validation.scenery import START, World

WORLD = World()
SIGNER = WORLD.card
CADES, XADES, PADES, JADES = (
    SignatureFormat.CADES,
    SignatureFormat.XADES,
    SignatureFormat.PADES,
    SignatureFormat.JADES,
)
XML = b'<d Id="whole"><a Id="part">1</a></d>'
OTHER = b'<d Id="whole"><a Id="part">2</a></d>'
PDF = sample()
MANNERS = [
    Manner(CADES),
    Manner(CADES, packaging=Packaging.ENVELOPING),
    Manner(XADES),
    Manner(XADES, parallel_later=True),
    Manner(XADES, packaging=Packaging.ENVELOPING),
    Manner(XADES, packaging=Packaging.DETACHED),
    Manner(XADES, packaging=Packaging.INTERNALLY_DETACHED, target="part"),
    Manner(JADES),
    Manner(JADES, packaging=Packaging.DETACHED, serialisation=Serialisation.COMPACT),
    *(
        Manner(container, inner=inner)
        for container in (SignatureFormat.ASIC_S, SignatureFormat.ASIC_E)
        for inner in (CADES, XADES)
    ),
]


def named(manner: Manner) -> str:
    return f"{manner.format}-{manner.packaging or 'usual'}-{manner.inner}"


def made(manner: Manner, subject: Subject) -> PreparedSignature:
    return making.prepare(manner, subject, SIGNER.certificate, START)


def accepted(manner: Manner, subject: Subject, prepared: PreparedSignature, context: bytes) -> bool:
    return covers(
        manner, subject, prepared.to_be_signed, prepared.suite, SIGNER.certificate, context
    )


@pytest.mark.parametrize("manner", MANNERS, ids=named)
def test_the_own_document_is_signed_and_no_other(manner: Manner) -> None:
    own, other = Subject.of(XML), Subject.of(OTHER)
    for offered, expected in ((own, True), (other, False)):
        prepared = made(manner, offered)
        context = making.context_of(prepared, Act.FIRST, offered)
        assert accepted(manner, own, prepared, context) is expected
        assert not covers(
            manner, own, prepared.to_be_signed[:-1], prepared.suite, SIGNER.certificate, context
        )
        assert not covers(manner, own, b"", prepared.suite, SIGNER.certificate, context)


@pytest.mark.parametrize("manner", MANNERS, ids=named)
def test_one_more_signature_is_beside_or_upon_the_one_that_was_meant(manner: Manner) -> None:
    first = making.finish(
        Act.FIRST,
        prepared := made(manner, Subject.of(XML)),
        SIGNER.key.sign(prepared.to_be_signed),
        None,
    )
    holds = making.holds_documents(first)
    documents = {} if holds else Subject.of(XML).documents
    counter, subject = replace(manner, act=Act.COUNTER), Subject(documents, first)
    upon = made(counter, subject)
    context = making.context_of(upon, Act.COUNTER, subject)
    assert accepted(counter, subject, upon, context)
    assert not accepted(manner, Subject.of(XML), upon, context)
    # The service hands out a counter-signature upon another signature than the one asked for.
    another = making.finish(
        Act.FIRST,
        prepared := made(manner, Subject.of(OTHER)),
        SIGNER.key.sign(prepared.to_be_signed),
        None,
    )
    aside = Subject({} if holds else Subject.of(OTHER).documents, another)
    upon_another = made(counter, aside)
    context = making.context_of(upon_another, Act.COUNTER, aside)
    assert not accepted(counter, subject, upon_another, context)


CLAIMS = Claims(commitment=PROOF_OF_APPROVAL, roles=("申报员",))
UNWANTED = [
    CLAIMS,
    Claims(roles=("one more",)),
    Claims(policy=PolicyReference("1.2.3.4", "sha256", bytes(32))),
    Claims(mime_type="text/i-owe-you-a-million"),
]


@pytest.mark.parametrize("manner", [*MANNERS, Manner(PADES)], ids=named)
def test_what_the_signer_claims_is_what_they_wanted_to_claim(manner: Manner) -> None:
    subject = Subject.of(PDF if manner.format is PADES else XML)
    claiming = replace(manner, claims=CLAIMS)
    prepared = made(claiming, subject)
    context = making.context_of(prepared, Act.FIRST, subject)
    assert accepted(claiming, subject, prepared, context)
    for unwanted in UNWANTED:
        prepared = made(replace(manner, claims=unwanted), subject)
        context = making.context_of(prepared, Act.FIRST, subject)
        assert not accepted(manner, subject, prepared, context)
        assert unwanted is CLAIMS or not accepted(claiming, subject, prepared, context)
    # A claim that was wanted is not left out.
    prepared = made(manner, subject)
    context = making.context_of(prepared, Act.FIRST, subject)
    assert not accepted(claiming, subject, prepared, context)


@pytest.mark.parametrize("manner", MANNERS, ids=named)
def test_a_counter_signature_claims_what_was_wanted(manner: Manner) -> None:
    prepared = made(manner, Subject.of(XML))
    value = SIGNER.key.sign(prepared.to_be_signed)
    first = making.finish(Act.FIRST, prepared, value, None)
    documents = {} if making.holds_documents(first) else Subject.of(XML).documents
    subject, counter = Subject(documents, first), replace(manner, act=Act.COUNTER)
    claiming = replace(counter, claims=CLAIMS)
    upon = made(claiming, subject)
    context = making.context_of(upon, Act.COUNTER, subject)
    assert accepted(claiming, subject, upon, context)
    assert not accepted(counter, subject, upon, context)


@pytest.mark.parametrize(("format_", "way"), WAYS)
def test_nothing_is_slipped_in_beside_the_document(format_: SignatureFormat, way: str) -> None:
    manner = Manner(format_)
    subject = Subject.of(PDF if format_ is PADES else XML)
    with slipping_in(format_, way):
        prepared = made(manner, subject)
    context = making.context_of(prepared, Act.FIRST, subject)
    assert not accepted(manner, subject, prepared, context)


def test_properties_that_are_not_those_referred_to_are_not_believed() -> None:
    """The service shows honest properties beside a SignedInfo that refers to others."""
    manner, subject = Manner(XADES), Subject.of(XML)
    honest, claiming = made(manner, subject), made(replace(manner, claims=CLAIMS), subject)
    context = making.context_of(honest, Act.FIRST, subject)
    assert accepted(manner, subject, honest, context)
    assert not accepted(manner, subject, claiming, context)
    for nothing in (b"", b"<a/>", context[:-1]):
        assert not accepted(manner, subject, honest, nothing)


def test_a_signature_in_another_name_is_not_made() -> None:
    stranger = World().card.certificate
    for manner in (*MANNERS, Manner(PADES)):
        subject = Subject.of(PDF if manner.format is PADES else XML)
        prepared = making.prepare(manner, subject, stranger, START)
        context = making.context_of(prepared, Act.FIRST, subject)
        assert not accepted(manner, subject, prepared, context)


def test_an_update_of_a_pdf_that_only_signs_is_signed() -> None:
    seal = Seal((50, 50, 250, 150), lines=("盖章",))
    for placement in (Placement(), Placement(seal=seal, reason="申报")):
        manner, subject = Manner(PADES, placement=placement), Subject.of(PDF)
        prepared = made(manner, subject)
        context = making.context_of(prepared, Act.FIRST, subject)
        assert accepted(manner, subject, prepared, context)
        assert not accepted(manner, Subject.of(PDF + b"\n"), prepared, context)


def test_a_certification_is_made_where_it_was_asked_for() -> None:
    subject = Subject.of(PDF)
    plain = Manner(PADES)
    wishes = [Manner(PADES, placement=Placement(certification=each)) for each in Certification]
    for asked in (plain, *wishes):
        prepared = made(asked, subject)
        context = making.context_of(prepared, Act.FIRST, subject)
        for wanted in (plain, *wishes):
            assert accepted(wanted, subject, prepared, context) is (wanted == asked)


def test_a_pdf_says_nothing_that_was_not_asked_for() -> None:
    """Reason, place, contact and seal are under the signature, though not in its attributes."""
    place = (50.0, 50.0, 250.0, 150.0)
    placements = [
        Placement(), Placement(reason="申报"), Placement(reason="other"),
        Placement(location="宁波"), Placement(contact="0574"),
        Placement(seal=Seal(place, lines=("盖章",))),
        Placement(seal=Seal((60.0, 50.0, 260.0, 150.0), lines=("盖章",))),
    ]  # fmt: skip
    subject = Subject.of(PDF)
    for asked in placements:
        prepared = made(Manner(PADES, placement=asked), subject)
        context = making.context_of(prepared, Act.FIRST, subject)
        for wanted in placements:
            manner = Manner(PADES, placement=wanted)
            assert accepted(manner, subject, prepared, context) is (wanted == asked)
    last = Manner(PADES, placement=Placement(seal=Seal(place, page=-1, lines=("盖章",))))
    prepared = made(last, subject)
    assert accepted(last, subject, prepared, making.context_of(prepared, Act.FIRST, subject))


def in_field(
    pdf: bytes, field: str | None, wanted: str | None, certification: Certification | None = None
) -> bool:
    """Whether a signature in a field, or a new one, is accepted where a field was wanted."""
    subject = Subject.of(pdf)
    made_in, asked_for = (
        Manner(PADES, placement=Placement(each, certification=certification))
        for each in (field, wanted)
    )
    prepared = made(made_in, subject)
    context = making.context_of(prepared, Act.FIRST, subject)
    return accepted(asked_for, subject, prepared, context)


def test_a_signature_locks_what_the_document_says_of_its_field() -> None:
    for pdf in (LOCKED_PDF, UNLOCKED_PDF):
        for certification in (None, Certification.FILLING_IN):
            assert in_field(pdf, "approval", "approval", certification)
            assert in_field(pdf, None, None, certification)


@pytest.mark.parametrize("way", LOCKS)
def test_a_signature_locks_nothing_else(way: str) -> None:
    pdf, field, parameters = LOCKS[way]
    with locking(parameters):
        assert not in_field(pdf, field, field)


def test_a_lock_that_comes_with_its_field_is_not_signed() -> None:
    with locking({"Action": Name("All")}, in_the_field=True):
        assert not in_field(PDF, None, None)


def test_a_signature_is_in_the_field_that_was_wanted() -> None:
    assert not in_field(LOCKED_PDF, "approval", None)
    assert not in_field(LOCKED_PDF, None, "approval")


def test_an_update_that_changes_a_page_is_not_signed() -> None:
    """The service prepares a signature over a PDF whose page it changed first."""
    changed = updated(PDF, {5: stream(b"BT /F1 24 Tf 72 700 Td (Other words) Tj ET")})
    assert changed.startswith(PDF)
    manner, own = Manner(PADES), Subject.of(PDF)
    prepared = made(manner, Subject.of(changed))
    context = prepared.body[:8] + prepared.body[8 + len(PDF) :]
    assert not accepted(manner, own, prepared, context)


def test_a_hole_that_hides_a_part_of_the_document_is_not_signed() -> None:
    manner, subject = Manner(PADES), Subject.of(PDF)
    prepared = made(manner, subject)
    context = making.context_of(prepared, Act.FIRST, subject)
    for hole in ((10, 20), (len(PDF) - 4, len(PDF) + 9), (0, 0), (2**31, 2**32 - 1)):
        moved = b"".join(each.to_bytes(4, "big") for each in hole) + context[8:]
        assert not accepted(manner, subject, prepared, moved)


def test_a_bundle_is_signed_only_with_the_own_parts_at_their_places() -> None:
    own = [Part("customs", XML), Part("tax", OTHER)]
    build = bundle.build(own, SystemEntropy())
    proofs = [each.to_bytes() for each in build.proofs]
    prepared = bundle.prepare(build, SIGNER.certificate, START)
    value, suite = prepared.to_be_signed, prepared.suite
    assert covers_bundle(own, proofs, value, suite, SIGNER.certificate)
    assert not covers_bundle(own[:1], proofs, value, suite, SIGNER.certificate)
    assert not covers_bundle(own[:1], proofs[:1], value, suite, SIGNER.certificate)
    assert not covers_bundle(own[::-1], proofs, value, suite, SIGNER.certificate)
    assert not covers_bundle(own[::-1], proofs[::-1], value, suite, SIGNER.certificate)
    assert not covers_bundle([Part("tax", XML), own[1]], proofs, value, suite, SIGNER.certificate)
    with_another = bundle.build([*own, Part("police", b"<x/>")], SystemEntropy())
    smuggled = bundle.prepare(with_another, SIGNER.certificate, START).to_be_signed
    three = [each.to_bytes() for each in with_another.proofs]
    assert not covers_bundle(own, three[:2], smuggled, suite, SIGNER.certificate)
    assert not covers_bundle(own, three, smuggled, suite, SIGNER.certificate)
