"""The wheel as the portal offers it: one command installs it, and pip compares its digest."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from kernel.refusals import Unavailable
from key_agent import VERSION
from portseal.sandbox.ports import free_port
from portseal.web.agent_page import AgentRelease, agent_page_blueprint, read_release
from portseal.web.layout import STATIC, TEMPLATES, install_layout

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> AgentRelease:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "build_agent.py", tmp_path_factory.mktemp("wheel")],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = read_release(Path(done.stdout.strip()))
    assert found is not None
    return found


@pytest.fixture(scope="module")
def origin(release: AgentRelease) -> Iterator[str]:
    """A portal that offers it."""
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    app = Flask("agent-page", template_folder=str(TEMPLATES), static_folder=str(STATIC))
    app.config.update(SECRET_KEY="only for this test, not a secret of anything")
    install_layout(app, lambda: None, origin)
    app.register_blueprint(agent_page_blueprint(release, origin))
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield origin
    server.shutdown()
    thread.join(30)


def pip(address: str, into: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-cache-dir",
            "--no-compile", "--disable-pip-version-check", "--target", into, address,
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_pages_command_installs_what_the_portal_offers(
    origin: str, release: AgentRelease, tmp_path: Path
) -> None:
    page = requests.get(f"{origin}/agent?lang=en", timeout=30).text
    address = page.partition('pipx install --force "')[2].partition('"')[0]
    assert address == f"{origin}/agent/{release.name}#sha256={release.sha256}"
    assert f"version {VERSION} " in page
    done = pip(address, tmp_path)
    assert done.returncode == 0, done.stderr
    (told,) = tmp_path.glob("portseal_agent-*.dist-info/METADATA")
    assert f"Version: {VERSION}" in told.read_text()


def test_another_file_in_its_place_is_not_installed(
    origin: str, release: AgentRelease, tmp_path: Path
) -> None:
    wrong = release.address(origin).replace(release.sha256, "0" * 64)
    done = pip(wrong, tmp_path)
    assert done.returncode != 0
    assert "DO NOT MATCH" in done.stderr
    assert not list(tmp_path.glob("portseal_agent*"))


def test_nothing_else_is_served_beside_it(origin: str) -> None:
    for name in ("portseal_agent-9.9.9-py3-none-any.whl", "other.whl"):
        assert requests.get(f"{origin}/agent/{name}", timeout=30).status_code == 404


def test_without_a_wheel_the_page_says_whom_to_ask(tmp_path: Path) -> None:
    assert read_release(None) is None
    for name in ("portseal_agent-1.3.0-py3-none-any.whl", "something.whl"):
        with pytest.raises(Unavailable, match=r"agent\.wheel"):
            read_release(tmp_path / name)
    (tmp_path / "something.whl").write_bytes(b"")
    with pytest.raises(Unavailable, match=r"agent\.wheel"):
        read_release(tmp_path / "something.whl")
