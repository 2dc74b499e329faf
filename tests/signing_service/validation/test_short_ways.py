"""What is worked out once gives the same verdicts as the long way, and memory stays bounded."""

import gc
import resource
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing_service.formats import cades
from signing_service.validation import blocks
from signing_service.validation.certificates import CertificateValidator
from signing_service.validation.evidence import SignatureEvidence
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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CertificateValidator, "_window", lambda *_: None)
        patch.setattr(blocks, "_is_strong", lambda *_: False)
        long = _WORLD.engine().validate(_CORPUS[name], at)
    assert short == long


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
