"""The client believes only an answer to its own question."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from kernel.asn1 import der
from kernel.refusals import Malformed, Unavailable, Unprocessable
from signing_service.timestamping.authority import TimestampAuthority
from signing_service.timestamping.client import (
    HttpTimestamper,
    LocalTimestamper,
    check_answer,
    encode_request,
)
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import TimestampKind
from tests.signing_service.timestamping.conftest import POLICY

IMPRINT = bytes(range(32))


def test_http_and_local_give_tokens(authority: TimestampAuthority, authority_url: str) -> None:
    for timestamper in (
        LocalTimestamper(authority),
        HttpTimestamper(authority_url),
        HttpTimestamper(authority_url, policy=POLICY),
    ):
        token = timestamper.stamp(IMPRINT, "sha256")

        evidence = read_timestamp(token, TimestampKind.SIGNATURE, None)
        assert evidence.imprint.expected == IMPRINT
        assert evidence.policy == POLICY


def test_times_do_not_run_backwards(authority: TimestampAuthority) -> None:
    timestamper = LocalTimestamper(authority)
    times = [
        read_timestamp(timestamper.stamp(IMPRINT, "sha256"), TimestampKind.SIGNATURE, None)
        for _ in range(5)
    ]

    assert all(a.generated_at <= b.generated_at for a, b in pairwise(times))


def answer(authority: TimestampAuthority, nonce: int | None = 5) -> bytes:
    return authority.answer(encode_request(IMPRINT, "sha256", nonce=nonce))


@pytest.mark.parametrize(
    ("imprint", "digest", "nonce", "policy"),
    [
        (bytes(32), "sha256", 5, None),
        (IMPRINT, "sha384", 5, None),
        (IMPRINT, "sha256", 6, None),
        (IMPRINT, "sha256", None, None),
        (IMPRINT, "sha256", 5, "1.2.3"),
    ],
)
def test_an_answer_to_another_question_is_refused(
    imprint: bytes, digest: str, nonce: int | None, policy: str | None,
    authority: TimestampAuthority,
) -> None:  # fmt: skip
    with pytest.raises(Unavailable, match=r"timestamp\.bad-answer"):
        check_answer(answer(authority), imprint, digest, nonce=nonce, policy=policy)


def test_a_changed_answer_is_refused_or_says_the_same(authority: TimestampAuthority) -> None:
    good = answer(authority)
    token = check_answer(good, IMPRINT, "sha256", nonce=5, policy=POLICY)
    original = read_timestamp(token, TimestampKind.SIGNATURE, None)
    refused = 0
    for position in range(0, len(good), 5):
        changed = bytearray(good)
        changed[position] ^= 1
        try:
            token = check_answer(bytes(changed), IMPRINT, "sha256", nonce=5, policy=POLICY)
        except Unavailable:
            refused += 1
            continue
        # What the signature does not cover: other certificates, the answer's status.
        accepted = read_timestamp(token, TimestampKind.SIGNATURE, None)
        assert accepted.generated_at == original.generated_at
        assert accepted.serial == original.serial
        assert accepted.signature.signing_certificate == authority.certificate
    assert refused > 100


@pytest.mark.parametrize("data", [b"", b"junk", der.sequence(der.sequence(der.integer(0)))])
def test_junk_is_refused(data: bytes) -> None:
    with pytest.raises(Unavailable):
        check_answer(data, IMPRINT, "sha256", nonce=5, policy=None)


def test_a_refusal_is_told_with_its_reason(authority: TimestampAuthority) -> None:
    with pytest.raises(Unavailable) as refusal:
        check_answer(authority.answer(b"junk"), IMPRINT, "sha256", nonce=None, policy=None)

    assert refusal.value.code == "timestamp.refused"
    assert refusal.value.facts["failure"] == "bad-data-format"


@contextmanager
def raw_server(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that answers one connection as `behave` wants."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            connection.recv(65536)
            try:
                behave(connection)
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        thread.join()
        listener.close()


def _trickle(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    hung_up = threading.Event()
    while not hung_up.wait(0.05):
        connection.sendall(b"x")


def _never(connection: socket.socket) -> None:
    connection.recv(1)


def _huge(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(200_000))


def _redirect(connection: socket.socket) -> None:
    connection.sendall(
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"
    )


def _not_http(connection: socket.socket) -> None:
    connection.sendall(b"hello\r\n\r\n")


def _stranger(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")


@pytest.mark.parametrize(
    ("behave", "code"),
    [
        (_trickle, "timestamp.unavailable"),
        (_never, "timestamp.unavailable"),
        (_redirect, "timestamp.unavailable"),
        (_not_http, "timestamp.unavailable"),
        (_huge, "timestamp.bad-answer"),
        (_stranger, "timestamp.bad-answer"),
    ],
)
def test_an_authority_that_misbehaves_is_given_up(
    behave: Callable[[socket.socket], None], code: str
) -> None:
    with raw_server(behave) as url, pytest.raises(Unavailable) as refusal:
        HttpTimestamper(url, timeout=0.3).stamp(IMPRINT, "sha256")

    assert refusal.value.code == code


def test_nobody_there() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    server.close()

    with pytest.raises(Unavailable, match=r"timestamp\.unavailable"):
        HttpTimestamper(f"http://127.0.0.1:{port}/", timeout=0.3).stamp(IMPRINT, "sha256")


@pytest.mark.parametrize("url", ["", "file:///etc/hostname", "ftp://x/", "http://", "http://u@h/"])
def test_addresses_are_http(url: str) -> None:
    with pytest.raises(Unprocessable, match=r"timestamp\.url"):
        HttpTimestamper(url)


@pytest.mark.parametrize("token", [b"", b"junk", bytes(100_000), der.sequence()])
def test_junk_is_no_token(token: bytes) -> None:
    with pytest.raises(Malformed):
        read_timestamp(token, TimestampKind.SIGNATURE, b"")
