"""Long-term and archival data (EN 319 102-1, 5.6): travel in time past every certificate's end."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from kernel.algorithms import RSA_PKCS1_SHA256
from signing_service.validation.engine import SignatureValidation
from signing_service.validation.evidence import (
    SignatureEvidence,
    SignatureLevel,
    TimestampKind,
)
from signing_service.validation.indications import Step, SubIndication
from signing_service.validation.poe import sha256
from tests.signing_service.validation.scenery import DAY, START, YEAR, Ca, Card, World, sign, stamp
from tests.signing_service.validation.test_engine import verdict
from tests.signing_service.validation.test_revocation import a_crl

KEPT = timedelta(days=20)
"""Longer than a status answer is fresh."""


class LongTerm(World):
    """Stranger's authorities of short lives, whose status is told by lists alone."""

    def __init__(self) -> None:
        super().__init__()
        self.book.issuers = set()
        self.issuing = self.root.sub("Issuing CA", start=START - DAY, years=3)
        self.card = self.issuing.card(end=START + 2 * YEAR)
        self.stamping = self.root.sub("Stamping CA", start=START - DAY, years=15)
        self.tsa = self.stamping.tsa(end=START + 5 * YEAR)
        self.later_tsa = self.stamping.tsa("TSA 2", end=START + 12 * YEAR)

    def lists(self, *revoked: Card | Ca) -> tuple[bytes, ...]:
        """Today's list of each authority."""
        serials = tuple(one.certificate.serial for one in revoked)
        now = self.clock.now()
        return tuple(a_crl(ca, serials, now) for ca in (self.root, self.issuing, self.stamping))

    def with_data(self, evidence: SignatureEvidence) -> SignatureEvidence:
        """B-LT: certificates and today's lists."""
        return evidence._replace(
            embedded_certificates=(self.issuing.certificate, self.stamping.certificate),
            embedded_crls=(*evidence.embedded_crls, *self.lists()),
        )

    def archived(
        self, evidence: SignatureEvidence, tsa: Card, kind: TimestampKind = TimestampKind.ARCHIVE
    ) -> SignatureEvidence:
        """B-LTA: a timestamp over everything in the signature, now."""
        token = stamp(tsa, b"all", self.clock.now(), kind, covers=covered(evidence))
        token = token._replace(token=b"token %d" % len(evidence.timestamps))
        return evidence._replace(timestamps=(*evidence.timestamps, token))

    def judge(
        self, evidence: SignatureEvidence, after: timedelta = timedelta()
    ) -> SignatureValidation:
        """With today's lists of those authorities that are still alive beside it."""
        self.clock.advance(after)
        now = self.clock.now()
        alive = [
            a_crl(ca, this_update=now)
            for ca in (self.root, self.issuing, self.stamping)
            if ca.certificate.not_after > now
        ]
        crls = (*evidence.embedded_crls, *alive)
        return self.engine().validate(evidence._replace(embedded_crls=crls), now)


def covered(evidence: SignatureEvidence) -> frozenset[bytes]:
    things = [evidence.signature_value, *evidence.embedded_crls]
    things += [certificate.der for certificate in evidence.embedded_certificates]
    things += [timestamp.token for timestamp in evidence.timestamps]
    assert evidence.signing_certificate is not None
    return frozenset(map(sha256, [*things, evidence.signing_certificate.der]))


@pytest.fixture
def world() -> LongTerm:
    return LongTerm()


@pytest.fixture
def lt(world: LongTerm) -> SignatureEvidence:
    return world.with_data(world.stamped())


@pytest.fixture
def lta(world: LongTerm, lt: SignatureEvidence) -> SignatureEvidence:
    world.clock.advance(DAY)
    return world.archived(lt, world.tsa)


# -- beyond the end of certificates ----------------------------------------------------------------


def test_a_timestamped_signature_outlives_the_signers_certificate(
    world: LongTerm, lt: SignatureEvidence
) -> None:
    assert lt.level is SignatureLevel.B_LT
    assert verdict(world.judge(lt, 2 * YEAR + DAY)) == "TOTAL-PASSED"


def test_long_term_data_outlives_the_authority_when_an_archive_proves_it(
    world: LongTerm, lt: SignatureEvidence, lta: SignatureEvidence
) -> None:
    assert lta.level is SignatureLevel.B_LTA
    validation = world.judge(lta, 4 * YEAR)
    assert verdict(validation) == "TOTAL-PASSED"
    assert validation.conclusion.step is Step.PAST_SIGNATURE
    assert validation.past is not None
    assert validation.best_signature_time.at == START
    # Without the archive timestamp the lists could have been forged with the dead key since.
    unproven = world.judge(lt)
    assert verdict(unproven) == "INDETERMINATE/OUT_OF_BOUNDS_NO_POE"
    assert unproven.past is not None
    assert unproven.past.conclusion.sub_indication is SubIndication.NO_POE


def test_long_term_data_outlives_the_authority_whose_records_are_ours(
    world: LongTerm, lt: SignatureEvidence
) -> None:
    world.book.issuers = {world.issuing.certificate.fingerprint}
    assert verdict(world.judge(lt, 4 * YEAR)) == "TOTAL-PASSED"


def test_an_archived_signature_outlives_its_first_timestamp_authority(
    world: LongTerm, lta: SignatureEvidence
) -> None:
    world.clock.advance(4 * YEAR)
    renewed = world.archived(
        lta._replace(embedded_crls=(*lta.embedded_crls, *world.lists()[::2])), world.later_tsa
    )
    after = world.judge(renewed, 3 * YEAR)
    assert world.clock.now() > world.tsa.certificate.not_after
    assert verdict(after) == "TOTAL-PASSED"
    assert [outcome.conclusion.passed for outcome in after.timestamps] == [True] * 3
    assert after.best_signature_time.at == START


def test_without_renewal_the_archive_ends_with_its_timestamp_authority(
    world: LongTerm, lta: SignatureEvidence
) -> None:
    after = world.judge(lta, 6 * YEAR)
    assert verdict(after) == "INDETERMINATE/OUT_OF_BOUNDS_NO_POE"
    assert not after.time_is_proven


def test_a_renewal_that_came_too_late_proves_nothing(
    world: LongTerm, lta: SignatureEvidence
) -> None:
    world.clock.advance(6 * YEAR)  # the first timestamp authority's certificate has ended
    late = world.archived(lta, world.later_tsa)
    assert verdict(world.judge(late, DAY)) == "INDETERMINATE/OUT_OF_BOUNDS_NO_POE"


def test_an_archive_timestamp_that_leaves_out_the_lists_does_not_prove_them(
    world: LongTerm, lt: SignatureEvidence
) -> None:
    world.clock.advance(DAY)
    forgetful = world.archived(lt._replace(embedded_crls=()), world.tsa)
    forgetful = forgetful._replace(embedded_crls=lt.embedded_crls)
    assert verdict(world.judge(forgetful, 4 * YEAR)) == "INDETERMINATE/OUT_OF_BOUNDS_NO_POE"


def test_an_evidence_record_proves_all_that_lies_in_the_signature_file(
    world: LongTerm, lt: SignatureEvidence
) -> None:
    world.clock.advance(DAY)
    record = stamp(world.tsa, b"root of a hash tree", world.clock.now(),
                   TimestampKind.EVIDENCE_RECORD)  # fmt: skip
    world.clock.advance(4 * YEAR)
    alive = world.engine()
    crls = tuple(a_crl(ca, this_update=world.clock.now()) for ca in (world.root, world.stamping))
    evidence = lt._replace(embedded_crls=(*lt.embedded_crls, *crls))
    # The lists of today were not there when the record was made; they prove nothing but today.
    without = alive.validate(evidence, world.clock.now())
    assert not without.conclusion.passed
    assert verdict(alive.validate(evidence, world.clock.now(), (record,))) == "TOTAL-PASSED"


# -- revocation before and after the proven time ---------------------------------------------------


def with_revocation(
    world: LongTerm, evidence: SignatureEvidence, revoked: Sequence[Card | Ca], at: datetime
) -> SignatureEvidence:
    lists = tuple(
        a_crl(
            ca,
            tuple(
                one.certificate.serial
                for one in revoked
                if one.certificate.issuer_der == ca.certificate.subject_der
            ),
            world.clock.now(),
            revoked_at=at,
        )
        for ca in (world.root, world.issuing, world.stamping)
    )
    return evidence._replace(embedded_crls=(*evidence.embedded_crls, *lists))


@pytest.mark.parametrize(("days", "passes"), [(-1, False), (0, False), (1, True)])
def test_a_revoked_card_counts_from_its_revocation(
    world: LongTerm, lt: SignatureEvidence, days: int, passes: bool
) -> None:
    world.clock.advance(3 * DAY)
    evidence = with_revocation(world, lt, [world.card], START + days * DAY)
    validation = world.engine().validate(evidence, world.clock.now())
    assert verdict(validation) == ("TOTAL-PASSED" if passes else "INDETERMINATE/REVOKED_NO_POE")


def test_a_revoked_authority_takes_nothing_from_what_was_proven_before(
    world: LongTerm, lt: SignatureEvidence
) -> None:
    world.clock.advance(DAY)
    lta = world.archived(lt, world.tsa)
    world.clock.advance(DAY)
    revoked_at = world.clock.now()
    world.clock.advance(DAY)
    plain = with_revocation(world, lt, [world.issuing], revoked_at)
    archived = with_revocation(world, lta, [world.issuing], revoked_at)
    now = world.clock.now()
    assert verdict(world.engine().validate(archived, now)) == "TOTAL-PASSED"
    # The signature is proven, but what was said of the card rests on a key that was lost.
    unproven = world.engine().validate(plain, now)
    assert verdict(unproven) == "INDETERMINATE/REVOKED_CA_NO_POE"
    assert unproven.time_is_proven


def test_what_a_revoked_authority_signs_afterwards_counts_for_nothing(world: LongTerm) -> None:
    world.clock.advance(DAY)
    revoked_at = world.clock.now()
    world.clock.advance(DAY)
    late = world.archived(world.with_data(world.stamped()), world.tsa)
    world.clock.advance(DAY)
    evidence = with_revocation(world, late, [world.issuing], revoked_at)
    validation = world.engine().validate(evidence, world.clock.now())
    assert verdict(validation) == "INDETERMINATE/REVOKED_CA_NO_POE"


def test_a_revoked_timestamp_authority_is_saved_by_a_later_one(
    world: LongTerm, lt: SignatureEvidence
) -> None:
    world.clock.advance(DAY)
    archived = world.archived(lt, world.later_tsa)
    world.clock.advance(DAY)
    evidence = with_revocation(world, archived, [world.tsa, world.card], world.clock.now())
    validation = world.engine().validate(evidence, world.clock.now() + DAY)
    assert verdict(validation) == "TOTAL-PASSED"
    assert validation.best_signature_time.at == START
    alone = with_revocation(world, lt, [world.tsa, world.card], world.clock.now())
    refused = world.engine().validate(alone, world.clock.now() + DAY)
    assert verdict(refused) == "INDETERMINATE/REVOKED_NO_POE"


# -- algorithms that break later -------------------------------------------------------------------


def test_an_algorithm_that_ends_is_answered_by_the_archive(world: LongTerm) -> None:
    card = world.issuing.card(suite=RSA_PKCS1_SHA256)
    evidence = world.with_data(world.stamped(world.signed(card)))
    world.clock.advance(DAY)
    archived = world.archived(evidence, world.later_tsa)
    strict = world.policy.model_copy(
        update={
            "algorithms": tuple(
                entry.model_copy(update={"until": (START + 30 * DAY).date()})
                if entry.suite == RSA_PKCS1_SHA256.name
                else entry
                for entry in world.policy.algorithms
            )
        }
    )
    assert strict.suites_until[RSA_PKCS1_SHA256.name] == (START + 30 * DAY).date()
    world.policy = strict
    assert verdict(world.judge(archived, 100 * DAY)) == "TOTAL-PASSED"
    unproven = archived._replace(timestamps=())
    sub = "INDETERMINATE/CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    assert verdict(world.judge(unproven)) == sub


def test_a_timestamps_digest_that_ends_is_answered_by_a_later_timestamp(
    world: LongTerm, lt: SignatureEvidence
) -> None:
    weak = lt.timestamps[0]._replace(imprint=lt.timestamps[0].imprint._replace(digest="sha384"))
    evidence = lt._replace(timestamps=(weak,))
    world.clock.advance(DAY)
    archived = world.archived(evidence, world.later_tsa)
    digests = tuple(
        entry.model_copy(update={"until": (START + 30 * DAY).date()})
        if entry.name == "sha384"
        else entry
        for entry in world.policy.digests
    )
    world.policy = world.policy.model_copy(update={"digests": digests})
    alone = world.judge(evidence, 100 * DAY)
    assert not alone.timestamps[0].conclusion.passed
    assert alone.timestamps[0].conclusion.reason == "crypto.weak-timestamp"
    assert all(one.conclusion.passed for one in world.judge(archived).timestamps)


# -- trust that ended ------------------------------------------------------------------------------


def test_trust_that_was_withdrawn_still_covers_what_was_proven_before(
    world: LongTerm, lta: SignatureEvidence
) -> None:
    world.authority = replace(world.authority, trusted_until=START + 10 * DAY)
    other = Ca.root("Archive authority")
    archive_tsa = other.tsa()
    world.clock.advance(2 * DAY)
    fresh = world.archived(
        lta._replace(embedded_crls=(*lta.embedded_crls, *world.lists())), archive_tsa
    )
    world.clock.advance(KEPT)
    still = replace(
        world.authority, name="Archive", certificates=(other.certificate,), trusted_until=None
    )
    anchors = replace(world.anchors(), authorities=(world.authority, still))
    engine = type(world.engine())(anchors, (), world.policy)
    now = world.clock.now()
    evidence = fresh._replace(embedded_crls=(*fresh.embedded_crls, a_crl(other, this_update=now)))
    assert verdict(engine.validate(evidence, now)) == "TOTAL-PASSED"
    bare = engine.validate(evidence._replace(timestamps=()), now)
    assert verdict(bare) == "INDETERMINATE/NO_CERTIFICATE_CHAIN_FOUND_NO_POE"


def test_a_signing_time_before_the_certificate_is_a_contradiction_in_the_past_too(
    world: LongTerm,
) -> None:
    card = world.issuing.card(start=START + DAY, end=START + 2 * YEAR)
    evidence = world.stamped(sign(card, START))
    world.clock.advance(2 * DAY)
    archived = world.archived(world.with_data(evidence), world.later_tsa)
    assert verdict(world.judge(archived, 4 * YEAR)) == "TOTAL-FAILED/NOT_YET_VALID"
