"""Certificates and lists made to branch without end cost a bounded number of verifications."""

import pytest

from kernel.algorithms import PublicKey
from signing_service.validation.evidence import SignatureEvidence
from tests.signing_service.validation.scenery import Ca, World
from tests.signing_service.validation.test_engine import verdict
from tests.signing_service.validation.test_revocation import a_crl

MOST = 200
"""Verifications for one verdict, whatever it brings."""


@pytest.fixture
def verifications(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    seen: list[None] = []
    genuine = PublicKey.verify

    def counted(self: PublicKey, *arguments: object) -> bool:
        seen.append(None)
        return genuine(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(PublicKey, "verify", counted)
    return seen


def of_one_name(count: int) -> list[Ca]:
    """Authorities of one name, each with its own key, certified by one of the others."""
    made = [Ca.root("Many")]
    for number in range(count):
        made.append(made[number // 2].sub("Many"))
    return made


def test_authorities_of_one_name_do_not_multiply(verifications: list[None]) -> None:
    world, many = World(), of_one_name(60)
    evidence: SignatureEvidence = world.signed(
        many[-1].card(), embedded_certificates=tuple(ca.certificate for ca in many)
    )
    assert verdict(world.judge(evidence)) == "INDETERMINATE/CERTIFICATE_CHAIN_GENERAL_FAILURE"
    assert len(verifications) < MOST


def test_a_genuine_signature_among_them_is_bounded_too(verifications: list[None]) -> None:
    world, many = World(), of_one_name(60)
    evidence = world.signed(embedded_certificates=tuple(ca.certificate for ca in many))
    assert verdict(world.judge(evidence)) == "TOTAL-PASSED"
    assert len(verifications) < MOST


def test_lists_without_number_do_not_multiply(verifications: list[None]) -> None:
    world = World()
    world.book.issuers = set()
    forged = Ca("Issuing CA", Ca.root("Issuing CA").key, world.issuing.certificate)
    now = world.clock.now()
    lists = tuple(a_crl(forged, (number,), now) for number in range(1, 301))
    evidence = world.signed(embedded_crls=lists)
    assert verdict(world.judge(evidence)) == "INDETERMINATE/TRY_LATER"
    assert len(verifications) < MOST
