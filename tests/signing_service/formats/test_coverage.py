"""A holder's program signs only what covers the holder's own document, whatever it is handed."""

from dataclasses import replace

import pytest

from kernel.entropy import SystemEntropy
from signing_service.formats import bundle, making
from signing_service.formats.bundle import Part
from signing_service.formats.coverage import covers, covers_bundle
from signing_service.formats.jades import Serialisation
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.pades import Placement, Seal
from signing_service.formats.prepared import PreparedSignature
from signing_service.validation.evidence import Packaging, SignatureFormat
from tests.signing_service.formats.pdf.samples import sample, stream, updated
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
    return covers(manner, subject, prepared.to_be_signed, prepared.suite, context)


@pytest.mark.parametrize("manner", MANNERS, ids=named)
def test_the_own_document_is_signed_and_no_other(manner: Manner) -> None:
    own, other = Subject.of(XML), Subject.of(OTHER)
    for offered, expected in ((own, True), (other, False)):
        prepared = made(manner, offered)
        context = making.context_of(prepared, Act.FIRST, offered)
        assert accepted(manner, own, prepared, context) is expected
        assert not covers(manner, own, prepared.to_be_signed[:-1], prepared.suite, context)
        assert not covers(manner, own, b"", prepared.suite, context)


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
    assert accepted(counter, subject, upon, b"")
    assert not accepted(manner, Subject.of(XML), upon, b"")
    # The service hands out a counter-signature upon another signature than the one asked for.
    another = making.finish(
        Act.FIRST,
        prepared := made(manner, Subject.of(OTHER)),
        SIGNER.key.sign(prepared.to_be_signed),
        None,
    )
    aside = Subject({} if holds else Subject.of(OTHER).documents, another)
    assert not accepted(counter, subject, made(counter, aside), b"")


def test_an_update_of_a_pdf_that_only_signs_is_signed() -> None:
    seal = Seal((50, 50, 250, 150), lines=("盖章",))
    for placement in (Placement(), Placement(seal=seal, reason="申报")):
        manner, subject = Manner(PADES, placement=placement), Subject.of(PDF)
        prepared = made(manner, subject)
        context = making.context_of(prepared, Act.FIRST, subject)
        assert accepted(manner, subject, prepared, context)
        assert not accepted(manner, Subject.of(PDF + b"\n"), prepared, context)


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
    assert covers_bundle(own, proofs, value, suite)
    assert not covers_bundle(own[:1], proofs, value, suite)
    assert not covers_bundle(own[:1], proofs[:1], value, suite)
    assert not covers_bundle(own[::-1], proofs, value, suite)
    assert not covers_bundle(own[::-1], proofs[::-1], value, suite)
    assert not covers_bundle([Part("tax", XML), own[1]], proofs, value, suite)
    with_another = bundle.build([*own, Part("police", b"<x/>")], SystemEntropy())
    smuggled = bundle.prepare(with_another, SIGNER.certificate, START).to_be_signed
    three = [each.to_bytes() for each in with_another.proofs]
    assert not covers_bundle(own, three[:2], smuggled, suite)
    assert not covers_bundle(own, three, smuggled, suite)
