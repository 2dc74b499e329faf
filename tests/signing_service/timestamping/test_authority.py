"""The timestamp authority answers openssl's requests, and refuses in RFC 3161's words."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat import asn1
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel.algorithms import ECDSA_P384_SHA384, RSA_PKCS1_SHA256, AlgorithmSuite
from kernel.asn1 import der, tsp
from kernel.clock import FixedClock, SystemClock
from kernel.entropy import SystemEntropy
from kernel.refusals import Unavailable, Unprocessable
from signing_service.timestamping.authority import Accuracy, Failure, TimestampAuthority
from signing_service.timestamping.client import check_answer, encode_request
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import TimestampKind
from tests.signing_service.timestamping.conftest import POLICY
from tests.software_keys import SoftwareAuthority, SoftwareKey, write_pem

IMPRINT = bytes(32)
SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))


def failure(answer: bytes) -> Failure:
    """The one PKIFailureInfo bit of a rejection."""
    response = asn1.decode_der(tsp.TimeStampResp, answer)
    assert response.status.status == tsp.REJECTION
    assert response.status.status_string
    assert response.token is None
    assert response.status.fail_info is not None
    octets = response.status.fail_info.as_bytes()
    (bit,) = (i for i in range(8 * len(octets)) if octets[i // 8] & (0x80 >> i % 8))
    return Failure(bit)


def openssl(directory: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *command.split()], cwd=directory, capture_output=True, text=True
    )


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("flags", ["", "-cert", "-cert -no_nonce", f"-tspolicy {POLICY}"])
def test_openssl_accepts_the_answer(
    tmp_path: Path, digest: str, flags: str, authority: TimestampAuthority,
    pki: SoftwareAuthority,
) -> None:  # fmt: skip
    (tmp_path / "data").write_bytes(b"what is stamped")
    query = openssl(tmp_path, f"ts -query -data data -{digest} {flags} -out query.tsq")
    assert query.returncode == 0, query.stderr

    answer = authority.answer((tmp_path / "query.tsq").read_bytes())

    (tmp_path / "answer.tsr").write_bytes(answer)
    write_pem(tmp_path / "root.pem", [pki.root.certificate])
    write_pem(tmp_path / "chain.pem", [authority.certificate, pki.issuing.certificate])
    verify = "ts -verify -in answer.tsr -CAfile root.pem -untrusted chain.pem"
    for against in ("-queryfile query.tsq", "-data data"):
        done = openssl(tmp_path, f"{verify} {against}")
        assert "Verification: OK" in done.stdout + done.stderr, done.stderr
    (tmp_path / "data").write_bytes(b"something else")
    assert openssl(tmp_path, f"{verify} -data data").returncode != 0
    text = openssl(tmp_path, "ts -reply -in answer.tsr -text").stdout
    assert "Status: Granted" in text
    assert f"Policy OID: {POLICY}" in text
    assert "Ordering: no" in text


@pytest.mark.parametrize("suite", [ECDSA_P384_SHA384, RSA_PKCS1_SHA256], ids=lambda s: s.name)
def test_other_keys(tmp_path: Path, suite: AlgorithmSuite, pki: SoftwareAuthority) -> None:
    tsa = pki.timestamp_authority(suite=suite)
    authority = TimestampAuthority(
        tsa.key, tsa.certificate, tsa.chain, POLICY, SystemClock(), SystemEntropy()
    )
    (tmp_path / "data").write_bytes(b"data")
    openssl(tmp_path, "ts -query -data data -sha512 -cert -out query.tsq")
    (tmp_path / "a.tsr").write_bytes(authority.answer((tmp_path / "query.tsq").read_bytes()))
    write_pem(tmp_path / "root.pem", [pki.root.certificate])

    done = openssl(tmp_path, "ts -verify -in a.tsr -CAfile root.pem -queryfile query.tsq")

    assert "Verification: OK" in done.stdout + done.stderr, done.stderr


def test_what_the_token_says(pki: SoftwareAuthority) -> None:
    at = datetime(2026, 11, 21, 8, 30, 15, 123456, UTC)
    tsa = pki.timestamp_authority()
    authority = TimestampAuthority(
        tsa.key, tsa.certificate, tsa.chain, POLICY, FixedClock(at), SystemEntropy(),
        Accuracy(seconds=0, milliseconds=500),
    )  # fmt: skip

    tokens = [
        check_answer(
            authority.answer(encode_request(IMPRINT, "sha256", nonce=n)),
            IMPRINT, "sha256", nonce=n, policy=POLICY,
        )
        for n in (0, 1 << 127)
    ]  # fmt: skip

    first, second = (read_timestamp(t, TimestampKind.SIGNATURE, b"other") for t in tokens)
    assert first.generated_at == at.replace(microsecond=123000)
    assert first.accuracy_seconds == 0.5
    assert first.policy == POLICY
    assert first.serial != second.serial
    assert first.serial > 0
    assert first.signature.signing_certificate == tsa.certificate
    assert set(first.signature.embedded_certificates) == {tsa.certificate, *tsa.chain}
    assert not first.imprint.intact


def test_certificates_only_where_asked(authority: TimestampAuthority) -> None:
    request = der.sequence(der.integer(1), der.sequence(SHA256, der.octet_string(IMPRINT)))

    answer = authority.answer(request)

    assert authority.certificate.der not in answer
    assert authority.certificate.der in authority.answer(
        encode_request(IMPRINT, "sha256", nonce=None)
    )


def imprint(algorithm: bytes = SHA256, hashed: bytes = IMPRINT) -> bytes:
    return der.sequence(algorithm, der.octet_string(hashed))


EXTENSION = der.sequence(der.oid("1.2.3"), der.octet_string(b""))


@pytest.mark.parametrize(
    ("request_der", "expected"),
    [
        (b"", Failure.BAD_DATA_FORMAT),
        (b"hello", Failure.BAD_DATA_FORMAT),
        (der.sequence(der.integer(1), imprint()) + b"\x00", Failure.BAD_DATA_FORMAT),
        (b"\x30\x80\x02\x01\x01" + imprint() + b"\x00\x00", Failure.BAD_DATA_FORMAT),
        (der.sequence(der.integer(2), imprint()), Failure.BAD_REQUEST),
        (der.sequence(der.integer(1), imprint(der.sequence(der.oid("1.3.14.3.2.26")), bytes(20))),
         Failure.BAD_ALG),
        (der.sequence(der.integer(1), imprint(der.sequence(der.oid("1.2.3")))), Failure.BAD_ALG),
        (der.sequence(der.integer(1), imprint(der.sequence())), Failure.BAD_ALG),
        (der.sequence(der.integer(1), imprint(hashed=bytes(31))), Failure.BAD_DATA_FORMAT),
        (der.sequence(der.integer(1), imprint(), der.oid("1.2.3")), Failure.UNACCEPTED_POLICY),
        (der.sequence(der.integer(1), imprint(), der.explicit(0, EXTENSION)),
         Failure.UNACCEPTED_EXTENSION),
        (der.sequence(der.integer(1), imprint(), der.integer(1 << 600)), Failure.BAD_REQUEST),
        (der.sequence(der.integer(1), imprint(), der.integer(1 << 99999)), Failure.BAD_REQUEST),
    ],
)  # fmt: skip
def test_refusals_name_the_failure(
    request_der: bytes, expected: Failure, authority: TimestampAuthority
) -> None:
    assert failure(authority.answer(request_der)) is expected


def test_openssl_reads_a_refusal(tmp_path: Path, authority: TimestampAuthority) -> None:
    (tmp_path / "a.tsr").write_bytes(authority.answer(b""))

    text = openssl(tmp_path, "ts -reply -in a.tsr -text").stdout

    assert "Status: Rejected" in text
    assert "the data submitted has the wrong format" in text


def with_health(pki: SoftwareAuthority, healthy: Callable[[], bool]) -> TimestampAuthority:
    tsa = pki.timestamp_authority()
    return TimestampAuthority(
        tsa.key, tsa.certificate, tsa.chain, POLICY, SystemClock(), SystemEntropy(),
        clock_health=healthy,
    )  # fmt: skip


def test_no_time_is_stamped_that_cannot_be_trusted(pki: SoftwareAuthority) -> None:
    healthy = iter([True, False])
    authority = with_health(pki, lambda: next(healthy))
    request = encode_request(IMPRINT, "sha256", nonce=1)

    check_answer(authority.answer(request), IMPRINT, "sha256", nonce=1, policy=None)

    assert failure(authority.answer(request)) is Failure.TIME_NOT_AVAILABLE


class _PulledKey(SoftwareKey):
    def sign(self, message: bytes) -> bytes:
        raise Unavailable("token.missing", "the token is not there")


def test_a_pulled_token_is_a_system_failure(pki: SoftwareAuthority) -> None:
    tsa = pki.timestamp_authority()
    key = _PulledKey(tsa.key.private_key, tsa.key.suite)
    authority = TimestampAuthority(
        key, tsa.certificate, tsa.chain, POLICY, SystemClock(), SystemEntropy()
    )

    answer = authority.answer(encode_request(IMPRINT, "sha256", nonce=1))

    assert failure(answer) is Failure.SYSTEM_FAILURE


def test_a_certificate_for_something_else_is_refused(pki: SoftwareAuthority) -> None:
    signer, tsa = pki.signer(), pki.timestamp_authority()
    for key, certificate in ((signer.key, signer.certificate), (signer.key, tsa.certificate)):
        with pytest.raises(Unprocessable, match=r"timestamp\.certificate-unfit"):
            TimestampAuthority(key, certificate, (), POLICY, SystemClock(), SystemEntropy())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request_der=st.binary(max_size=100))
def test_any_request_gets_an_answer(request_der: bytes, authority: TimestampAuthority) -> None:
    assert failure(authority.answer(request_der)) in set(Failure)


GOOD_REQUEST = encode_request(IMPRINT, "sha256", nonce=77, policy=POLICY)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(position=st.integers(0, len(GOOD_REQUEST) - 1), change=st.integers(1, 255))
def test_any_flipped_byte_gets_an_answer(
    position: int, change: int, authority: TimestampAuthority
) -> None:
    changed = bytearray(GOOD_REQUEST)
    changed[position] ^= change

    response = asn1.decode_der(tsp.TimeStampResp, authority.answer(bytes(changed)))

    assert (response.token is None) == (response.status.status == tsp.REJECTION)


def test_several_policies(pki: SoftwareAuthority) -> None:
    tsa = pki.timestamp_authority()
    authority = TimestampAuthority(
        tsa.key, tsa.certificate, tsa.chain, POLICY, SystemClock(), SystemEntropy(),
        further_policies=("1.2.3.4",),
    )  # fmt: skip
    for asked, given_policy in ((None, POLICY), (POLICY, POLICY), ("1.2.3.4", "1.2.3.4")):
        answer = authority.answer(encode_request(IMPRINT, "sha256", nonce=1, policy=asked))
        token = check_answer(answer, IMPRINT, "sha256", nonce=1, policy=asked)
        assert read_timestamp(token, TimestampKind.SIGNATURE, None).policy == given_policy
    other = authority.answer(encode_request(IMPRINT, "sha256", nonce=1, policy="1.2.3.5"))
    assert failure(other) is Failure.UNACCEPTED_POLICY


def test_promised_order_is_kept_within_one_microsecond(
    pki: SoftwareAuthority, tmp_path: Path
) -> None:
    tsa = pki.timestamp_authority()
    authority = TimestampAuthority(
        tsa.key, tsa.certificate, tsa.chain, POLICY,
        FixedClock(datetime(2026, 11, 21, 8, tzinfo=UTC)), SystemEntropy(), ordering=True,
    )  # fmt: skip
    answers = [authority.answer(encode_request(IMPRINT, "sha256", nonce=n)) for n in range(5)]
    times = [
        read_timestamp(
            check_answer(a, IMPRINT, "sha256", nonce=n, policy=None),
            TimestampKind.SIGNATURE, None,
        ).generated_at
        for n, a in enumerate(answers)
    ]  # fmt: skip

    assert times == sorted(set(times))
    (tmp_path / "a.tsr").write_bytes(answers[0])
    assert "Ordering: yes" in openssl(tmp_path, "ts -reply -in a.tsr -text").stdout


def test_ordered_times_stay_within_the_accuracy_that_they_state(pki: SoftwareAuthority) -> None:
    tsa = pki.timestamp_authority()
    clock = FixedClock(datetime(2026, 11, 21, 8, tzinfo=UTC))
    authority = TimestampAuthority(
        tsa.key, tsa.certificate, tsa.chain, POLICY, clock, SystemEntropy(),
        Accuracy(seconds=0, milliseconds=1), ordering=True,
    )  # fmt: skip
    request = encode_request(IMPRINT, "sha256", nonce=None)

    answers = [authority.answer(request) for _ in range(103)]  # at one frozen moment

    times = [_time_of(answer) for answer in answers[:101]]
    assert times == sorted(set(times))
    assert times[-1] - clock.now() < timedelta(milliseconds=1)
    assert [failure(each) for each in answers[101:]] == [Failure.TIME_NOT_AVAILABLE] * 2
    clock.advance(timedelta(milliseconds=1))
    assert _time_of(authority.answer(request)) == clock.now()


def test_a_clock_that_was_set_back_is_not_told_on_for_the_sake_of_order(
    pki: SoftwareAuthority,
) -> None:
    tsa = pki.timestamp_authority()
    clock = FixedClock(datetime(2026, 11, 21, 8, tzinfo=UTC))
    authority = TimestampAuthority(
        tsa.key, tsa.certificate, tsa.chain, POLICY, clock, SystemEntropy(), ordering=True
    )
    request = encode_request(IMPRINT, "sha256", nonce=None)
    before = _time_of(authority.answer(request))

    clock.advance(timedelta(seconds=-2))
    assert failure(authority.answer(request)) is Failure.TIME_NOT_AVAILABLE
    clock.advance(timedelta(seconds=2))
    assert _time_of(authority.answer(request)) > before


def _time_of(answer: bytes) -> datetime:
    token = check_answer(answer, IMPRINT, "sha256", nonce=None, policy=None)
    return read_timestamp(token, TimestampKind.SIGNATURE, None).generated_at
