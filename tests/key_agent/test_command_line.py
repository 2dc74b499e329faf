"""The agent's own command line, as its user reads it: in Chinese and in English."""

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from kernel.clock import FixedClock
from key_agent.command_words import COMMAND_WORDS, OUTCOMES, USES
from key_agent.log_lines import as_lines
from key_agent.pinentry import Pinentry
from key_agent.places import LOG_FILE
from key_agent.running import make_agent
from key_agent.settings import AgentSettings
from key_agent.uses import UseLog
from key_agent.words import Words
from tests.key_agent.running import RunningAgent

SHANGHAI = timezone(timedelta(hours=8))


def said(home: Path, language: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`portseal-agent ...` by somebody of this language."""
    locale = {"LC_ALL": "", "LC_MESSAGES": {"zh": "zh_CN.UTF-8", "en": "en_GB.UTF-8"}[language]}
    return subprocess.run(
        [sys.executable, "-m", "key_agent", *arguments],
        env={**os.environ, **locale, "PORTSEAL_AGENT_HOME": str(home), "PYTHONUTF8": "1"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_its_help_is_in_its_users_language(tmp_path: Path) -> None:
    chinese = said(tmp_path, "zh", "log", "--help").stdout
    assert chinese.startswith("用法：portseal-agent log")
    assert "显示密钥助手的使用记录" in chinese
    assert "Show" not in chinese
    english = said(tmp_path, "en", "log", "--help").stdout
    assert english.startswith("Usage: portseal-agent log")
    assert "Show how the agent was used" in english


def test_the_language_of_the_settings_goes_before_the_systems(tmp_path: Path) -> None:
    (tmp_path / "agent.toml").write_text('language = "zh"\n')
    assert "还没有使用记录" in said(tmp_path, "en", "log").stdout


def test_the_log_says_what_was_done_in_words_and_in_local_time(tmp_path: Path) -> None:
    log = UseLog(tmp_path / LOG_FILE, FixedClock(datetime(2026, 11, 29, 16, 5, tzinfo=UTC)))
    site = "https://id.example"
    shown = ["It asks you to sign: Customs declaration", "Total value: 38,928.00 EUR"]
    log.write(site, "sign", "done", agreed=True, token="my key", shown=shown)
    log.write(site, "sign_in", "token.pin-wrong", token="my key")
    log.write("https://hostile.example", "sign", "draft.other-document")
    lines = list(as_lines(log.entries(), "zh", SHANGHAI))
    assert lines[0] == "2026-11-30", "the user's day, which is not Greenwich's"
    assert lines[1].split() == ["00:05:00", "已完成", "签署一份文件", site, "[my", "key]"]
    assert lines[2:4] == [f"      {line}" for line in shown]
    assert lines[4].split() == ["00:05:00", "PIN", "错误", "登录", site, "[my", "key]"]
    assert "draft.other-document" in lines[5]
    assert "sign a document" in next(
        line for line in as_lines(log.agreed(), "en", SHANGHAI) if site in line
    )
    assert len(list(as_lines(log.agreed(), "en", SHANGHAI))) == 4
    agreed = said(tmp_path, "en", "log", "--agreed").stdout
    assert "Total value: 38,928.00 EUR" in agreed
    assert "hostile" not in agreed


def test_what_did_not_happen_is_not_told_as_done(tmp_path: Path) -> None:
    """An outcome stands beside the use, which therefore only names what was asked for."""
    log = UseLog(tmp_path / LOG_FILE, FixedClock(datetime(2026, 11, 29, 16, 5, tzinfo=UTC)))
    log.write("https://id.example", "sign", "agent.cancelled")
    log.write("https://id.example", "sign_in", "token.pin-wrong")
    _, cancelled, wrong = as_lines(log.entries(), "en", SHANGHAI)
    assert "you cancelled     sign a document" in cancelled
    assert "wrong PIN         sign in " in wrong


def test_an_entry_of_the_log_cannot_draw_over_another(tmp_path: Path) -> None:
    entry = {
        "time": "2026-11-29T16:05:00+00:00",
        "outcome": "done",
        "method": "sign",
        "origin": "https://id.example\x1b[2A\rhttps://bank.example",
        "shown": ["a\x1b[2Kb\nc"],
    }
    assert all(line.isprintable() for line in as_lines([entry], "en", SHANGHAI))


@pytest.mark.parametrize(
    ("language", "words"),
    [("zh", "端口已被占用：密钥助手是否已在运行？"), ("en", "is the key agent running already?")],
)
def test_a_second_agent_says_why_it_does_not_start(
    agent: RunningAgent, tmp_path: Path, language: str, words: str
) -> None:
    done = said(tmp_path, language, "run", "--port", str(agent.port), "--pinentry", "true")
    assert done.returncode == 3
    assert words in done.stderr
    assert "(agent.port)" in done.stderr


def test_sites_are_allowed_and_forgotten_in_words(tmp_path: Path) -> None:
    site = "https://id.example"
    assert said(tmp_path, "zh", "origins", "list").stdout == "还没有网站询问过。\n"
    assert said(tmp_path, "zh", "origins", "refuse", site).stdout == f"已拒绝 {site}\n"
    assert said(tmp_path, "zh", "origins", "list").stdout.startswith("拒绝  2")
    wrong = said(tmp_path, "zh", "origins", "refuse", "id.example")
    assert "请写网站的完整来源" in wrong.stderr
    assert said(tmp_path, "en", "origins", "forget", site).stdout == f"{site} is forgotten\n"


def test_every_purpose_and_every_word_is_said_in_both_languages(tmp_path: Path) -> None:
    words = Words("en")
    agent = make_agent(AgentSettings(), tmp_path, Pinentry("true", words), words)
    assert set(agent.methods) - {"status"} <= set(USES)
    catalogues: list[Mapping[str, tuple[str, str]]] = [COMMAND_WORDS, USES, OUTCOMES]
    for catalogue in catalogues:
        for chinese, english in catalogue.values():
            assert chinese
            assert english
            assert english.isascii()


HEAVY = {"hsm", "key_agent.agent", "lxml", "pkcs11", "pydantic", "signing_service", "waitress"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["log"],
        ["origins", "list"],
        ["origins", "refuse", "https://id.example"],
        ["origins", "forget", "https://id.example"],
        ["autostart", "--off"],
    ],
    ids=" ".join,
)
def test_what_reads_a_small_file_does_not_wait_for_the_whole_agent(
    tmp_path: Path, arguments: list[str]
) -> None:
    program = (
        "import sys\nfrom key_agent.cli import commands\n"
        f"commands({arguments}, standalone_mode=False)\nprint(*sorted(sys.modules))"
    )
    surroundings = {"PORTSEAL_AGENT_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | surroundings, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    loaded = set(done.stdout.splitlines()[-1].split())
    assert {"click", "key_agent.cli"} <= loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    ("settings", "said_in"),
    [('language = "zh"', "zh"), ('language = "fr"', "en"), ("language = [", "en")],
)
def test_help_is_there_whatever_is_wrong_with_the_settings(
    tmp_path: Path, settings: str, said_in: str
) -> None:
    (tmp_path / "agent.toml").write_text(settings)
    expected = {"zh": "还没有使用记录", "en": "It has not been used yet."}[said_in]
    assert expected in said(tmp_path, "en", "log").stdout
