"""Lints of OCSP answers catch what is wrong in one thing; pkilint's verdict stands beside."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ca.inventory import RevocationReason
from ca.ocsp.messages import (
    GOOD,
    NEVER_ISSUED,
    UNKNOWN,
    CertId,
    IssuerHashes,
    SingleStatus,
    archive_cutoff,
    certificate_id,
    response_data,
    revoked,
    single_response,
)
from kernel.asn1 import der
from kernel.refusals import Malformed
from policies.lints.ocsp.catalogue import LINTS, lint_answer
from policies.lints.ocsp.framework import read
from tests.software_keys import SoftwareAuthority

AUTHORITY = SoftwareAuthority()
RESPONDER = AUTHORITY.ocsp_responder().certificate
IDENTIFIER = RESPONDER.subject_key_identifier or b""
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
NAMED = certificate_id(
    IssuerHashes.of("sha1", AUTHORITY.issuing.certificate.subject_der, b"key"), 4711
)
CERTIFICATE = CertId(NAMED, "sha1", b"", b"", 4711)


def single(
    status: SingleStatus = GOOD,
    this: datetime = NOW,
    following: datetime | None = NOW + HOUR,
    extensions: bytes = b"",
) -> bytes:
    end = None if following is None else der.generalized_time(following)
    return single_response(CERTIFICATE, status, der.generalized_time(this), end, extensions)


def data(
    *singles: bytes,
    key_hash: bytes = IDENTIFIER,
    produced: datetime = NOW,
    nonce: bytes | None = None,
    extended: bool = False,
) -> bytes:
    return response_data(
        key_hash, der.generalized_time(produced), singles or [single()], nonce, extended
    )


def of_reason(number: int) -> SingleStatus:
    reason = der.explicit(0, der.tlv(0x0A, bytes((number,))))
    return SingleStatus(der.explicit(1, der.generalized_time(NOW - HOUR) + reason))


NONCE = der.octet_string(b"n" * 32)
CUTOFF = archive_cutoff(NOW - 100 * HOUR)
HELD = revoked(NOW - HOUR, RevocationReason.CERTIFICATE_HOLD)


@pytest.mark.parametrize(
    "right",
    [
        data(),
        data(nonce=NONCE),
        data(single(HELD, extensions=CUTOFF), single(UNKNOWN)),
        data(single(revoked(NOW, RevocationReason.UNSPECIFIED))),
        data(single(NEVER_ISSUED, following=None), extended=True, nonce=NONCE),
    ],
)
def test_a_right_answer_passes_every_lint(right: bytes) -> None:
    assert lint_answer(read(right, RESPONDER)) == []


@pytest.mark.parametrize(
    ("lint", "wrong"),
    [
        ("ocsp-responder", lambda: data(key_hash=b"x" * 20)),
        ("ocsp-responder", lambda: data(produced=RESPONDER.not_after + HOUR)),
        ("ocsp-times", lambda: data(single(this=NOW + HOUR, following=NOW + 2 * HOUR))),
        ("ocsp-times", lambda: data(single(following=NOW))),
        ("ocsp-times", lambda: data(single(following=NOW + timedelta(days=8)))),
        ("ocsp-times", lambda: data(single(following=RESPONDER.not_after + HOUR))),
        ("ocsp-status", lambda: data(single(revoked(NOW + HOUR, RevocationReason.SUPERSEDED)))),
        ("ocsp-status", lambda: data(single(of_reason(0)))),
        ("ocsp-status", lambda: data(single(of_reason(8)))),
        ("ocsp-status", lambda: data(single(SingleStatus(der.implicit(3, b""))))),
        ("ocsp-status", lambda: data(single(SingleStatus(der.implicit(0, b"x"))))),
        ("ocsp-status", lambda: data(single(NEVER_ISSUED, following=None))),
        ("ocsp-status", lambda: data(single(NEVER_ISSUED), extended=True)),
        (
            "ocsp-status",
            lambda: data(single(NEVER_ISSUED, following=None, extensions=CUTOFF), extended=True),
        ),
        ("ocsp-status", lambda: data(extended=True)),
        ("ocsp-extensions", lambda: data(nonce=der.octet_string(b""))),
        ("ocsp-extensions", lambda: data(nonce=der.octet_string(b"n" * 129))),
        ("ocsp-extensions", lambda: data(nonce=b"bare")),
        (
            "ocsp-extensions",
            lambda: data(
                single(
                    extensions=der.explicit(
                        1, der.sequence(der.sequence(der.oid("1.2.3"), der.octet_string(b"")))
                    )
                )
            ),
        ),
    ],
)
def test_one_wrong_thing_is_caught(lint: str, wrong: Callable[[], bytes]) -> None:
    found = lint_answer(read(wrong(), RESPONDER))
    assert lint in {finding.lint for finding in found}


def test_another_certificate_than_a_responder_s_is_caught() -> None:
    found = lint_answer(read(data(), AUTHORITY.issuing.certificate))
    assert {finding.lint for finding in found} == {"ocsp-responder"}


def test_what_is_no_answer_is_refused() -> None:
    for wrong in (b"", b"\x30\x00", data()[:-1], data() + b"\x00"):
        with pytest.raises(Malformed) as refusal:
            lint_answer(read(wrong, RESPONDER))
        assert refusal.value.code == "ocsp.malformed"


def test_every_lint_has_a_name_of_its_own() -> None:
    assert len({lint.name for lint in LINTS}) == len(LINTS)
