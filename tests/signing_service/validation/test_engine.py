"""Verdicts by EN 319 102-1: every indication with its cause, and travel in time."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.algorithms import (
    ECDSA_P384_SHA384,
    ED25519,
    RSA_PKCS1_SHA1,
    RSA_PKCS1_SHA256,
    RSA_PSS_SHA256,
    AlgorithmSuite,
)
from signing_service.trust import Purpose, TrustAnchors, TrustedAuthority
from signing_service.validation.engine import SignatureValidation, ValidationEngine
from signing_service.validation.evidence import DigestReference, TimestampKind
from signing_service.validation.indications import Indication, Step, SubIndication
from signing_service.validation.words import words_for
from tests.signing_service.validation.scenery import (
    DAY,
    START,
    YEAR,
    Ca,
    World,
    stamp,
)
from tests.software_keys import SoftwareKey


@pytest.fixture
def world() -> World:
    return World()


def verdict(validation: SignatureValidation) -> str:
    conclusion = validation.conclusion
    words = words_for(conclusion)  # every verdict has words, with nothing left to fill in
    assert words.why_en
    assert words.why_zh
    assert "{" not in words.why_en + words.why_zh + words.help_en + words.help_zh
    sub = conclusion.sub_indication
    return conclusion.indication.value + (f"/{sub.value}" if sub else "")


# -- basic signatures ------------------------------------------------------------------------------


def test_a_genuine_signature_passes(world: World) -> None:
    validation = world.judge(world.signed())
    assert verdict(validation) == "TOTAL-PASSED"
    assert not validation.time_is_proven


@pytest.mark.parametrize(
    "suite", [ECDSA_P384_SHA384, RSA_PKCS1_SHA256, RSA_PSS_SHA256, ED25519], ids=lambda s: s.name
)
def test_every_accepted_algorithm_passes(world: World, suite: AlgorithmSuite) -> None:
    assert verdict(world.judge(world.signed(world.issuing.card(suite=suite)))) == "TOTAL-PASSED"


def test_a_changed_document_fails_on_its_hash(world: World) -> None:
    evidence = world.signed()
    changed = evidence.references[0]._replace(actual=b"\0" * 32)
    validation = world.judge(evidence._replace(references=(changed,)))
    assert verdict(validation) == "TOTAL-FAILED/HASH_FAILURE"
    assert validation.conclusion.step is Step.CRYPTOGRAPHIC


def test_a_wrong_signature_value_fails(world: World) -> None:
    evidence = world.signed()._replace(signature_value=world.card.key.sign(b"other"))
    assert verdict(world.judge(evidence)) == "TOTAL-FAILED/SIG_CRYPTO_FAILURE"


def test_a_changed_document_fails_even_when_the_signer_is_unknown(world: World) -> None:
    evidence = world.signed(Ca.root("Elsewhere").card())
    changed = evidence.references[0]._replace(actual=b"\0" * 32)
    evidence = evidence._replace(references=(changed,))
    assert verdict(world.judge(evidence)) == "TOTAL-FAILED/HASH_FAILURE"


def test_a_missing_document_is_no_proof_of_change(world: World) -> None:
    evidence = world.signed()
    absent = evidence.references[0]._replace(actual=None)
    evidence = evidence._replace(references=(absent,))
    assert verdict(world.judge(evidence)) == "INDETERMINATE/SIGNED_DATA_NOT_FOUND"


def test_a_signature_over_nothing_is_a_format_failure(world: World) -> None:
    evidence = world.signed(references=())
    assert verdict(world.judge(evidence)) == "TOTAL-FAILED/FORMAT_FAILURE"


def test_without_a_signing_certificate_nothing_can_be_said(world: World) -> None:
    evidence = world.signed(signing_certificate=None)
    assert verdict(world.judge(evidence)) == "INDETERMINATE/NO_SIGNING_CERTIFICATE_FOUND"


def test_an_exchanged_certificate_is_not_the_signing_certificate(world: World) -> None:
    evidence = world.signed()
    assert evidence.certificate_reference is not None
    reference = evidence.certificate_reference._replace(matches=False)
    evidence = evidence._replace(certificate_reference=reference)
    assert verdict(world.judge(evidence)) == "INDETERMINATE/NO_SIGNING_CERTIFICATE_FOUND"


def test_a_missing_certificate_reference_is_told(world: World) -> None:
    validation = world.judge(world.signed(certificate_reference=None))
    assert verdict(validation) == "INDETERMINATE/SIG_CONSTRAINTS_FAILURE"
    assert validation.conclusion.reason == "signature.no-certificate-reference"


def test_a_part_of_a_document_is_not_the_document(world: World) -> None:
    validation = world.judge(world.signed(covers_document=False))
    assert verdict(validation) == "INDETERMINATE/SIG_CONSTRAINTS_FAILURE"


def test_a_signing_time_in_the_future_is_refused_beyond_the_clocks_skew(world: World) -> None:
    late = world.signed(claimed_signing_time=START + timedelta(seconds=301))
    assert verdict(world.judge(late)) == "INDETERMINATE/SIG_CONSTRAINTS_FAILURE"
    near = world.signed(claimed_signing_time=START + timedelta(seconds=299))
    assert verdict(world.judge(near)) == "TOTAL-PASSED"


def test_an_unknown_signature_policy_is_not_available(world: World) -> None:
    evidence = world.signed(policy="1.2.3.4")
    assert verdict(world.judge(evidence)) == "INDETERMINATE/SIGNATURE_POLICY_NOT_AVAILABLE"
    assert verdict(world.judge(world.signed(policy=world.policy.identifier))) == "TOTAL-PASSED"


def test_a_level_below_the_policys_is_refused(world: World) -> None:
    signature = world.policy.signature.model_copy(update={"levels": ("B-T",)})
    engine = world.engine(world.policy.model_copy(update={"signature": signature}))
    refused = engine.validate(world.signed(), START)
    assert verdict(refused) == "INDETERMINATE/SIG_CONSTRAINTS_FAILURE"
    assert verdict(engine.validate(world.stamped(), START)) == "TOTAL-PASSED"


# -- cryptographic constraints ---------------------------------------------------------------------


def rsa_with_sha1(world: World, bits: int = 2048) -> SoftwareKey:
    class Sha1Key(SoftwareKey):
        def sign(self, message: bytes) -> bytes:
            assert isinstance(self.private_key, rsa.RSAPrivateKey)
            return self.private_key.sign(message, padding.PKCS1v15(), hashes.SHA1())

    return Sha1Key(rsa.generate_private_key(65537, bits), RSA_PKCS1_SHA1)


def test_sha1_is_named_as_no_longer_safe(world: World) -> None:
    card = world.issuing.card(key=rsa_with_sha1(world))
    validation = world.judge(world.signed(card))
    assert verdict(validation) == "INDETERMINATE/CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    assert "sha1" in words_for(validation.conclusion).why_en


def test_an_rsa_key_that_is_too_short_is_named(world: World) -> None:
    key = SoftwareKey(rsa.generate_private_key(65537, 1024), RSA_PKCS1_SHA256)
    validation = world.judge(world.signed(world.issuing.card(key=key)))
    assert verdict(validation) == "INDETERMINATE/CRYPTO_CONSTRAINTS_FAILURE"
    assert "RSA-1024" in words_for(validation.conclusion).why_zh


def test_an_algorithm_outside_the_table_is_named(world: World) -> None:
    validation = world.judge(world.signed(suite=None, algorithm_name="rsa-md5"))
    assert verdict(validation) == "INDETERMINATE/CRYPTO_CONSTRAINTS_FAILURE"
    assert "rsa-md5" in words_for(validation.conclusion).why_en


def test_an_algorithms_end_is_answered_by_a_timestamp_from_before(world: World) -> None:
    start = START - timedelta(hours=1)
    end = START + 3000 * DAY
    card = world.issuing.card(suite=RSA_PKCS1_SHA256, start=start, end=end)
    plain, stamped = world.signed(card), world.stamped(world.signed(card))
    world.clock.advance(1600 * DAY)  # past 2030-12-31
    assert verdict(world.judge(plain)) == "INDETERMINATE/CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    assert verdict(world.judge(stamped)) == "TOTAL-PASSED"


# -- certificates ----------------------------------------------------------------------------------


def test_a_strangers_certificate_has_no_chain(world: World) -> None:
    evidence = world.signed(Ca.root("Elsewhere").card())
    assert verdict(world.judge(evidence)) == "INDETERMINATE/NO_CERTIFICATE_CHAIN_FOUND"


def test_an_authority_of_the_same_name_with_another_key_is_not_ours(world: World) -> None:
    impostor = Ca.root("Issuing CA")
    card = impostor.card()
    evidence = world.signed(card, embedded_certificates=(impostor.certificate,))
    validation = world.judge(evidence)
    assert verdict(validation) == "INDETERMINATE/CERTIFICATE_CHAIN_GENERAL_FAILURE"
    assert validation.conclusion.reason == "path.bad-signature"


def test_embedded_intermediates_help_but_are_not_trusted(world: World) -> None:
    other = world.root.sub("Second issuing CA")
    world.book.issuers.add(other.certificate.fingerprint)
    card = other.card()
    assert not world.judge(world.signed(card)).conclusion.passed
    helped = world.signed(card, embedded_certificates=(other.certificate,))
    assert verdict(world.judge(helped)) == "TOTAL-PASSED"


def test_a_card_cannot_act_as_an_authority(world: World) -> None:
    fake = world.issuing.sub("Operator", is_ca=False, usage=("digitalSignature",))
    evidence = world.signed(fake.card(), embedded_certificates=(fake.certificate,))
    validation = world.judge(evidence)
    assert verdict(validation) == "INDETERMINATE/CERTIFICATE_CHAIN_GENERAL_FAILURE"
    assert validation.conclusion.reason == "path.issuer-is-no-ca"


def test_an_authority_without_the_right_key_usage_cannot_issue(world: World) -> None:
    fake = world.root.sub("CRL signer", usage=("cRLSign",))
    evidence = world.signed(fake.card(), embedded_certificates=(fake.certificate,))
    assert world.judge(evidence).conclusion.reason == "path.issuer-may-not-sign"


def test_a_path_longer_than_allowed_is_refused(world: World) -> None:
    short = world.root.sub("No authorities below", path_length=0)
    below = short.sub("Below")
    certificates = (short.certificate, below.certificate)
    evidence = world.signed(below.card(), embedded_certificates=certificates)
    assert world.judge(evidence).conclusion.reason == "path.length-exceeded"


def test_an_unknown_critical_extension_is_refused(world: World) -> None:
    strange = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
    evidence = world.signed(world.issuing.card(critical=(strange,)))
    assert world.judge(evidence).conclusion.reason == "path.unknown-critical-extension"


def test_authorities_that_certify_each_other_do_not_loop(world: World) -> None:
    one, two = Ca.root("One"), Ca.root("Two")
    cross_one, cross_two = two.sub("One"), one.sub("Two")
    one = Ca("One", cross_one.key, cross_one.certificate)
    two = Ca("Two", cross_two.key, cross_two.certificate)
    embedded = [one.certificate, two.certificate]
    for _ in range(30):  # and a fan of look-alikes
        embedded += [one.sub("Two").certificate, two.sub("One").certificate]
    evidence = world.signed(one.card(), embedded_certificates=tuple(embedded))
    assert not world.judge(evidence).conclusion.passed


def test_a_certificate_for_encryption_does_not_sign(world: World) -> None:
    card = world.issuing.card(usage=("keyEncipherment",))
    validation = world.judge(world.signed(card))
    assert verdict(validation) == "INDETERMINATE/CHAIN_CONSTRAINTS_FAILURE"
    assert validation.conclusion.reason == "certificate.wrong-key-usage"


def test_an_authority_is_held_to_its_own_policy(world: World) -> None:
    strict = replace(world.authority, policies=("1.2.3",))
    anchors = TrustAnchors((strict,), (world.issuing.certificate,))
    engine = ValidationEngine(anchors, (world.book,), world.policy)
    refused = engine.validate(world.signed(), START)
    assert verdict(refused) == "INDETERMINATE/CHAIN_CONSTRAINTS_FAILURE"
    fitting = world.signed(world.issuing.card(policies=("1.2.3",)))
    assert verdict(engine.validate(fitting, START)) == "TOTAL-PASSED"


def test_an_authority_trusted_for_timestamps_alone_vouches_for_no_signer(world: World) -> None:
    world.authority = replace(world.authority, purposes=frozenset({Purpose.TIMESTAMP}))
    assert verdict(world.judge(world.signed())) == "INDETERMINATE/CHAIN_CONSTRAINTS_FAILURE"


def test_trust_in_an_authority_ends_when_it_is_said_to(world: World) -> None:
    world.authority = replace(world.authority, trusted_until=START + DAY)
    evidence = world.signed()
    assert verdict(world.judge(evidence)) == "TOTAL-PASSED"
    later = world.judge(evidence, 2 * DAY)
    assert verdict(later) == "INDETERMINATE/NO_CERTIFICATE_CHAIN_FOUND_NO_POE"


def test_a_second_authority_is_trusted_beside_the_first(world: World) -> None:
    ministry = Ca.root("Ministry CA")
    world.book.issuers.add(ministry.certificate.fingerprint)
    other = TrustedAuthority("部委", (ministry.certificate,))
    anchors = TrustAnchors((world.authority, other), (world.issuing.certificate,))
    engine = ValidationEngine(anchors, (world.book,), world.policy)
    result = engine.validate(world.signed(ministry.card()), START)
    assert verdict(result) == "TOTAL-PASSED"
    assert result.basic.certificate is not None
    assert result.basic.certificate.path is not None
    assert result.basic.certificate.path.authority is other


def test_an_expired_authority_no_longer_vouches(world: World) -> None:
    brief = world.root.sub("Brief CA", start=START - DAY, years=1)
    world.book.issuers.add(brief.certificate.fingerprint)
    evidence = world.signed(brief.card(), embedded_certificates=(brief.certificate,))
    assert verdict(world.judge(evidence)) == "TOTAL-PASSED"
    later = world.judge(evidence, YEAR)
    assert verdict(later) == "INDETERMINATE/OUT_OF_BOUNDS_NO_POE"
    assert later.conclusion.reason == "path.ca-out-of-bounds"


def test_a_certificate_that_is_not_yet_valid_proves_nothing(world: World) -> None:
    evidence = world.signed(world.issuing.card(start=START + DAY))
    assert verdict(world.judge(evidence)) == "INDETERMINATE/OUT_OF_BOUNDS_NO_POE"


# -- revocation ------------------------------------------------------------------------------------


def test_without_any_status_the_answer_is_to_try_later(world: World) -> None:
    world.book.issuers.clear()
    validation = world.judge(world.signed())
    assert verdict(validation) == "INDETERMINATE/TRY_LATER"
    assert validation.conclusion.step is Step.FRESHNESS


def test_a_revoked_card_without_proof_of_time_does_not_pass(world: World) -> None:
    evidence = world.signed()
    world.clock.advance(DAY)
    world.revoke(world.card)
    validation = world.judge(evidence, DAY)
    assert verdict(validation) == "INDETERMINATE/REVOKED_NO_POE"
    assert "keyCompromise" in words_for(validation.conclusion).why_en


def test_a_signature_stamped_before_the_revocation_still_passes(world: World) -> None:
    evidence = world.stamped()
    world.clock.advance(DAY)
    world.revoke(world.card)
    validation = world.judge(evidence, DAY)
    assert verdict(validation) == "TOTAL-PASSED"
    assert validation.best_signature_time.at == START


def test_a_signature_stamped_after_the_revocation_does_not_pass(world: World) -> None:
    world.revoke(world.card)
    world.clock.advance(DAY)
    assert verdict(world.judge(world.stamped())) == "INDETERMINATE/REVOKED_NO_POE"


def test_a_timestamp_of_the_very_second_of_revocation_proves_nothing(world: World) -> None:
    evidence = world.stamped()
    world.revoke(world.card)
    assert verdict(world.judge(evidence, DAY)) == "INDETERMINATE/REVOKED_NO_POE"


def test_a_revoked_authority_is_told_apart_from_a_revoked_card(world: World) -> None:
    evidence, stamped = world.signed(), None
    stamped = world.stamped(evidence)
    world.clock.advance(DAY)
    world.revoke(world.issuing, "cACompromise")
    assert verdict(world.judge(evidence, DAY)) == "INDETERMINATE/REVOKED_CA_NO_POE"
    # The timestamp authority hangs on the same CA: its word is gone as well.
    assert verdict(world.judge(stamped)) == "INDETERMINATE/REVOKED_CA_NO_POE"


def test_a_suspended_card_asks_to_try_later(world: World) -> None:
    evidence, stamped = world.signed(), world.stamped()
    world.clock.advance(DAY)
    world.revoke(world.card, "certificateHold")
    assert verdict(world.judge(evidence, DAY)) == "INDETERMINATE/TRY_LATER"
    assert verdict(world.judge(stamped)) == "TOTAL-PASSED"


# -- signatures with time --------------------------------------------------------------------------


def test_an_expired_card_needs_a_proof_of_time(world: World) -> None:
    plain, stamped = world.signed(), world.stamped()
    world.clock.advance(3 * YEAR)
    assert verdict(world.judge(plain)) == "INDETERMINATE/OUT_OF_BOUNDS_NOT_REVOKED"
    validation = world.judge(stamped)
    assert verdict(validation) == "TOTAL-PASSED"
    assert validation.time_is_proven


def test_an_expired_card_that_had_been_revoked_after_the_proof_passes(world: World) -> None:
    stamped = world.stamped()
    world.clock.advance(DAY)
    world.revoke(world.card)
    assert verdict(world.judge(stamped, 3 * YEAR)) == "TOTAL-PASSED"


def test_an_expired_card_of_unknown_status_does_not_pass(world: World) -> None:
    stamped = world.stamped()
    world.book.issuers = {world.root.certificate.fingerprint}
    assert verdict(world.judge(stamped, 3 * YEAR)).startswith("INDETERMINATE/")


def test_a_stamp_from_after_the_expiry_proves_nothing(world: World) -> None:
    evidence = world.signed()
    world.clock.advance(3 * YEAR)
    stamped = world.stamped(evidence)
    assert verdict(world.judge(stamped)) == "INDETERMINATE/OUT_OF_BOUNDS_NOT_REVOKED"


def test_a_stamp_from_before_the_certificate_existed_contradicts_it(world: World) -> None:
    card = world.issuing.card(start=START + DAY, end=START + 900 * DAY)
    evidence = world.stamped(world.signed(card))
    assert verdict(world.judge(evidence, 2 * DAY)) == "TOTAL-FAILED/NOT_YET_VALID"


def test_an_untrusted_authoritys_stamp_is_told_and_proves_nothing(world: World) -> None:
    stranger = Ca.root("Elsewhere").tsa()
    evidence = world.stamped(tsa=stranger)
    validation = world.judge(evidence)
    assert verdict(validation) == "TOTAL-PASSED"  # the card is good now, whatever the stamp
    assert not validation.time_is_proven
    conclusion = validation.timestamps[0].conclusion
    assert conclusion.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND
    later = world.judge(evidence, 3 * YEAR)
    assert verdict(later) == "INDETERMINATE/OUT_OF_BOUNDS_NOT_REVOKED"


def test_a_stamp_over_other_data_proves_nothing(world: World) -> None:
    evidence = world.signed()
    foreign = stamp(world.tsa, b"other signature", START)
    wrong = foreign.imprint._replace(actual=b"\0" * 32)
    token = foreign._replace(imprint=wrong)
    validation = world.judge(evidence._replace(timestamps=(token,)))
    assert not validation.time_is_proven
    assert validation.timestamps[0].conclusion.indication is Indication.FAILED


@pytest.mark.parametrize("purposes", [(), (ExtendedKeyUsageOID.CLIENT_AUTH,)])
def test_a_card_cannot_stamp_time(world: World, purposes: tuple[ObjectIdentifier, ...]) -> None:
    evidence = world.stamped(tsa=world.issuing.card("Not a TSA", purposes=purposes))
    validation = world.judge(evidence)
    assert not validation.time_is_proven
    assert validation.timestamps[0].conclusion.reason == "certificate.wrong-purpose"


def test_a_stamp_for_more_than_stamping_is_refused(world: World) -> None:
    both = (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CLIENT_AUTH)
    validation = world.judge(world.stamped(tsa=world.issuing.card("TSA 2", purposes=both)))
    assert validation.timestamps[0].conclusion.reason == "certificate.wrong-purpose"


def test_a_revoked_timestamp_authority_proves_nothing(world: World) -> None:
    evidence = world.stamped()
    world.revoke(world.tsa)
    validation = world.judge(evidence, DAY)
    assert not validation.time_is_proven


def test_a_stamp_from_the_future_proves_nothing(world: World) -> None:
    evidence = world.signed()
    token = stamp(world.tsa, evidence.signature_value, START + DAY)
    validation = world.judge(evidence._replace(timestamps=(token,)))
    assert validation.timestamps[0].conclusion.reason == "timestamp.in-future"
    assert not validation.time_is_proven


def test_the_earliest_of_several_stamps_counts(world: World) -> None:
    evidence = world.stamped()
    world.clock.advance(DAY)
    evidence = world.stamped(evidence)
    assert world.judge(evidence, DAY).best_signature_time.at == START


def test_stamps_in_an_impossible_order_contradict_each_other(world: World) -> None:
    evidence = world.stamped()
    content = stamp(world.tsa, b"content", START + DAY, TimestampKind.CONTENT)
    evidence = evidence._replace(timestamps=(*evidence.timestamps, content))
    assert verdict(world.judge(evidence, 2 * DAY)) == "INDETERMINATE/TIMESTAMP_ORDER_FAILURE"


def test_a_claimed_time_after_the_proven_one_is_not_true(world: World) -> None:
    evidence = world.stamped(world.signed(claimed_signing_time=START + DAY))
    validation = world.judge(evidence, 2 * DAY)
    assert verdict(validation) == "INDETERMINATE/SIG_CONSTRAINTS_FAILURE"
    assert validation.conclusion.reason == "time.claimed-after-proven"


# -- whatever is touched ---------------------------------------------------------------------------

_WORLD = World()
_SIGNED = _WORLD.stamped()


@settings(max_examples=150, deadline=None)
@given(part=st.sampled_from(["signed_bytes", "signature_value", "digest"]), data=st.data())
def test_a_flipped_bit_never_passes(part: str, data: st.DataObject) -> None:
    reference = _SIGNED.references[0]
    octets = reference.expected if part == "digest" else getattr(_SIGNED, part)
    position = data.draw(st.integers(0, len(octets) - 1))
    bit = data.draw(st.integers(0, 7))
    flipped = bytearray(octets)
    flipped[position] ^= 1 << bit
    if part == "digest":
        changed = DigestReference(
            reference.name, reference.digest, bytes(flipped), reference.actual
        )
        evidence = _SIGNED._replace(references=(changed,))
    else:
        changes: dict[str, Any] = {part: bytes(flipped)}
        evidence = _SIGNED._replace(**changes)
    validation = _WORLD.engine().validate(evidence, _WORLD.clock.now())
    assert validation.conclusion.indication is Indication.TOTAL_FAILED


def test_verdicts_are_the_same_again_from_memory(world: World) -> None:
    engine, evidence = world.engine(), world.stamped()
    first, second = (engine.validate(evidence, START) for _ in range(2))
    assert first == second
