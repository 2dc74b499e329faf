"""CRLs and OCSP responses that come with a signature: believed only from who may say so."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from kernel.algorithms import RSA_PSS_SHA256, AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Unavailable
from signing_service.ports import CertificateStatus, StatusAnswer
from signing_service.validation.crl import Crl, crl_answer
from signing_service.validation.ocsp import ocsp_answer
from signing_service.validation.paths import PathBuilder
from signing_service.validation.revocation import ON_HOLD, GivenEvidence, RevocationStatus
from tests.signing_service.validation.scenery import DAY, START, YEAR, Ca, Card, StatusBook, World
from tests.software_keys import SoftwareKey, write_pem


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def a_crl(
    ca: Ca,
    revoked: tuple[int, ...] = (),
    this_update: datetime = START,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    key: Ca | None = None,
    revoked_at: datetime = START - timedelta(hours=1),
    reason: x509.ReasonFlags = x509.ReasonFlags.key_compromise,
) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.load_der_x509_certificate(ca.certificate.der).subject)
        .last_update(this_update)
        .next_update(this_update + 7 * DAY)
        .add_extension(x509.CRLNumber(17), critical=False)
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    for serial in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(revoked_at)
            .add_extension(x509.CRLReason(reason), critical=False)
            .build()
        )
    crl = builder.sign((key or ca).key.private_key, hashes.SHA256())
    return crl.public_bytes(serialization.Encoding.DER)


def an_ocsp(
    card: Card,
    issuer: Ca,
    responder: Card | Ca,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    this_update: datetime = START,
    *,
    embed: bool = True,
    algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    signer = x509.load_der_x509_certificate(responder.certificate.der)
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=x509.load_der_x509_certificate(card.certificate.der),
            issuer=x509.load_der_x509_certificate(issuer.certificate.der),
            algorithm=algorithm or hashes.SHA256(),
            cert_status=status,
            this_update=this_update,
            next_update=this_update + DAY,
            revocation_time=START - timedelta(hours=1) if revoked else None,
            revocation_reason=x509.ReasonFlags.key_compromise if revoked else None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
    )
    if embed:
        builder = builder.certificates([signer])
    response = builder.sign(responder.key.private_key, hashes.SHA256())
    return response.public_bytes(serialization.Encoding.DER)


def responder(ca: Ca, *, nocheck: bool = True, purpose: bool = True) -> Card:
    purposes = (ExtendedKeyUsageOID.OCSP_SIGNING,) if purpose else ()
    critical = (x509.OCSPNoCheck(),) if nocheck else ()
    return ca.card("OCSP responder", purposes=purposes, critical=critical, policies=())


def of_crl(world: World, crl: bytes) -> StatusAnswer | None:
    return crl_answer(crl, world.card.certificate, world.issuing.certificate, START)


def of_ocsp(world: World, response: bytes) -> StatusAnswer | None:
    return ocsp_answer(response, world.card.certificate, world.issuing.certificate, START)


# -- CRL -------------------------------------------------------------------------------------------


def test_a_crl_tells_good_and_revoked_with_time_and_reason(world: World) -> None:
    good = of_crl(world, a_crl(world.issuing))
    assert good is not None
    assert good.status is CertificateStatus.GOOD
    assert good.source == "CRL 17"
    revoked = of_crl(world, a_crl(world.issuing, (world.card.certificate.serial,)))
    assert revoked is not None
    assert revoked.status is CertificateStatus.REVOKED
    assert revoked.revoked_at == START - timedelta(hours=1)
    assert revoked.reason == "keyCompromise"


def test_a_crl_of_another_issuer_or_key_is_not_believed(world: World) -> None:
    assert of_crl(world, a_crl(world.root)) is None
    assert of_crl(world, a_crl(world.issuing, key=Ca.root("Thief"))) is None


def test_a_crl_signer_needs_the_key_usage(world: World) -> None:
    mute = world.root.sub("Mute CA", usage=("keyCertSign",))
    card = mute.card()
    assert crl_answer(a_crl(mute), card.certificate, mute.certificate, START) is None


def test_a_crl_from_the_future_is_not_believed(world: World) -> None:
    assert of_crl(world, a_crl(world.issuing, this_update=START + DAY)) is None


@pytest.mark.parametrize(
    "extension",
    [
        x509.DeltaCRLIndicator(3),
        x509.IssuingDistributionPoint(None, None, False, True, None, False, False),
        x509.IssuingDistributionPoint(
            None, None, False, False, frozenset({x509.ReasonFlags.key_compromise}), False, False
        ),
        x509.IssuingDistributionPoint(
            [x509.UniformResourceIdentifier("http://elsewhere/1.crl")],
            None, False, False, None, False, False,
        ),
    ],
    ids=["delta", "for authorities", "some reasons", "another partition"],
)  # fmt: skip
def test_a_crl_out_of_scope_says_nothing(world: World, extension: x509.ExtensionType) -> None:
    assert of_crl(world, a_crl(world.issuing, extensions=((extension, True),))) is None


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"\x30\x80\x00\x00", b"x" * 500])
def test_rubbish_is_no_answer(world: World, data: bytes) -> None:
    assert of_crl(world, data) is None
    assert of_ocsp(world, data) is None


# -- OCSP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()], ids=["sha1", "sha256"])
def test_a_delegated_responder_is_believed(world: World, algorithm: hashes.HashAlgorithm) -> None:
    made = an_ocsp(world.card, world.issuing, responder(world.issuing), algorithm=algorithm)
    answer = of_ocsp(world, made)
    assert answer is not None
    assert answer.status is CertificateStatus.GOOD


def test_the_issuer_itself_is_believed(world: World) -> None:
    status = ocsp.OCSPCertStatus.REVOKED
    made = an_ocsp(world.card, world.issuing, world.issuing, status, embed=False)
    answer = of_ocsp(world, made)
    assert answer is not None
    assert answer.status is CertificateStatus.REVOKED
    assert answer.reason == "keyCompromise"


def test_a_bare_basic_response_is_read_as_well(world: World) -> None:
    whole = an_ocsp(world.card, world.issuing, world.issuing, embed=False)
    _, wrapped = der.children(whole, der.read_only(whole, 0x30))
    body = whole[wrapped.content : wrapped.end]
    _, octets = der.children(body, der.read_only(body, 0x30))
    assert of_ocsp(world, body[octets.content : octets.end]) is not None


def test_an_answer_of_openssl_with_rsa_pss_is_believed(world: World, tmp_path: Path) -> None:
    purposes, critical = (ExtendedKeyUsageOID.OCSP_SIGNING,), (x509.OCSPNoCheck(),)
    signer = world.issuing.card(
        "PSS responder", suite=RSA_PSS_SHA256, purposes=purposes, critical=critical, policies=()
    )
    write_pem(tmp_path / "ca.pem", [world.issuing.certificate])
    write_pem(tmp_path / "card.pem", [world.card.certificate])
    write_pem(tmp_path / "responder.pem", [signer.certificate])
    assert isinstance(signer.key.private_key, rsa.RSAPrivateKey)
    (tmp_path / "responder.key").write_bytes(
        signer.key.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    serial = f"{world.card.certificate.serial:X}"
    serial = serial.zfill(len(serial) + len(serial) % 2)
    (tmp_path / "index.txt").write_text(f"V\t401231235959Z\t\t{serial}\tunknown\t/CN=card\n")
    made_by = (
        "openssl ocsp -index index.txt -CA ca.pem -rsigner responder.pem -rkey responder.key"
        " -sha256 -issuer ca.pem -cert card.pem -rmd sha256 -rsigopt rsa_padding_mode:pss"
        " -rsigopt rsa_pss_saltlen:digest -ndays 1 -noverify -respout made.der"
    )
    subprocess.run(made_by.split(), cwd=tmp_path, check=True, capture_output=True)
    card, issuer = world.card.certificate, world.issuing.certificate
    made = (tmp_path / "made.der").read_bytes()
    answer = ocsp_answer(made, card, issuer, datetime.now(UTC) + timedelta(minutes=1))
    assert answer is not None
    assert (answer.status, answer.suite) == (CertificateStatus.GOOD, RSA_PSS_SHA256.name)


@pytest.mark.parametrize(
    ("digest", "mask", "salt", "suite"),
    [
        (hashes.SHA256(), hashes.SHA256(), 32, RSA_PSS_SHA256),
        (hashes.SHA384(), hashes.SHA384(), 48, None),
        (hashes.SHA256(), hashes.SHA256(), 20, None),
        (hashes.SHA256(), hashes.SHA512(), 32, None),
    ],
)
def test_a_list_is_taken_for_what_its_parameters_say(
    world: World,
    digest: hashes.SHA256 | hashes.SHA384,
    mask: hashes.HashAlgorithm,
    salt: int,
    suite: AlgorithmSuite | None,
) -> None:
    key = SoftwareKey.generate(RSA_PSS_SHA256).private_key
    assert isinstance(key, rsa.RSAPrivateKey)
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.load_der_x509_certificate(world.issuing.certificate.der).subject)
        .last_update(START)
        .next_update(START + DAY)
        .sign(key, digest, rsa_padding=padding.PSS(padding.MGF1(mask), salt))
    )
    parsed = Crl.parse(made.public_bytes(serialization.Encoding.DER))
    assert parsed is not None
    assert parsed.suite is suite


@pytest.mark.parametrize(
    "kind", ["a card", "no purpose", "to be checked itself", "another authority's"]
)
def test_who_was_not_delegated_is_not_believed(world: World, kind: str) -> None:
    signer = {
        "a card": lambda: world.card,
        "no purpose": lambda: responder(world.issuing, purpose=False),
        "to be checked itself": lambda: responder(world.issuing, nocheck=False),
        "another authority's": lambda: responder(world.root),
    }[kind]()
    assert of_ocsp(world, an_ocsp(world.card, world.issuing, signer)) is None


def test_an_answer_about_another_certificate_says_nothing(world: World) -> None:
    other = world.issuing.card("李四")
    assert of_ocsp(world, an_ocsp(other, world.issuing, world.issuing)) is None


def test_an_answer_about_the_same_serial_of_another_issuer_says_nothing(world: World) -> None:
    twin = world.root.sub("Twin CA")
    card = Card(world.card.key, world.card.certificate)
    assert of_ocsp(world, an_ocsp(card, twin, world.issuing)) is None


def test_a_changed_answer_is_not_believed(world: World) -> None:
    made = bytearray(an_ocsp(world.card, world.issuing, world.issuing, embed=False))
    made[-5] ^= 1
    assert of_ocsp(world, bytes(made)) is None


# -- together --------------------------------------------------------------------------------------


def status_of(world: World, given: GivenEvidence, at: datetime) -> StatusAnswer | None:
    """What is known of the world's card when no record speaks."""
    paths = PathBuilder(world.anchors())
    (path,) = paths.search(world.card.certificate).paths
    issuer = world.issuing.certificate
    return RevocationStatus((), paths).of(world.card.certificate, path, issuer, (given,), at)


def test_revoked_beats_good_among_what_was_given(world: World) -> None:
    given = GivenEvidence(
        (a_crl(world.issuing, (world.card.certificate.serial,), START - DAY),),
        (an_ocsp(world.card, world.issuing, world.issuing),),
    )
    answer = status_of(world, given, START)
    assert answer is not None
    assert answer.status is CertificateStatus.REVOKED


@pytest.mark.parametrize("order", [1, -1])
def test_a_hold_that_was_released_counts_no_more(world: World, order: int) -> None:
    held = x509.ReasonFlags.certificate_hold
    serials = (world.card.certificate.serial,)
    before = a_crl(world.issuing, serials, START - DAY, reason=held)
    released = status_of(world, GivenEvidence((before, a_crl(world.issuing))[::order]), START)
    assert released is not None
    assert (released.status, released.this_update) == (CertificateStatus.GOOD, START)

    again = a_crl(world.issuing, serials, reason=held)
    earlier = a_crl(world.issuing, (), START - DAY)
    answer = status_of(world, GivenEvidence((earlier, again)[::order]), START)
    assert answer is not None
    assert (answer.status, answer.reason) == (CertificateStatus.REVOKED, ON_HOLD)


def test_a_good_answer_of_the_same_moment_releases_no_hold(world: World) -> None:
    held = a_crl(
        world.issuing, (world.card.certificate.serial,), reason=x509.ReasonFlags.certificate_hold
    )
    good = an_ocsp(world.card, world.issuing, world.issuing)
    answer = status_of(world, GivenEvidence((held,), (good,)), START)
    assert answer is not None
    assert answer.status is CertificateStatus.REVOKED


def test_good_from_after_the_expiry_means_nothing(world: World) -> None:
    late = START + 3 * YEAR
    given = GivenEvidence((a_crl(world.issuing, this_update=late),))
    assert status_of(world, given, late) is None


def test_a_signature_passes_on_embedded_status_alone_until_it_is_stale() -> None:
    world = World()
    world.book.issuers.clear()
    crls = (a_crl(world.root), a_crl(world.issuing))
    evidence = world.signed(embedded_crls=crls)
    passed = world.judge(evidence)
    assert passed.conclusion.passed
    stale = world.judge(evidence, 8 * DAY)
    assert stale.conclusion.reason == "revocation.stale"
    assert str(stale.conclusion.sub_indication) == "TRY_LATER"


def test_a_certificate_that_its_authority_never_issued_does_not_pass() -> None:
    class Amnesia(StatusBook):
        def status(self, certificate: Certificate, issuer: Certificate) -> StatusAnswer | None:
            return StatusAnswer(CertificateStatus.UNKNOWN, self.clock.now(), source="records")

    world = World()
    world.book = Amnesia(world.clock)
    # Even a list that calls it good cannot speak louder than the authority's own records.
    evidence = world.signed(embedded_crls=(a_crl(world.root), a_crl(world.issuing)))
    assert world.judge(evidence).conclusion.reason == "revocation.not-issued"


def test_a_database_that_cannot_be_asked_is_no_answer() -> None:
    class Broken(StatusBook):
        def status(self, certificate: Certificate, issuer: Certificate) -> StatusAnswer | None:
            raise Unavailable("database.unavailable", "locked")

    world = World()
    world.book = Broken(world.clock)
    assert world.judge(world.signed()).conclusion.reason == "revocation.unknown"
    evidence = world.signed(embedded_crls=(a_crl(world.root), a_crl(world.issuing)))
    assert world.judge(evidence).conclusion.passed
