"""The timestamp endpoint over real HTTP."""

import http.client
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from signing_service.timestamping.authority import MAX_REQUEST_BYTES
from signing_service.timestamping.client import check_answer, encode_request

QUERY = "application/timestamp-query"


def exchange(
    url: str, method: str, body: bytes, content_type: str
) -> tuple[int, str | None, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request(method, "/tsa", body, {"Content-Type": content_type})
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type"), response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("content_type", [QUERY, f"{QUERY}; charset=binary", QUERY.upper()])
def test_a_request_is_answered(authority_url: str, content_type: str) -> None:
    request = encode_request(bytes(32), "sha256", nonce=9)

    status, kind, answer = exchange(authority_url, "POST", request, content_type)

    assert (status, kind) == (200, "application/timestamp-reply")
    assert check_answer(answer, bytes(32), "sha256", nonce=9, policy=None)


@pytest.mark.parametrize(
    ("method", "body", "content_type", "status"),
    [
        ("GET", b"", QUERY, 405),
        ("PUT", b"x", QUERY, 405),
        ("POST", b"x", "application/json", 415),
        ("POST", b"x", "", 415),
        ("POST", bytes(MAX_REQUEST_BYTES + 1), QUERY, 413),
    ],
)
def test_other_requests_are_refused(
    authority_url: str, method: str, body: bytes, content_type: str, status: int
) -> None:
    assert exchange(authority_url, method, body, content_type)[0] == status


def test_junk_is_answered_with_a_refusal(authority_url: str) -> None:
    status, kind, answer = exchange(authority_url, "POST", b"junk", QUERY)

    assert (status, kind) == (200, "application/timestamp-reply")
    assert answer.startswith(b"\x30")


def test_openssl_asks(authority_url: str, tmp_path: Path) -> None:
    """The way a stranger asks."""
    (tmp_path / "data").write_bytes(b"data")
    query = "openssl ts -query -data data -sha256 -cert -out q.tsq"
    subprocess.run(query.split(), cwd=tmp_path, check=True, capture_output=True)
    request = (tmp_path / "q.tsq").read_bytes()

    (tmp_path / "a.tsr").write_bytes(exchange(authority_url, "POST", request, QUERY)[2])

    reply = subprocess.run(
        ["openssl", "ts", "-reply", "-in", "a.tsr", "-text"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    assert b"Status: Granted" in reply.stdout
