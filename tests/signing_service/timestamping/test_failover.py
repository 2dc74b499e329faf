"""Authorities that are slow, wrong or silent are passed over, and not asked again for a while."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from kernel.refusals import Unavailable
from signing_service.timestamping.authority import TimestampAuthority
from signing_service.timestamping.client import (
    HttpTimestamper,
    LocalTimestamper,
    encode_request,
)
from signing_service.timestamping.failover import FailoverTimestamper

IMPRINT = bytes(range(32))
Behaviour = Callable[[socket.socket, threading.Event], None]


@contextmanager
def authority_that(behaves: Behaviour) -> Iterator[tuple[str, list[int]]]:
    """A real server on a socket; its address, and one entry for each connection it got."""
    over, calls = threading.Event(), list[int]()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                calls.append(1)
                thread = threading.Thread(target=answer, args=(connection,))
                threads.append(thread)
                thread.start()

        def answer(connection: socket.socket) -> None:
            with connection:
                connection.settimeout(5)
                with suppress(OSError):  # the client has gone
                    behaves(connection, over)

        acceptor = threading.Thread(target=serve)
        acceptor.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/tsa", calls
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            for thread in (acceptor, *threads):
                thread.join()


def head(length: int) -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/timestamp-reply\r\n"
        b"Content-Length: %d\r\n\r\n" % length
    )


def never_answers(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(65536)
    over.wait(5)


def trickles_headers(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not over.wait(0.02):
        connection.sendall(b"X: y\r\n")


def trickles_body(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(head(60_000))
    while not over.wait(0.02):
        connection.sendall(b"\x30")


def hangs_up(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(65536)


def talks_nonsense(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(head(4) + b"what")


def is_overloaded(connection: socket.socket, over: threading.Event) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")


def replays_another(authority: TimestampAuthority) -> Behaviour:
    answer = authority.answer(encode_request(bytes(32), "sha256", nonce=1))

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(head(len(answer)) + answer)

    return behave


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (never_answers, "timestamp.unavailable"),
        (trickles_headers, "timestamp."),
        (trickles_body, "timestamp.unavailable"),
        (hangs_up, "timestamp.unavailable"),
        (talks_nonsense, "timestamp.bad-answer"),
        (is_overloaded, "timestamp.unavailable: no success status, status 503"),
        (None, "timestamp.bad-answer: another"),
    ],
)
def test_the_next_one_answers(
    behaviour: Behaviour | None, reason: str, authority: TimestampAuthority
) -> None:
    with authority_that(behaviour or replays_another(authority)) as (url, calls):
        first = HttpTimestamper(url, timeout=0.3)
        timestamper = FailoverTimestamper([("first", first), ("own", LocalTimestamper(authority))])

        assert timestamper.stamp(IMPRINT, "sha256")
        assert timestamper.stamp(IMPRINT, "sha256")

        assert len(calls) == 1  # at rest since
        assert timestamper.reasons()["first"].startswith(reason)


class Scripted:
    """A timestamper that fails while told to."""

    def __init__(self, works: bool) -> None:
        self.works = works
        self.asked = 0

    def stamp(self, imprint: bytes, digest: str) -> bytes:
        self.asked += 1
        if not self.works:
            raise Unavailable("timestamp.unavailable", "does not answer")
        return b"token"


def test_the_rest_doubles_and_ends_with_a_good_answer() -> None:
    now = 0.0
    first, second = Scripted(works=False), Scripted(works=True)
    timestamper = FailoverTimestamper(
        [("first", first), ("second", second)],
        rest_seconds=10, longest_rest_seconds=35, steady=lambda: now,
    )  # fmt: skip
    asked_at = []
    for now in range(0, 200, 5):
        before = first.asked
        timestamper.stamp(IMPRINT, "sha256")
        if first.asked > before:
            asked_at.append(now)

    assert asked_at == [0, 10, 30, 65, 100, 135, 170]
    first.works, now = True, 205
    timestamper.stamp(IMPRINT, "sha256")
    assert timestamper.reasons() == {}


def test_all_failing_tells_each_ones_reason_and_asks_all_again() -> None:
    one, other = Scripted(works=False), Scripted(works=False)
    timestamper = FailoverTimestamper([("one", one), ("other", other)])
    with pytest.raises(Unavailable) as caught:
        timestamper.stamp(IMPRINT, "sha256")
    assert caught.value.code == "timestamp.unavailable"
    reasons = str(caught.value.facts["reasons"])
    assert "one: timestamp.unavailable" in reasons
    assert "other: timestamp.unavailable" in reasons

    other.works = True

    assert timestamper.stamp(IMPRINT, "sha256") == b"token"
