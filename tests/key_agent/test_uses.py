"""The agent's own log: what pages can do to it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kernel.clock import Clock
from key_agent import uses
from key_agent.log_lines import as_lines
from key_agent.uses import UseLog


class Ticking(Clock):
    """A second for each look."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 29, tzinfo=UTC)

    def now(self) -> datetime:
        self._now += timedelta(seconds=1)
        return self._now


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UseLog:
    monkeypatch.setattr(uses, "MAX_FILE_BYTES", 2_000)
    return UseLog(tmp_path / "uses.jsonl", Ticking())


def test_refused_pages_do_not_wash_out_the_evidence_of_a_signature(log: UseLog) -> None:
    log.write("https://portal.example", "sign", "done", agreed=True, documents=["sha256"])
    for number in range(1_000):
        log.write(f"https://flood-{number}.example", "sign", "origin.unknown")
    entries = list(log.entries())
    assert entries[0]["documents"] == ["sha256"]
    assert 1 < len(entries) < 200
    assert entries[-1]["origin"] == "https://flood-999.example"


def test_what_was_agreed_to_is_told_in_its_place(log: UseLog) -> None:
    for method, agreed in (("tokens", False), ("sign", True), ("tokens", False), ("sign", True)):
        log.write("https://portal.example", method, "done", agreed=agreed)
    assert [each["method"] for each in log.entries()] == ["tokens", "sign", "tokens", "sign"]


def test_a_torn_line_is_left_out(log: UseLog, tmp_path: Path) -> None:
    log.write("https://portal.example", "sign", "done", agreed=True)
    (tmp_path / "uses.jsonl").write_text('{"time": "2026-')
    assert [each["method"] for each in log.entries()] == ["sign"]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c", "\r", "\n"])
def test_a_pages_name_for_a_file_ends_no_line(log: UseLog, separator: str) -> None:
    name = f"a{separator}5{separator}b.xml"
    log.write("https://portal.example", "sign", "done", agreed=True, shown=[name])
    (entry,) = log.agreed()
    assert entry["shown"] == [name]
    assert len(list(as_lines(log.entries(), "en"))) == 3


@pytest.mark.parametrize(
    "torn", [b'{"time": "2026-', b"5\n", b"[]", b"{}\n", "\u4e2d".encode()[:-1]]
)
def test_the_entry_after_what_is_none_is_read(log: UseLog, tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "uses-agreed.jsonl").write_bytes(torn)
    log.write("https://portal.example", "sign", "done", agreed=True)
    assert [each["method"] for each in log.agreed()] == ["sign"]
    assert len(list(as_lines(log.agreed(), "en"))) == 2
