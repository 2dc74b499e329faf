"""A bundle's completion: once for each value, however often it is asked for."""

from pathlib import Path

import pytest

from kernel.entropy import SystemEntropy
from kernel.refusals import Conflict, NotFound, TooMany, Unavailable, Unprocessable
from records.journal import Journal
from signing_service.bundle_signing import BundlePreparation, BundleSigning, PartReceipt
from signing_service.waiting import MAX_ATTEMPTS
from tests.signing_service.desk import DOCUMENT, Desk, at_once

AGENCIES = ("海关总署", "国家税务总局", "海事局")
PARTS = [
    (agency, DOCUMENT.replace(b"<GQty>40<", b"<GQty>%d<" % number))
    for number, agency in enumerate(AGENCIES, 40)
]


class Bundles:
    """The use case at a desk."""

    def __init__(self, desk: Desk) -> None:
        signing = desk.signing
        self.desk = desk
        self.use = BundleSigning(
            authorisation=signing.authorisation,
            waiting=signing.waiting,
            acceptance=signing.acceptance,
            archive=desk.archive,
            timestamper=desk.world.timestamper(),
            embedding=signing.embedding,
            database=desk.database,
            journal=Journal(desk.world.clock),
            clock=desk.world.clock,
            entropy=SystemEntropy(),
        )

    def prepare(self) -> tuple[BundlePreparation, bytes]:
        """And the card's value over it."""
        made = self.use.prepare(PARTS, self.desk.certificate, "card-1")
        return made, self.desk.key.sign(made.to_be_signed)


@pytest.fixture
def bundles(any_desk: Desk) -> Bundles:
    return Bundles(any_desk)


def told(receipt: PartReceipt) -> tuple[object, ...]:
    return receipt.id, receipt.recipient, receipt.proof, receipt.report.to_json()


def test_who_lost_the_answer_asks_again_and_gets_every_proof(bundles: Bundles) -> None:
    made, value = bundles.prepare()
    receipts = bundles.use.complete(made.id, value, "card-1")
    assert [each.recipient for each in receipts] == list(AGENCIES)

    for _ in range(MAX_ATTEMPTS + 1):
        again = bundles.use.complete(made.id, value, "card-1")
        assert list(map(told, again)) == list(map(told, receipts))

    assert bundles.desk.journalled("signature.accepted") == len(AGENCIES)
    assert bundles.desk.prepared() == 0


def test_another_card_or_another_value_gets_none_of_it(bundles: Bundles) -> None:
    made, value = bundles.prepare()
    bundles.use.complete(made.id, value, "card-1")

    with pytest.raises(NotFound, match=r"signature\.not-prepared"):
        bundles.use.complete(made.id, value, "card-2")
    other = bundles.desk.key.sign(made.to_be_signed)
    with pytest.raises(NotFound, match=r"signature\.not-prepared"):
        bundles.use.complete(made.id, other, "card-1")
    with pytest.raises(NotFound, match=r"signature\.not-prepared"):
        bundles.desk.signing.complete(made.id, value, "card-1")


def test_of_two_completions_with_one_value_at_once_both_get_the_proofs(bundles: Bundles) -> None:
    made, value = bundles.prepare()

    outcomes = at_once(2, lambda: bundles.use.complete(made.id, value, "card-1"))

    assert outcomes == ["done"] * 2
    assert bundles.desk.journalled("signature.accepted") == len(AGENCIES)


def test_an_attempt_that_found_no_archive_counts_as_none(bundles: Bundles, tmp_path: Path) -> None:
    made, value = bundles.prepare()
    archive = tmp_path / "archive"
    archive.mkdir(exist_ok=True)
    archive.rename(tmp_path / "aside")
    archive.write_bytes(b"no directory: nothing can be stored")
    for _ in range(MAX_ATTEMPTS + 1):
        with pytest.raises(Unavailable, match=r"archive\.unavailable"):
            bundles.use.complete(made.id, value, "card-1")
    archive.unlink()
    (tmp_path / "aside").rename(archive)

    receipts = bundles.use.complete(made.id, value, "card-1")
    assert all(each.report.passed for each in receipts)


def test_a_wrong_value_may_be_tried_three_times(bundles: Bundles) -> None:
    made, value = bundles.prepare()
    wrong = bundles.desk.key.sign(b"something else")

    for _ in range(MAX_ATTEMPTS):
        with pytest.raises(Unprocessable, match=r"signature\.mismatch"):
            bundles.use.complete(made.id, wrong, "card-1")
    with pytest.raises(TooMany, match=r"signature\.too-many-attempts"):
        bundles.use.complete(made.id, value, "card-1")


def test_what_is_no_bundle_is_not_completed_as_one(bundles: Bundles) -> None:
    made = bundles.desk.prepare()
    value = bundles.desk.key.sign(made.to_be_signed)

    with pytest.raises(Conflict, match=r"signature\.other-act"):
        bundles.use.complete(made.id, value, "card-1")
    bundles.desk.signing.complete(made.id, value, "card-1")
    with pytest.raises(NotFound, match=r"signature\.not-prepared"):
        bundles.use.complete(made.id, value, "card-1")
