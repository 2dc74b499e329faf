"""The holder's side of a conversation, with a service that means no good."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from kernel.refusals import Unavailable
from portseal.holder import service as holder_service
from portseal.holder.service import Service

_PIECE = b" " * (1 << 16)
_MOST = 1 << 20
_SENT = 64 << 20


class Flood(BaseHTTPRequestHandler):
    """Answers with far more than anybody expects, and counts what was taken."""

    taken = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            for _ in range(_SENT // len(_PIECE)):
                self.wfile.write(_PIECE)
                Flood.taken += len(_PIECE)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Flood) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_answer_is_not_read_beyond_what_is_expected(
    origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder_service, "_MAX_ANSWER_BYTES", _MOST)
    with pytest.raises(Unavailable, match="too large"):
        Service(origin).fetch("GET", "/")
    assert Flood.taken < _SENT / 2, "what the kernel holds in between, and no more"
