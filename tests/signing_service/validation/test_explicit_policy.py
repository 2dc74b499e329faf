"""A signature under an explicit policy (EPES) passes under that policy, and under no other text."""

import hashlib

import pytest

from policies.signature_policy import known_signature_policies
from signing_service.formats.claims import PROOF_OF_APPROVAL, PROOF_OF_RECEIPT, PolicyReference
from signing_service.validation.indications import SubIndication
from tests.signing_service.validation.scenery import World

(POLICY,) = known_signature_policies().values()
REFERENCE = PolicyReference.to(POLICY)
DIGEST = (REFERENCE.digest, REFERENCE.value)


@pytest.fixture
def world() -> World:
    return World()


def test_a_signature_under_a_known_policy_passes(world: World) -> None:
    evidence = world.signed(
        policy=REFERENCE.identifier, policy_digest=DIGEST, commitment=PROOF_OF_APPROVAL
    )

    assert world.judge(evidence).conclusion.indication == "TOTAL-PASSED"


@pytest.mark.parametrize(
    ("digest", "commitment", "expected"),
    [
        (None, PROOF_OF_APPROVAL, SubIndication.POLICY_PROCESSING_ERROR),
        (("sha256", hashlib.sha256(b"another text").digest()), PROOF_OF_APPROVAL,
         SubIndication.POLICY_PROCESSING_ERROR),
        (("sha1", hashlib.sha1(POLICY.document).digest()), PROOF_OF_APPROVAL,
         SubIndication.POLICY_PROCESSING_ERROR),
        (DIGEST, None, SubIndication.SIG_CONSTRAINTS_FAILURE),
        (DIGEST, PROOF_OF_RECEIPT, SubIndication.SIG_CONSTRAINTS_FAILURE),
    ],
)  # fmt: skip
def test_another_text_or_commitment_does_not(
    world: World,
    digest: tuple[str, bytes] | None,
    commitment: str | None,
    expected: SubIndication,
) -> None:
    evidence = world.signed(
        policy=REFERENCE.identifier, policy_digest=digest, commitment=commitment
    )

    assert world.judge(evidence).conclusion.sub_indication is expected
