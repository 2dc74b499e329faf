"""PDFs before the verdict engine: recognised, judged, and still good when certificates are not."""

import time
from datetime import timedelta

import pytest

from signing_service.formats.pades import whole as pades
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.validation.engine import SignatureValidation
from signing_service.validation.indications import Indication, SubIndication
from signing_service.validation.report import ValidationReport
from tests.signing_service.formats.pades.pdf.samples import sample, updated
from tests.signing_service.formats.pades.test_pades_attacks import CONTENT, FORGED
from tests.signing_service.validation.scenery import DAY, YEAR, World
from tests.signing_service.validation.test_long_term import LongTerm


@pytest.fixture
def world() -> World:
    return World()


def signed(world: World, pdf: bytes | None = None) -> bytes:
    card = world.card
    return pades.sign(
        pdf or sample(), card.key, card.certificate, world.clock.now(),
        chain=(world.issuing.certificate,), timestamper=world.timestamper(),
    )  # fmt: skip


def verified(world: World, pdf: bytes) -> ValidationReport:
    return world.verification().verify(pdf)


def test_a_signed_pdf_passes(world: World) -> None:
    report = verified(world, signed(world, signed(world)))

    assert report.passed
    assert [each.format for each in report.signatures] == ["PAdES", "PAdES"]


def test_a_changed_pdf_does_not(world: World) -> None:
    genuine = signed(world)

    shadowed = verified(world, updated(genuine, {CONTENT: FORGED}))
    overwritten = verified(world, genuine.replace(b"Pay 100 ", b"Pay 900 "))

    assert shadowed.indication is not Indication.TOTAL_PASSED
    assert overwritten.indication is Indication.TOTAL_FAILED
    assert overwritten.sub_indication is SubIndication.HASH_FAILURE


def test_a_pdf_that_cannot_be_read_or_has_no_signature_is_no_passed_one(world: World) -> None:
    for pdf in (sample(), b"%PDF-1.7", signed(world)[:-9]):
        report = verified(world, pdf)
        assert report.sub_indication is SubIndication.FORMAT_FAILURE
    beside = world.verification().verify(sample(), signed(world))
    assert beside.sub_indication is SubIndication.FORMAT_FAILURE


class Archive(LongTerm):
    """A signature of a stranger's world, raised to B-LTA as time goes by."""

    def at_level(self, level: str) -> bytes:
        pdf = signed(self)
        self.clock.advance(DAY)
        if level >= "B-LT":
            pdf = pades.add_validation_material(pdf, self.material())
        if level == "B-LTA":
            pdf = pades.add_archive_timestamp(pdf, self.timestamper())
        return pdf

    def material(self) -> ValidationMaterial:
        authorities = (self.issuing, self.stamping)
        return ValidationMaterial(
            certificates=tuple(each.certificate.der for each in authorities), crls=self.lists()
        )

    def verdict(self, pdf: bytes, after: timedelta) -> SignatureValidation:
        (evidence,) = pades.read(pdf, known=(self.issuing.certificate, self.stamping.certificate))
        return self.judge(evidence, after)


@pytest.mark.parametrize(
    ("level", "after", "passes"),
    [
        ("B-T", timedelta(), True),
        ("B-T", 4 * YEAR, False),  # nobody says any more whether the card had been revoked
        ("B-LT", 2 * YEAR + DAY, True),
        ("B-LTA", 4 * YEAR, True),
    ],
)
def test_travel_in_time(level: str, after: timedelta, passes: bool) -> None:
    archive = Archive()
    pdf = archive.at_level(level)

    validation = archive.verdict(pdf, after)

    assert (validation.conclusion.indication is Indication.TOTAL_PASSED) is passes


def test_a_renewal_by_another_authority_outlives_the_first_one() -> None:
    archive = Archive()
    pdf = archive.at_level("B-LTA")
    archive.clock.advance(4 * YEAR)
    pdf = pades.add_validation_material(pdf, ValidationMaterial(crls=archive.lists()[::2]))
    pdf = pades.add_archive_timestamp(pdf, archive.timestamper(archive.later_tsa))

    assert archive.verdict(pdf, 3 * YEAR).conclusion.indication is Indication.TOTAL_PASSED


def test_a_revocation_before_the_proven_time_counts_and_after_it_does_not(world: World) -> None:
    before, after = World(), World()
    before.revoke(before.card)
    before.clock.advance(DAY)
    late = signed(before)
    early = signed(after)
    after.clock.advance(DAY)
    after.revoke(after.card)

    assert not verified(before, late).passed
    assert verified(after, early).passed


def test_twenty_pages_with_three_signatures_are_read_at_once(world: World) -> None:
    """100 ms are asked for; the best of some runs, because machines have other things to do."""
    pdf = sample(20)
    for _ in range(3):
        pdf = signed(world, pdf)
    verification = world.verification()
    assert verification.verify(pdf).passed

    def once() -> float:
        started = time.perf_counter()
        verification.verify(pdf)
        return time.perf_counter() - started

    assert min(once() for _ in range(20)) < 0.1
