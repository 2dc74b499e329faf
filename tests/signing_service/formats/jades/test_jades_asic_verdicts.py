"""JAdES and containers before the verdict engine: judged, and still good when certificates are
not."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from kernel.asn1.certificate import Certificate
from signing_service.formats.asic import whole as asic
from signing_service.formats.asic.whole import ContainerType
from signing_service.formats.asic.zip_file import read_zip, write_zip
from signing_service.formats.catalogue import levels_of
from signing_service.formats.jades import whole as jades
from signing_service.formats.recognition import read_signatures
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.validation.evidence import SignatureEvidence, SignatureFormat
from signing_service.validation.indications import Indication, SubIndication
from signing_service.validation.report import ValidationReport
from tests.signing_service.validation.scenery import DAY, YEAR, World
from tests.signing_service.validation.test_long_term import LongTerm

DOCUMENT = b"<declaration>100</declaration>"
SIMPLE = (ContainerType.ASIC_S, SignatureFormat.ASIC_S)
EXTENDED = (ContainerType.ASIC_E, SignatureFormat.ASIC_E)
KINDS = {
    "JAdES": None,
    "ASiC-S with CAdES": (*SIMPLE, SignatureFormat.CADES),
    "ASiC-S with XAdES": (*SIMPLE, SignatureFormat.XADES),
    "ASiC-E with CAdES": (*EXTENDED, SignatureFormat.CADES),
    "ASiC-E with XAdES": (*EXTENDED, SignatureFormat.XADES),
}


def signed(world: World, kind: str, document: bytes = DOCUMENT) -> bytes:
    card, chain, now = world.card, (world.issuing.certificate,), world.clock.now()
    made = KINDS[kind]
    if made is None:
        return jades.sign(
            document, card.key, card.certificate, now, chain=chain,
            timestamper=world.timestamper(),
        )  # fmt: skip
    return asic.sign(
        {"declaration.xml": document}, card.key, card.certificate, now, container=made[0],
        inner=made[2], chain=chain, timestamper=world.timestamper(),
    )  # fmt: skip


def format_of(kind: str) -> SignatureFormat:
    made = KINDS[kind]
    return SignatureFormat.JADES if made is None else made[1]


def read(data: bytes, known: Sequence[Certificate] = ()) -> SignatureEvidence:
    (evidence,) = read_signatures(data, None, known=known)
    return evidence


def verified(world: World, data: bytes, document: bytes | None = None) -> ValidationReport:
    if document is not None:
        return world.verification().verify(document, data)
    return world.verification().verify(data)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_signed_passes(kind: str) -> None:
    world = World()
    report = verified(world, signed(world, kind))
    assert report.passed
    assert [each.level for each in report.signatures] == ["B-T"]


@pytest.mark.parametrize("kind", [each for each in KINDS if each != "JAdES"])
def test_a_changed_or_smuggled_data_object_does_not(kind: str) -> None:
    world = World()
    archive = read_zip(signed(world, kind))
    changed = {**archive.entries, "declaration.xml": DOCUMENT.replace(b"1", b"9")}
    smuggled = {**archive.entries, "more.xml": DOCUMENT}
    with_changed, with_smuggled = (
        write_zip(entries, stored=["mimetype"], comment=archive.comment)
        for entries in (changed, smuggled)
    )
    assert verified(world, with_changed).indication is Indication.TOTAL_FAILED
    assert not verified(world, with_smuggled).passed


def test_a_document_beside_a_jws_is_the_one_in_it() -> None:
    world = World()
    data = signed(world, "JAdES")
    assert verified(world, data, DOCUMENT).passed
    other = verified(world, data, b"<declaration>900</declaration>")
    assert other.indication is Indication.TOTAL_FAILED


def test_a_jws_of_a_stranger_is_no_ades() -> None:
    world, stranger = World(), World()
    assert not verified(world, signed(stranger, "JAdES")).passed


@pytest.mark.parametrize("data", [b'{"payload":""}', b"eyJhbGciOiJub25lIn0.YQ.YQ", b"PK\x03\x04"])
def test_what_cannot_be_read_is_a_format_failure(data: bytes) -> None:
    report = verified(World(), data)
    assert report.sub_indication is SubIndication.FORMAT_FAILURE


class Archive(LongTerm):
    """A signature of a stranger's world, raised as time goes by."""

    def at_level(self, kind: str, level: str) -> bytes:
        data, levels = signed(self, kind), levels_of(format_of(kind))
        self.clock.advance(DAY)
        if level >= "B-LT":
            data = levels.add_validation_material(data, self.material())
        if level == "B-LTA":
            data = levels.add_archive_timestamp(data, self.timestamper())
        return data

    def material(self) -> ValidationMaterial:
        authorities = (self.issuing, self.stamping)
        return ValidationMaterial(
            certificates=tuple(each.certificate.der for each in authorities), crls=self.lists()
        )

    def indication(self, data: bytes, after: timedelta) -> Indication:
        known = (self.issuing.certificate, self.stamping.certificate)
        return self.judge(read(data, known), after).conclusion.indication


@pytest.mark.parametrize(
    ("level", "after", "passes"),
    [
        ("B-T", timedelta(), True),
        ("B-T", 4 * YEAR, False),  # nobody says any more whether the card had been revoked
        ("B-LT", 2 * YEAR + DAY, True),
        ("B-LTA", 4 * YEAR, True),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_travel_in_time(kind: str, level: str, after: timedelta, passes: bool) -> None:
    archive = Archive()
    data = archive.at_level(kind, level)
    assert (archive.indication(data, after) is Indication.TOTAL_PASSED) is passes


@pytest.mark.parametrize("kind", KINDS)
def test_a_renewal_by_another_authority_outlives_the_first_one(kind: str) -> None:
    archive, levels = Archive(), levels_of(format_of(kind))
    data = archive.at_level(kind, "B-LTA")
    archive.clock.advance(4 * YEAR)
    data = levels.add_validation_material(data, ValidationMaterial(crls=archive.lists()[::2]))
    data = levels.add_archive_timestamp(data, archive.timestamper(archive.later_tsa))
    assert archive.indication(data, 3 * YEAR) is Indication.TOTAL_PASSED


@pytest.mark.parametrize("kind", KINDS)
def test_a_revocation_before_the_proven_time_counts_and_after_it_does_not(kind: str) -> None:
    before, after = World(), World()
    before.revoke(before.card)
    before.clock.advance(DAY)
    late, early = signed(before, kind), signed(after, kind)
    after.clock.advance(DAY)
    after.revoke(after.card)
    assert not verified(before, late).passed
    assert verified(after, early).passed
