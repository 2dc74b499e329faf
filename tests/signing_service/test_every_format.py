"""What holds for every format and packaging, from bytes to the report."""

from datetime import timedelta
from functools import lru_cache

import pytest

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.entropy import SystemEntropy
from signing_service.formats import bundle as bundles
from signing_service.formats.bundle import Part
from signing_service.formats.cades import whole as cades
from signing_service.formats.catalogue import levels_of
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.ports import StatusAnswer
from signing_service.trust import TrustAnchors
from signing_service.validation.crl import crl_answer
from signing_service.validation.indications import SubIndication
from signing_service.validation.report import ValidationReport
from signing_service.verification import Verification
from tests.signing_service.long_way import judged_both_ways
from tests.signing_service.packagings import KINDS, Kind, pdf_with
from tests.signing_service.validation.scenery import DAY, START, YEAR, Ca, Card, World
from tests.signing_service.validation.test_engine import verdict
from tests.signing_service.validation.test_long_term import LongTerm
from tests.signing_service.validation.test_revocation import a_crl
from tests.software_keys import SIGNING_SUITES

_WORLD = World()


@lru_cache
def card_with(suite: AlgorithmSuite) -> Card:
    return _WORLD.issuing.card(suite=suite)


@pytest.mark.parametrize("suite", SIGNING_SUITES, ids=lambda suite: suite.name)
@pytest.mark.parametrize("name", KINDS)
def test_every_suite_in_every_packaging(name: str, suite: AlgorithmSuite) -> None:
    kind, card = KINDS[name], card_with(suite)
    document = {"octets": b"any octets", "xml": b"<d>1</d>", "pdf": pdf_with(b"0" * 20)}[kind.takes]
    signed = kind.signed(document, card.key, card.certificate, START)
    report = verified(kind, document, signed)
    assert report.passed, report.finding
    assert report.signatures[0].algorithm == suite.name


def verified(
    kind: Kind, document: bytes, signature: bytes, by: Verification | None = None
) -> ValidationReport:
    verification = by or _WORLD.verification()
    if kind.detached:
        return verification.verify(document, signature)
    return verification.verify(signature)


# -- time --------------------------------------------------------------------------------------


class Passing(LongTerm):
    """Time passes; while an authority lives, its lists tell of every certificate."""

    def verification(self, rights: object = None) -> Verification:
        anchors = TrustAnchors(
            (self.authority,), (self.issuing.certificate, self.stamping.certificate)
        )
        return Verification(anchors, (self,), self.registry, self.policy, self.clock)

    def status(self, certificate: Certificate, issuer: Certificate) -> StatusAnswer | None:
        now = self.clock.now()
        for ca in (self.root, self.issuing, self.stamping):
            if ca.certificate == issuer and now < issuer.not_after:
                return crl_answer(a_crl(ca, self.revoked(ca), now), certificate, issuer, now)
        return None

    def revoked(self, ca: Ca) -> tuple[int, ...]:
        return ()

    def raised(self, kind: Kind, document: bytes, level: str) -> bytes:
        stamper, chain = self.timestamper(), (self.issuing.certificate,)
        card, levels = self.card, levels_of(kind.format)
        first = None if level == "B-B" else stamper
        made = kind.signed(document, card.key, card.certificate, self.clock.now(), first, chain)
        self.clock.advance(DAY)
        if level in ("B-LT", "B-LTA"):
            made = levels.add_validation_material(made, self.material())
        if level == "B-LTA":
            beside = document if kind.detached else None
            made = levels.add_archive_timestamp(made, stamper, document=beside)
        return made

    def material(self) -> ValidationMaterial:
        above = (self.issuing, self.stamping)
        return ValidationMaterial(
            certificates=tuple(ca.certificate.der for ca in above), crls=self.lists()
        )


def example(kind: Kind) -> bytes:
    return {"octets": b"declaration 100", "xml": b"<d>100</d>", "pdf": pdf_with(b"a" * 20)}[
        kind.takes
    ]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("level", "after", "passes"),
    [
        ("B-B", 2 * YEAR + DAY, False),  # nothing proves that it was there before the card ended
        ("B-T", timedelta(), True),
        ("B-T", 2 * YEAR + DAY, True),  # the card has ended; its authority still tells of it
        ("B-LT", 2 * YEAR + DAY, True),  # the card has ended
        ("B-LT", 4 * YEAR, False),  # its authority, too: nobody vouches for its lists
        ("B-LTA", 4 * YEAR, True),
        ("B-LTA", 6 * YEAR, False),  # and the timestamp authority, which nobody followed
    ],
)
def test_travel_in_time(name: str, level: str, after: timedelta, passes: bool) -> None:
    kind, world = KINDS[name], Passing()
    document = example(kind)
    signature = world.raised(kind, document, level)
    assert verified(kind, document, signature, world.verification()).passed
    world.clock.advance(after)
    assert verified(kind, document, signature, world.verification()).passed is passes


@pytest.mark.parametrize("name", KINDS)
def test_a_renewed_archive_outlives_the_first_timestamp_authority(name: str) -> None:
    kind, world = KINDS[name], Passing()
    document, levels = example(kind), levels_of(kind.format)
    signature = world.raised(kind, document, "B-LTA")
    world.clock.advance(4 * YEAR)
    lists = world.lists()[::2]  # the issuing authority has ended
    signature = levels.add_validation_material(signature, ValidationMaterial(crls=lists))
    signature = levels.add_archive_timestamp(
        signature, world.timestamper(world.later_tsa), document=document if kind.detached else None
    )
    world.clock.advance(3 * YEAR)
    assert verified(kind, document, signature, world.verification()).passed


@pytest.mark.parametrize("name", KINDS)
def test_a_revocation_counts_from_its_time(name: str) -> None:
    kind, world = KINDS[name], World()
    document, card = example(kind), world.card

    def signature() -> bytes:
        return kind.signed(
            document, card.key, card.certificate, world.clock.now(), world.timestamper()
        )

    before = signature()
    world.clock.advance(DAY)
    world.revoke(card)
    world.clock.advance(DAY)
    after = signature()
    world.clock.advance(DAY)
    assert verified(kind, document, before, world.verification()).passed
    report = verified(kind, document, after, world.verification())
    assert report.sub_indication is SubIndication.REVOKED_NO_POE


# -- short ways ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_short_ways_and_long_ways_judge_every_file_alike(name: str) -> None:
    """Sound and broken files of the lowest and the highest level, at two times: seen for the
    first time, seen before, and with every short way and memory closed."""
    kind, document = KINDS[name], example(KINDS[name])
    for level in ("B-B", "B-LTA"):
        world = Passing()
        sound = world.raised(kind, document, level)
        middle = len(sound) // 2
        broken = sound[:middle] + bytes([sound[middle] ^ 1]) + sound[middle + 1 :]
        for after in (timedelta(), 4 * YEAR):
            world.clock.advance(after)
            for file in (sound, broken):
                pair = (document, file) if kind.detached else (file, None)
                judged_both_ways(world.verification(), pair)


# -- bundles ---------------------------------------------------------------------------------------


def test_each_of_four_agencies_gets_a_verdict_on_its_own_part() -> None:
    world, agencies = World(), ("海关", "国家外汇管理局", "国家税务总局", "商务部")
    parts = [Part(agency, f"<{agency}/>".encode()) for agency in agencies]
    bundle = bundles.build(parts, SystemEntropy())
    card = world.card
    prepared = bundles.prepare(bundle, card.certificate, START)
    signed = cades.assemble(prepared, card.key.sign(prepared.to_be_signed))
    stamped = cades.add_signature_timestamp(signed, world.timestamper())
    proofs = [proof.to_bytes() for proof in bundle.signed(stamped)]

    for part, proof in zip(parts, proofs, strict=True):
        assert isinstance(part.document, bytes)
        (own,) = bundles.read_part(part.document, proof)
        assert verdict(world.judge(own)) == "TOTAL-PASSED"
        others = [p.document for p in parts if p is not part and isinstance(p.document, bytes)]
        assert not any(each in proof for each in others)
        for other in others:
            (foreign,) = bundles.read_part(other, proof)
            assert verdict(world.judge(foreign)) == "TOTAL-FAILED/HASH_FAILURE"
    world.revoke(card)
    (own,) = bundles.read_part("<海关/>".encode(), proofs[0])
    assert verdict(world.judge(own._replace(timestamps=()), DAY)) == "INDETERMINATE/REVOKED_NO_POE"
