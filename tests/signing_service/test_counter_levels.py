"""Counter-signatures from level to level, in every format that has them, up to the report."""

from datetime import timedelta

import pytest

from kernel.refusals import Malformed, Unprocessable
from signing_service.formats import making
from signing_service.formats.catalogue import levels_of, raise_counter
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import SignatureFormat, SignatureLevel
from signing_service.validation.report import SignatureReport
from tests.signing_service.packagings import KINDS, Kind
from tests.signing_service.test_every_format import Passing, example, verified
from tests.signing_service.validation.scenery import DAY, YEAR, Card

COUNTERED = [name for name, kind in KINDS.items() if kind.format is not SignatureFormat.PADES]
IN_CMS = [name for name in COUNTERED if "CAdES" in name]
B_T, B_LT, B_LTA = SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA


class Desk:
    """Somebody has signed; somebody else signs upon it."""

    def __init__(self, name: str, below: str = "B-LT") -> None:
        self.kind: Kind = KINDS[name]
        self.world = Passing()
        self.document = example(self.kind)
        self.second: Card = self.world.issuing.card()
        self.signed = self.world.raised(self.kind, self.document, below)

    @property
    def beside(self) -> bytes | None:
        return self.document if self.kind.detached else None

    def prepared(self) -> PreparedSignature:
        return making.prepare(
            Manner(self.kind.format, act=Act.COUNTER), Subject({}, self.signed),
            self.second.certificate, self.world.clock.now(),
            chain=(self.world.issuing.certificate,),
        )  # fmt: skip

    def countersigned(self, level: SignatureLevel) -> bytes:
        prepared = self.prepared()
        value = self.second.key.sign(prepared.to_be_signed)
        made = making.finish(Act.COUNTER, prepared, value, self.signed)
        place = making.position_of(prepared, read_signatures(self.beside, made))
        assert place == (0, True)
        return raise_counter(
            level, prepared, made, value, self.beside, self.world.timestamper(),
            lambda _: self.world.material(), signer=0,
        )  # fmt: skip

    def counter_in(self, signed: bytes) -> SignatureReport:
        report = verified(self.kind, self.document, signed, self.world.verification())
        (signature,) = report.complete().signatures
        (counter,) = signature.counter_signatures
        return counter


LASTING = [
    *((name, B_T, timedelta()) for name in COUNTERED),
    *((name, B_LT, 2 * YEAR + DAY) for name in COUNTERED),  # the card has ended
    *((name, B_LTA, 4 * YEAR) for name in COUNTERED if name not in IN_CMS),  # its authority, too
]


@pytest.mark.parametrize(("name", "level", "after"), LASTING)
def test_a_counter_signature_rises_and_lasts(
    name: str, level: SignatureLevel, after: timedelta
) -> None:
    # In CMS what is embedded serves everybody: upon a B-LT signature, one with a time is B-LT.
    desk = Desk(name, "B-T" if level is B_T else "B-LT")
    signed = desk.countersigned(level)
    counter = desk.counter_in(signed)
    assert (counter.passed, counter.level) == (True, str(level))
    desk.world.clock.advance(after)
    assert desk.counter_in(signed).passed


@pytest.mark.parametrize("name", COUNTERED)
def test_a_counter_signature_without_time_ends_with_its_card(name: str) -> None:
    desk = Desk(name)
    signed = desk.countersigned(SignatureLevel.B_B)
    assert desk.counter_in(signed).passed
    desk.world.clock.advance(2 * YEAR + DAY)
    assert not desk.counter_in(signed).passed


@pytest.mark.parametrize("name", IN_CMS)
def test_in_cms_the_signature_below_is_archived_for_both(name: str) -> None:
    desk = Desk(name)
    with pytest.raises(Unprocessable, match=r"level\.counter"):
        desk.countersigned(B_LTA)
    signed = desk.countersigned(B_LT)
    archived = levels_of(desk.kind.format).add_archive_timestamp(
        signed, desk.world.timestamper(), document=desk.beside
    )
    desk.world.clock.advance(4 * YEAR)
    assert desk.counter_in(archived).passed


@pytest.mark.parametrize("name", COUNTERED)
def test_two_sign_upon_one_and_each_has_its_own_time(name: str) -> None:
    desk = Desk(name, "B-T")
    desk.signed = desk.countersigned(SignatureLevel.B_B)
    desk.second = desk.world.issuing.card()
    signed = desk.countersigned(B_T)
    report = verified(desk.kind, desk.document, signed, desk.world.verification()).complete()
    levels = [each.level for each in report.signatures[0].counter_signatures]
    assert sorted(levels) == ["B-B", "B-T"]
    assert all(each.passed for each in report.signatures[0].counter_signatures)


@pytest.mark.parametrize("name", COUNTERED)
def test_another_value_is_no_counter_signature(name: str) -> None:
    desk = Desk(name)
    prepared = desk.prepared()
    value = desk.second.key.sign(b"something else")
    with pytest.raises(Malformed, match=r"no-signature"):
        raise_counter(
            B_T, prepared, desk.signed, value, desk.beside, desk.world.timestamper(),
            lambda _: desk.world.material(), signer=0,
        )  # fmt: skip
