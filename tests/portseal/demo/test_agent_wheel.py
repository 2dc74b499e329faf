"""A demonstration offers the key agent that its sources make, and builds it once."""

import os
from pathlib import Path

import pytest

from key_agent import VERSION
from portseal.demo.agent_wheel import offer_agent
from portseal.web.agent_page import read_release

SETTING = "PORTSEAL_WEB__AGENT_WHEEL"


def offered(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the setting names for whatever is started then."""
    with monkeypatch.context() as surroundings:
        surroundings.setenv(SETTING, "")
        surroundings.delenv(SETTING)
        offer_agent(directory)
        return Path(os.environ[SETTING])


@pytest.mark.long
def test_the_wheel_is_built_once_and_again_when_its_sources_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "wheel"
    first = offered(directory, monkeypatch)
    release = read_release(first)
    assert release is not None
    assert release.version == VERSION
    built = first.stat().st_mtime_ns
    assert offered(directory, monkeypatch) == first
    assert first.stat().st_mtime_ns == built, "the same sources: the same file"
    noted = directory / "sources.sha256"
    of_now = noted.read_text()
    noted.write_text("0" * 64)  # as of other sources
    (directory / "portseal_agent-0.1-py3-none-any.whl").write_bytes(b"of another version")
    assert offered(directory, monkeypatch) == first
    assert first.stat().st_mtime_ns > built
    assert noted.read_text() == of_now
    assert list(directory.glob("*.whl")) == [first]


def test_who_offers_a_wheel_already_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SETTING, "/srv/other.whl")
    offer_agent(tmp_path / "wheel")
    assert not (tmp_path / "wheel").exists()
