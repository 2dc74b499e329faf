"""An SM2 authority as trust anchor: its certificates, lists and responses, made by openssl."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kernel import algorithms, libcrypto
from kernel.algorithms import SM2_SM3
from kernel.asn1 import certificate as certificates
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.clock import FixedClock
from kernel.refusals import Malformed, Unavailable
from signing_service.formats.cades import whole as cades
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.ports import CertificateStatus
from signing_service.trust import TrustAnchors
from signing_service.validation.blocks import verify_cryptographically
from signing_service.validation.crl import Crl, crl_answer
from signing_service.validation.ocsp import ocsp_answer
from signing_service.validation.online_status import _ocsp_request
from signing_service.validation.paths import PathBuilder
from signing_service.validation.report import ValidationReport
from signing_service.verification import Verification
from tests.signing_service.test_trusted_lists import Operator, Service
from tests.signing_service.validation.scenery import START, YEAR, Registry, World
from tests.sm2_authority import Sm2Authority, Sm2Identity, sm2_authority
from tests.software_keys import SoftwareKey

DOCUMENT = "报关单 declaration".encode()
NATIONAL_ROOT = Path(__file__).parents[2] / "vectors" / "sm2" / "national-root.pem"


@pytest.fixture(scope="module")
def authority() -> Sm2Authority:
    return sm2_authority()


@pytest.fixture(scope="module")
def root_list(authority: Sm2Authority) -> bytes:
    return authority.crl(authority.root)


def judged(
    authority: Sm2Authority,
    ocsp: tuple[bytes, ...] = (),
    crls: tuple[bytes, ...] = (),
    signer: Sm2Identity | None = None,
    **changes: Any,
) -> ValidationReport:
    signer = signer or authority.signer
    signed = cades.sign(DOCUMENT, signer.key, signer.certificate, authority.now, chain=signer.chain)
    signed = cades.add_validation_material(signed, ValidationMaterial((), ocsp, crls))
    return authority.verification(**changes).verify(DOCUMENT, signed)


def test_the_national_root_is_read_and_has_signed_itself() -> None:
    root = Certificate.parse(NATIONAL_ROOT.read_bytes())

    assert root.signature_suite is SM2_SM3  # with NULL parameters
    assert root.is_signed_by(root)
    later = Certificate.parse(root.der.replace(b"420707031159Z", b"430707031159Z"))
    assert later != root
    assert not later.is_signed_by(root)


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sm3"])
def test_a_chain_with_the_authority_s_own_evidence_passes(
    authority: Sm2Authority, root_list: bytes, digest: str
) -> None:
    response = authority.ocsp(authority.signer.certificate, digest=digest)

    report = judged(authority, (response,), (root_list,))

    assert report.passed, report.finding
    (signature,) = report.signatures
    assert signature.algorithm == "sm2-with-sm3"
    assert signature.authority == "国密机构"


def test_a_list_of_the_issuer_serves_as_well(authority: Sm2Authority, root_list: bytes) -> None:
    assert judged(authority, (), (authority.crl(authority.issuing), root_list)).passed


def test_an_sm2_authority_comes_from_a_trusted_list(
    authority: Sm2Authority, root_list: bytes
) -> None:
    operator = Operator()
    named = Service(authority.root.certificate, (("granted", START - YEAR),))
    trusted = operator.load(operator.signed(named)).authorities
    signer = authority.signer
    signed = cades.sign(DOCUMENT, signer.key, signer.certificate, authority.now, chain=signer.chain)
    ocsp, clock = (authority.ocsp(signer.certificate),), FixedClock(authority.now)
    signed = cades.add_validation_material(signed, ValidationMaterial((), ocsp, (root_list,)))

    verification = Verification(
        TrustAnchors(tuple(trusted)), (), Registry(), authority.policy, clock
    )

    assert verification.verify(DOCUMENT, signed).passed


def test_a_revocation_is_seen_in_lists_and_responses(
    authority: Sm2Authority, root_list: bytes
) -> None:
    certificate = authority.signer.certificate
    by_list = judged(authority, (), (authority.crl(authority.issuing, certificate), root_list))
    by_response = judged(authority, (authority.ocsp(certificate, revoked=True),), (root_list,))

    for report in (by_list, by_response):
        assert report.finding.reason == "revocation.revoked"
        assert not report.passed


def test_a_revoked_issuing_authority_is_seen(authority: Sm2Authority) -> None:
    lists = (authority.crl(authority.root, authority.issuing.certificate),)
    report = judged(authority, (authority.ocsp(authority.signer.certificate),), lists)
    assert report.finding.reason == "revocation.ca-revoked"


def test_without_status_there_is_no_verdict(authority: Sm2Authority) -> None:
    assert judged(authority).finding.reason == "revocation.unknown"


def test_responses_are_believed_from_the_issuer_and_whom_it_delegated(
    authority: Sm2Authority,
) -> None:
    certificate, issuer = authority.signer.certificate, authority.issuing.certificate

    def status(response: bytes) -> CertificateStatus | None:
        answer = ocsp_answer(response, certificate, issuer, authority.now)
        return None if answer is None else answer.status

    own = authority.ocsp(certificate, by=authority.issuing)
    delegated = authority.ocsp(certificate)
    no_responder = authority.ocsp(certificate, by=authority.tsa)
    assert status(own) is CertificateStatus.GOOD
    assert status(delegated) is CertificateStatus.GOOD
    assert status(no_responder) is None
    assert status(delegated[:-3] + bytes((delegated[-3] ^ 1,)) + delegated[-2:]) is None


def test_a_changed_list_is_not_believed(authority: Sm2Authority) -> None:
    issuer = authority.issuing.certificate
    encoded = authority.crl(authority.issuing)
    crl = Crl.parse(encoded)
    assert crl is not None
    assert crl.is_signed_by(issuer)
    place = encoded.rindex(b"\x17\x0d") + 3  # nextUpdate
    changed = encoded[:place] + b"9" + encoded[place + 1 :]
    assert crl_answer(changed, authority.signer.certificate, issuer, authority.now) is None


def test_what_another_authority_of_the_same_name_signed_is_refused(
    authority: Sm2Authority, root_list: bytes
) -> None:
    impostor = authority.certify("SM2 issuing", None)  # its files are those of the name
    try:
        signer = authority.certify("SM2 forged", impostor)
    finally:
        authority.keep(authority.issuing)
    report = judged(authority, (), (root_list,), signer=signer)
    assert report.finding.reason == "path.bad-signature"


def test_a_card_with_a_p256_key_under_an_sm2_authority(
    authority: Sm2Authority, root_list: bytes
) -> None:
    key = SoftwareKey.generate()
    card = authority.certify("P-256 card", authority.issuing, public_key=public_pem(key))
    certificate = Certificate.parse(card.certificate.der)
    signed = cades.sign(DOCUMENT, key, certificate, authority.now, chain=card.chain)
    material = ValidationMaterial((), (authority.ocsp(certificate),), (root_list,))
    signed = cades.add_validation_material(signed, material)

    report = authority.verification().verify(DOCUMENT, signed)

    assert report.passed, report.finding
    assert report.signatures[0].algorithm == "ecdsa-p256-sha256"


def public_pem(key: SoftwareKey) -> bytes:
    public = key.private_key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_a_key_of_p256_with_the_curve_s_identifier_of_sm2_is_refused(
    authority: Sm2Authority, root_list: bytes
) -> None:
    """Certified by a real authority, and yet no signature of it can be right."""
    signer, issuing = authority.signer, authority.issuing
    point = SoftwareKey.generate().public_key.spki[-65:]
    tbs = signer.certificate.tbs.replace(signer.certificate.spki[-65:], point)
    forged = Certificate.parse(
        der.sequence(tbs, SM2_SM3.signature_algorithm, der.bit_string(issuing.key.sign(tbs)))
    )
    assert forged.is_signed_by(issuing.certificate)
    with pytest.raises(Malformed, match=r"public-key\.malformed"):
        _ = forged.public_key

    signed = cades.sign(DOCUMENT, signer.key, signer.certificate, authority.now, chain=signer.chain)
    (evidence,) = cades.read(signed, DOCUMENT)
    evidence = evidence._replace(signing_certificate=forged, certificate_reference=None)
    engine = World().engine()
    outcome = engine.validate(evidence, authority.now)
    assert outcome.conclusion.sub_indication == "SIG_CRYPTO_FAILURE"


@pytest.mark.parametrize(
    ("field", "kept"),
    [("algorithms", "suite"), ("digests", "name"), ("keys", "curves")],
)
def test_a_policy_may_leave_sm2_out(
    authority: Sm2Authority, root_list: bytes, field: str, kept: str
) -> None:
    policy = authority.policy
    if field == "keys":
        change: Any = policy.keys.model_copy(update={"curves": ("secp256r1", "secp384r1")})
    else:
        change = tuple(
            entry
            for entry in getattr(policy, field)
            if getattr(entry, kept) not in ("sm2-with-sm3", "sm3")
        )
    response = authority.ocsp(authority.signer.certificate)

    report = judged(authority, (response,), (root_list,), **{field: change})

    assert not report.passed
    assert report.finding.sub_indication == "CRYPTO_CONSTRAINTS_FAILURE"


def test_status_can_be_asked_for(authority: Sm2Authority) -> None:
    """The request that goes to a responder names the issuer's SM2 key by its hash."""
    request = _ocsp_request(authority.signer.certificate, authority.issuing.certificate)
    assert authority.signer.certificate.serial.to_bytes(2, "big") in request


# -- without the library -----------------------------------------------------------------------


@pytest.fixture
def no_library() -> Iterator[None]:
    libcrypto.use("/nowhere/libcrypto.so.3")
    yield
    libcrypto.use(None)


def fresh_signer(authority: Sm2Authority, name: str) -> tuple[Sm2Identity, bytes]:
    """Keys that no cache knows."""
    signer = authority.certify(name, authority.issuing)
    signed = cades.sign(DOCUMENT, signer.key, signer.certificate, authority.now, chain=signer.chain)
    response = authority.ocsp(signer.certificate)
    material = ValidationMaterial((), (response,), (authority.crl(authority.root),))
    return signer, cades.add_validation_material(signed, material)


def test_without_the_library_there_is_no_verdict_and_with_it_again(
    authority: Sm2Authority,
) -> None:
    _, signed = fresh_signer(authority, "no library")
    forget_keys()
    verification = authority.verification()
    libcrypto.use("/nowhere/libcrypto.so.3")
    try:
        missing = verification.verify(DOCUMENT, signed)
    finally:
        libcrypto.use(None)
    assert missing.finding.indication == "INDETERMINATE"
    assert missing.finding.reason == "path.library-missing"
    assert "libcrypto" in missing.finding.help.en
    assert "libcrypto" in missing.finding.help.zh
    assert verification.verify(DOCUMENT, signed).passed  # nothing of it was remembered


def forget_keys() -> None:
    algorithms._parse_spki.cache_clear()
    certificates._parse_der.cache_clear()
    certificates._signed_by.cache_clear()


@pytest.mark.usefixtures("no_library")
def test_sm2_certificates_in_the_bag_do_not_hinder_others(authority: Sm2Authority) -> None:
    world = World()
    forget_keys()
    same_name = Certificate.parse(authority.root.certificate.der)
    signed = cades.sign(
        DOCUMENT, world.card.key, world.card.certificate, world.clock.now(), chain=(same_name,)
    )
    assert world.verification().verify(DOCUMENT, signed).passed


@pytest.mark.usefixtures("no_library")
def test_a_value_that_cannot_be_checked_is_not_called_wrong(authority: Sm2Authority) -> None:
    signer = authority.signer
    libcrypto.use(None)
    signed = cades.sign(DOCUMENT, signer.key, signer.certificate, authority.now)
    (evidence,) = cades.read(signed, DOCUMENT)
    libcrypto.use("/nowhere/libcrypto.so.3")
    forget_keys()

    outcome = verify_cryptographically(evidence, Certificate.parse(signer.certificate.der))

    assert (outcome.indication, outcome.reason) == ("INDETERMINATE", "crypto.library-missing")
    assert outcome.facts == {"algorithm": "sm2-with-sm3"}


@pytest.mark.usefixtures("no_library")
def test_paths_tell_of_it(authority: Sm2Authority) -> None:
    forget_keys()
    paths = PathBuilder(authority.anchors())
    certificate = Certificate.parse(authority.signer.certificate.der)

    found = paths.search(certificate)

    assert found.paths == ()
    assert found.fault is not None
    assert found.fault.reason == "path.library-missing"
    with pytest.raises(Unavailable, match=r"libcrypto\.missing"):
        certificate.is_signed_by(authority.issuing.certificate)
    libcrypto.use(None)
    assert len(paths.search(certificate).paths) == 1
