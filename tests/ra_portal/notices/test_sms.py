"""Text messages: the documented request, over real HTTP, and the spool for trying things out."""

import json
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kernel.refusals import Unavailable
from ra_portal.notices.channels import Letter
from ra_portal.notices.sms import HttpSmsGateway, SpoolGateway
from records.outbox import Deferred, Undeliverable

LETTER = Letter("b" * 32, "+8613900000000", "", "验证码 12345678")


@contextmanager
def provider(status: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A web server that answers so; its address, and the requests that it got."""
    seen: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append({"token": self.headers["Authorization"], **json.loads(body)})
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/send", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    return path


def test_the_request_is_the_documented_one(token: Path) -> None:
    with provider(202) as (url, seen):
        HttpSmsGateway(url, token).send(LETTER)
    assert seen == [
        {"token": "Bearer s3cret", "id": "b" * 32, "to": LETTER.to, "text": LETTER.text}
    ]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(400, Undeliverable), (401, Unavailable), (429, Deferred), (503, Unavailable)],
)
def test_refusals_are_told_apart(token: Path, status: int, outcome: type[Exception]) -> None:
    with provider(status) as (url, _), pytest.raises(outcome) as caught:
        HttpSmsGateway(url, token).send(LETTER)
    assert "s3cret" not in str(caught.value)


def test_a_gateway_that_is_away_is_waited_for(token: Path) -> None:
    with provider(200) as (url, _):
        pass
    with pytest.raises(Unavailable, match=r"sms\.unavailable"):
        HttpSmsGateway(url, token).send(LETTER)


def test_the_spool_is_for_the_service_alone(tmp_path: Path) -> None:
    SpoolGateway(tmp_path / "sms").send(LETTER)
    SpoolGateway(tmp_path / "sms").send(LETTER)
    (file,) = (tmp_path / "sms").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.read_text() == "To: +8613900000000\n\n验证码 12345678\n"
