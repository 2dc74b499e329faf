"""What is worked out once gives the same verdicts as the long way, and memory stays bounded."""

import gc
import resource
import subprocess
import sys
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing_service.formats.cades import whole as cades
from signing_service.validation.evidence import SignatureEvidence
from signing_service.validation.paths import PathBuilder
from signing_service.validation.report import ValidationReport
from tests.signing_service import test_dss_vectors as dss
from tests.signing_service.long_way import _all_memories, judged_both_ways, nothing_remembered
from tests.signing_service.validation import test_pkits as pkits
from tests.signing_service.validation.scenery import DAY, DOCUMENT, START, Ca, World
from tests.signing_service.validation.test_engine import rsa_with_sha1

ROOT = Path(__file__).parents[3]
_WORLD = World()


def corpus(world: World) -> dict[str, SignatureEvidence]:
    """Signatures of every kind of outcome."""
    brief = world.root.sub("Brief CA", start=START - DAY, years=1)
    world.book.issuers.add(brief.certificate.fingerprint)
    young = world.issuing.card(start=START + DAY, end=START + 400 * DAY)
    sha1 = world.issuing.card(key=rsa_with_sha1(world))
    return {
        "plain": world.signed(),
        "stamped": world.stamped(),
        "young": world.signed(young),
        "brief authority": world.signed(brief.card(), embedded_certificates=(brief.certificate,)),
        "stranger": world.signed(Ca.root("Elsewhere").card()),
        "sha1": world.signed(sha1),
        "wrong usage": world.signed(world.issuing.card(usage=("keyEncipherment",))),
        "wrong value": world.signed(signature_value=world.card.key.sign(b"other")),
    }


_CORPUS = corpus(_WORLD)


@settings(max_examples=120, deadline=None)
@given(name=st.sampled_from(sorted(_CORPUS)), days=st.integers(-400, 4000))
def test_the_short_way_and_the_long_way_judge_alike(name: str, days: int) -> None:
    at = START + timedelta(days=days)
    short = _WORLD.engine().validate(_CORPUS[name], at)
    with nothing_remembered():
        long = _WORLD.engine().validate(_CORPUS[name], at)
    assert short == long


def test_the_switch_tells_of_a_memory_that_it_left_open() -> None:
    hidden: dict[str, Any] = {"__name__": "kernel.hidden", "cache": cache}
    exec("@cache\ndef answer(): return 42", hidden)  # in no module's names, as a closure would be
    _all_memories.cache_clear()
    with nothing_remembered():
        pass
    with pytest.raises(AssertionError, match="answer"), nothing_remembered():
        hidden["answer"]()


@pytest.mark.parametrize("name", dss.FILES)
def test_strangers_files_are_judged_alike(name: str) -> None:
    document, signature = dss.presented(name)
    broken = signature or document
    middle = len(broken) // 2
    broken = broken[:middle] + bytes([broken[middle] ^ 1]) + broken[middle + 1 :]
    pairs = [(document, signature), (document, broken) if signature else (broken, None)]
    sound, _ = judged_both_ways(dss.verification(dss.SIGNED_ON), *pairs)
    assert isinstance(sound, ValidationReport)
    assert sound.passed


def test_every_path_of_pkits_is_judged_alike() -> None:
    """With one memory of paths for all, twice, and with none."""
    builder = PathBuilder(pkits.anchors())
    mails = [name for name in pkits.MAILS if name not in pkits.NOT_APPLICABLE]

    def judged() -> dict[str, object]:
        return {name: pkits.outcome(name, builder) for name in mails}

    first, again = judged(), judged()
    with nothing_remembered():
        pkits.mail.cache_clear()
        long = judged()
    assert first == again
    assert first == long
    assert len({str(each) for each in first.values()}) > 10


def test_a_report_read_late_is_the_same_report() -> None:
    world = World()
    world.registry.enrol(world.card)
    signature = cades.sign(DOCUMENT, world.card.key, world.card.certificate, world.clock.now())
    verification = world.verification()
    early = verification.verify(DOCUMENT, signature).complete()
    late = verification.verify(DOCUMENT, signature)
    assert late.passed
    assert late.indication is early.finding.indication
    assert late == early
    assert late.to_json() == early.to_json()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_verifications() -> None:
    """In a process of its own, with a new card for every tenth signature."""
    code = "from tests.signing_service.validation.test_short_ways import growth; print(growth())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
        timeout=120,
    )  # fmt: skip
    assert float(done.stdout) < 8


def growth(first: int = 500, then: int = 8_000) -> float:
    """MB by which the peak of memory grew after the first verifications."""
    world = World()
    verification = world.verification()

    def verify(count: int) -> None:
        for number in range(count):
            card = world.issuing.card() if number % 10 == 0 else world.card
            signature = cades.sign(DOCUMENT, card.key, card.certificate, START)
            assert verification.verify(DOCUMENT, signature).passed

    verify(first)
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    verify(then)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
