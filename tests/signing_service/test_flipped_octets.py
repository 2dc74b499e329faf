"""For any document and format: what is signed passes, and any flipped bit of what is covered is
seen, at the lowest level and at the highest."""

import zipfile
from functools import lru_cache
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.algorithms import AlgorithmSuite
from kernel.refusals import Refusal
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import SignatureEvidence
from signing_service.validation.report import ValidationReport
from signing_service.verification import Verification
from tests.signing_service.covered_octets import (
    Files,
    Region,
    is_container,
    put_together,
    regions,
    taken_apart,
    whole,
)
from tests.signing_service.documents import DOCUMENTS
from tests.signing_service.packagings import KINDS, Kind
from tests.signing_service.test_every_format import Passing, example
from tests.signing_service.validation.scenery import START, YEAR, Card, World
from tests.software_keys import SIGNING_SUITES

_WORLD = World()
_VERIFICATION = _WORLD.verification()
_PLACES = st.integers(0, 2**32)


@lru_cache
def card_with(suite: AlgorithmSuite) -> Card:
    return _WORLD.issuing.card(suite=suite)


def comment_of(kind: Kind, signed: bytes) -> bytes:
    if not is_container(kind):
        return b""
    with zipfile.ZipFile(BytesIO(signed)) as container:
        return container.comment


def flipped(files: Files, region: Region, data: st.DataObject) -> Files:
    """With one bit of the region flipped. How long it is differs from run to run."""
    place, bit = data.draw(st.tuples(_PLACES, st.integers(0, 7)), label=region.what)
    changed = bytearray(files[region.file])
    changed[region.start + place % (region.end - region.start)] ^= 1 << bit
    return {**files, region.file: bytes(changed)}


def judged(
    kind: Kind, files: Files, comment: bytes, by: Verification = _VERIFICATION
) -> ValidationReport:
    return by.verify(*put_together(kind, files, comment))


@pytest.mark.parametrize("name", KINDS)
def test_what_is_signed_passes_and_any_flipped_bit_of_what_is_covered_does_not(name: str) -> None:
    kind = KINDS[name]

    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def flip(data: st.DataObject) -> None:
        card = card_with(data.draw(st.sampled_from(SIGNING_SUITES)))
        document = data.draw(DOCUMENTS[kind.takes])
        signed = kind.signed(document, card.key, card.certificate, START)
        files, comment = taken_apart(kind, document, signed), comment_of(kind, signed)
        report = judged(kind, files, comment)
        assert report.passed, report.finding

        for region in regions(kind, files):
            changed = flipped(files, region, data)
            # Two notations of one thing (&#xa; and &#xA;) are one thing that is signed.
            if region.meaning(changed[region.file]) != region.meaning(files[region.file]):
                assert not judged(kind, changed, comment).passed, region

    flip()


WHERE = {
    "CAdES detached": {"document", "signed attributes"},
    "CAdES enveloping": {"content", "signed attributes"},
    "XAdES enveloped": {"SignedInfo", "SignedProperties", "before", "behind"},
    "XAdES enveloping": {"SignedInfo", "SignedProperties", "object"},
    "XAdES internally detached": {"SignedInfo", "SignedProperties", "target"},
    "XAdES detached": {"document", "SignedInfo", "SignedProperties"},
    "PAdES": {"before the signature", "behind the signature"},
    "JAdES compact": {"protected header", "payload"},
    "JAdES flattened": {"protected header", "payload"},
    "JAdES general": {"protected header", "payload"},
    "JAdES detached": {"document", "protected header"},
    "ASiC-S with CAdES": {"mimetype", "document", "signed attributes"},
    "ASiC-S with XAdES": {"mimetype", "document", "SignedInfo", "SignedProperties"},
    "ASiC-E with CAdES": {
        "mimetype", "document", "META-INF/ASiCManifest001.xml", "signed attributes",
    },
    "ASiC-E with XAdES": {"mimetype", "document", "SignedInfo", "SignedProperties"},
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_every_region_that_is_covered_is_found(name: str) -> None:
    """So that no format passes because nothing of it was flipped."""
    kind, card = KINDS[name], _WORLD.card
    document = example(kind)
    signed = kind.signed(document, card.key, card.certificate, START)
    found = regions(kind, taken_apart(kind, document, signed))
    assert {each.what for each in found} == WHERE[name]


@pytest.mark.parametrize("name", KINDS)
def test_any_flipped_bit_of_an_archived_signature_is_seen_or_changes_nothing(name: str) -> None:
    """Wherever it is in the signed file, at a time when nothing but the archive timestamp proves
    anything any more."""
    kind, world = KINDS[name], Passing()
    document = example(kind)
    signed = world.raised(kind, document, "B-LTA")
    world.clock.advance(4 * YEAR)
    files, comment = taken_apart(kind, document, signed), comment_of(kind, signed)
    verification = world.verification()
    assert judged(kind, files, comment, verification).passed
    good = _said(kind, files, comment)

    @settings(max_examples=60, deadline=None)
    @given(data=st.data())
    def flip(data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(sorted(files)), label="file")
        changed = flipped(files, whole(file, files[file]), data)
        if judged(kind, changed, comment, verification).passed:
            assert _said(kind, changed, comment) == good

    flip()


def _said(kind: Kind, files: Files, comment: bytes) -> list[object]:
    """What a passed file says, but for what its last timestamp's token embeds beside its own
    signature, of which nothing that is told depends."""
    try:
        read = read_signatures(*put_together(kind, files, comment))
    except Refusal:
        return []
    return [_said_by(each) for each in read]


def _said_by(evidence: SignatureEvidence) -> object:
    *earlier, last = evidence.timestamps
    told = last.generated_at, last.imprint, last.covers, last.signature.signed_bytes
    return (
        evidence.signed_bytes, evidence.signature_value, evidence.references,
        evidence.signing_certificate, evidence.embedded_certificates, evidence.embedded_crls,
        evidence.covers_document, evidence.observations, earlier, told,
    )  # fmt: skip
