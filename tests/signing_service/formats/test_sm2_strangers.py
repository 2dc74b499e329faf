"""SM2 messages that Bouncy Castle and gmsm made (`tests/strangers/sm2`), to a verdict."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed
from policies.validation import ValidationPolicy, load_validation_policy
from signing_service.formats.cades import whole as cades
from signing_service.timestamping.token import read_timestamp
from signing_service.trust import TrustAnchors, TrustedAuthority
from signing_service.validation.engine import SignatureValidation, ValidationEngine
from signing_service.validation.evidence import SignatureEvidence, SignatureFormat, TimestampKind

KEPT = Path(__file__).parents[2] / "vectors" / "sm2"
AT = datetime(2027, 6, 1, tzinfo=UTC)


def policy_of(level: str) -> ValidationPolicy:
    """Strangers' authorities publish no status; gmsm's messages are no AdES."""
    policy = load_validation_policy()
    no_status = policy.revocation.model_copy(update={"required": False})
    signature = policy.signature.model_copy(
        update={"levels": (level,), "require_signing_certificate_reference": level != "not AdES"}
    )
    return policy.model_copy(update={"revocation": no_status, "signature": signature})


def judged(evidence: SignatureEvidence, root: Path, level: str) -> SignatureValidation:
    anchor = Certificate.parse(root.read_bytes())
    anchors = TrustAnchors((TrustedAuthority(root.stem, (anchor,)),))
    return ValidationEngine(anchors, (), policy_of(level)).validate(evidence, AT)


def by_bouncy_castle(directory: Path, document: bytes) -> SignatureEvidence:
    """Its signature with its timestamp upon it, as evidence."""
    (evidence,) = cades.read((directory / "bouncy-castle.p7s").read_bytes(), document)
    token = (directory / "bouncy-castle.tst").read_bytes()
    stamp = read_timestamp(token, TimestampKind.SIGNATURE, evidence.signature_value)
    return evidence._replace(timestamps=(stamp,))


def verdicts(directory: Path) -> dict[str, str]:
    """By file: `passed`, or the reason why not."""
    document, found = (directory / "document").read_bytes(), {}
    evidence = by_bouncy_castle(directory, document)
    outcome = judged(evidence, directory / "bouncy-castle-root.der", "B-T")
    found["bouncy-castle.p7s"] = outcome.conclusion.reason
    found["bouncy-castle.tst"] = "passed" if outcome.time_is_proven else "not proven"
    for name, beside in (("gmsm-attached.p7s", None), ("gmsm-detached.p7s", document)):
        (evidence,) = cades.read((directory / name).read_bytes(), beside)
        outcome = judged(evidence, directory / "gmsm-root.pem", "not AdES")
        found[name] = outcome.conclusion.reason
    return found


def test_their_signatures_and_timestamp_pass() -> None:
    assert verdicts(KEPT) == dict.fromkeys(
        ("bouncy-castle.p7s", "bouncy-castle.tst", "gmsm-attached.p7s", "gmsm-detached.p7s"),
        "passed",
    )


def test_what_they_are_is_told() -> None:
    evidence = by_bouncy_castle(KEPT, (KEPT / "document").read_bytes())
    assert evidence.format is SignatureFormat.CADES
    assert evidence.algorithm_name == "sm2-with-sm3"
    assert evidence.timestamps[0].imprint.digest == "sm3"
    assert evidence.timestamps[0].generated_at == datetime(2026, 11, 20, 8, 1, tzinfo=UTC)
    (named_by_gm,) = cades.read((KEPT / "gmsm-attached.p7s").read_bytes())
    assert named_by_gm.format is SignatureFormat.CMS
    assert named_by_gm.observations == ("the CMS structure is named as GM/T 0010 does",)


def test_another_document_is_seen() -> None:
    evidence = by_bouncy_castle(KEPT, b"another document")
    outcome = judged(evidence, KEPT / "bouncy-castle-root.der", "B-T")
    assert outcome.conclusion.sub_indication == "HASH_FAILURE"


def test_gmsm_s_message_without_signed_attributes_is_refused() -> None:
    """What was signed with attributes could be passed off as a document without them."""
    with pytest.raises(Malformed, match=r"cms\.attributes"):
        cades.read((KEPT / "gmsm-without-attributes.p7s").read_bytes())
