"""A timestamp authority with a software key, in process and over HTTP."""

import threading
from collections.abc import Iterator
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from kernel.clock import SystemClock
from kernel.entropy import SystemEntropy
from signing_service.timestamping.authority import TimestampAuthority
from signing_service.timestamping.web import TimestampApplication
from tests.software_keys import SoftwareAuthority

POLICY = "1.3.6.1.4.1.99999.1"


@pytest.fixture(scope="session")
def pki() -> SoftwareAuthority:
    return SoftwareAuthority()


@pytest.fixture(scope="session")
def authority(pki: SoftwareAuthority) -> TimestampAuthority:
    tsa = pki.timestamp_authority()
    return TimestampAuthority(
        tsa.key, tsa.certificate, tsa.chain, POLICY, SystemClock(), SystemEntropy()
    )


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """The test's output is not the place for an access log."""


@pytest.fixture(scope="session")
def authority_url(authority: TimestampAuthority) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, TimestampApplication(authority), handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsa"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
