"""`portseal serve --timestamps`: timestamps and nothing else, from a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from portseal.sandbox.ports import free_port
from tests.bench.loopback import serving
from tests.ca.openssl import openssl
from tests.portseal.cli.terminal import PORTSEAL, run
from tests.portseal.service import RunningService

QUERY = "application/timestamp-query"


@pytest.fixture(scope="module")
def origin(service: RunningService) -> Iterator[str]:
    port = free_port()
    environment = {**service.site.environment, "PORTSEAL_WEB__TIMESTAMP_PORT": str(port)}
    there = f"http://127.0.0.1:{port}"
    with serving([*PORTSEAL, "serve", "--timestamps"], f"{there}/health/ready", environment):
        yield there


def test_openssl_accepts_what_it_makes(
    origin: str, service: RunningService, tmp_path: Path
) -> None:
    asked, answered = tmp_path / "asked", tmp_path / "answered"
    openssl("ts", "-query", "-data", Path(__file__), "-sha256", "-cert", "-out", asked)
    answer = requests.post(
        f"{origin}/tsa", asked.read_bytes(), headers={"Content-Type": QUERY}, timeout=30
    )
    assert answer.status_code == 200
    answered.write_bytes(answer.content)
    root = service.stage.file("root.pem")
    told = openssl("ts", "-verify", "-queryfile", asked, "-in", answered, "-CAfile", root)
    assert "Verification: OK" in told


def test_it_has_nothing_else(origin: str) -> None:
    for path in ("/", "/ocsp", "/api/v1/cards", "/sso/sign-in", "/static/portseal.css"):
        assert requests.get(f"{origin}{path}", timeout=30).status_code == 404
    assert requests.get(f"{origin}/health/live", timeout=30).json() == {"status": "live"}


def test_without_a_port_it_says_so(service: RunningService) -> None:
    done = run(("serve", "--timestamps"), service.site.environment)
    assert done.code == 1
    assert "web.timestamp_port is not set" in done.err
