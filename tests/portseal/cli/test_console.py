"""`portseal` at the authority's console: ceremony, status, journal, schema, worker, settings."""

import json
import os
import sqlite3
from pathlib import Path

import pytest

from tests.portseal.cli.conftest import Console
from tests.portseal.cli.terminal import Outcome, run
from tests.portseal.service import RunningService


def test_a_second_ceremony_is_refused_and_changes_nothing(
    console: Console, service: RunningService, tmp_path: Path
) -> None:
    before = console.json("status")["certificates"]
    done = console.run("init", "--output", str(tmp_path))
    assert done.code == 1, done.said
    assert "[" in done.err
    assert list(tmp_path.iterdir()) == []
    assert console.json("status")["certificates"] == before


def test_status_tells_that_everything_is_in_order(console: Console) -> None:
    told = console.json("status")
    assert set(told) == {"token", "keys", "certificates", "journal", "directory"}
    assert "every key signs" in told["keys"]
    assert told["journal"].startswith("intact")
    plain = console.run("status")
    assert plain.code == 0
    assert told["keys"] in plain.out


def test_status_says_what_is_not_in_order(console: Console, tmp_path: Path) -> None:
    empty = tmp_path / "softhsm2.conf"
    empty.write_text(f"directories.tokendir = {tmp_path}\n")
    done = console.run("status", "--json", SOFTHSM2_CONF=str(empty))
    assert done.code == 0, done.said
    told = json.loads(done.out)
    assert "[token.missing]" in told["token"]
    assert told["journal"].startswith("intact")


def test_worker_once_says_what_it_did(console: Console) -> None:
    done = console.run("worker", "--once")
    assert done.code == 0, done.said
    assert "waiting 0" in done.out


def journal_verify(console: Console, database: Path) -> Outcome:
    return console.run(
        "journal", "verify", "--json", PORTSEAL_DATABASE__URL=f"sqlite:///{database}"
    )


@pytest.fixture
def copy(service: RunningService, tmp_path: Path) -> Path:
    path = tmp_path / "copy.db"
    source = sqlite3.connect(service.database_file)
    target = sqlite3.connect(path)
    source.backup(target)
    source.close()
    target.close()
    return path


def test_journal_verify_proves_it_intact(console: Console, copy: Path) -> None:
    done = journal_verify(console, copy)
    assert done.code == 0, done.said
    told = json.loads(done.out)
    assert told["journal"] == "intact"
    assert told["records"] > 20


@pytest.mark.parametrize("position", [1, 17])
def test_journal_verify_names_the_record_with_a_changed_byte(
    console: Console, copy: Path, position: int
) -> None:
    with sqlite3.connect(copy) as connection:
        query = "SELECT actor FROM journal WHERE position = ?"
        (actor,) = connection.execute(query, (position,)).fetchone()
        changed = chr(ord(actor[0]) ^ 1) + actor[1:]
        change = "UPDATE journal SET actor = ? WHERE position = ?"
        assert connection.execute(change, (changed, position)).rowcount == 1
    connection.close()
    done = journal_verify(console, copy)
    assert done.code == 5
    assert json.loads(done.out)["journal"] == f"broken at record {position}"


def test_journal_verify_finds_a_missing_record(console: Console, copy: Path) -> None:
    with sqlite3.connect(copy) as connection:
        assert connection.execute("DELETE FROM journal WHERE position = 9").rowcount == 1
    connection.close()
    done = journal_verify(console, copy)
    assert done.code == 5
    assert "broken at record" in json.loads(done.out)["journal"]


def test_the_schema_is_upgraded_once_and_again(console: Console, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    for _ in range(2):
        done = console.run("db", "upgrade", PORTSEAL_DATABASE__URL=url)
        assert done.code == 0, done.said
    with sqlite3.connect(tmp_path / "fresh.db") as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert {"journal", "ca_certificates", "alembic_version"} <= tables


def test_a_platform_gets_its_secret_once(console: Console) -> None:
    made = console.json("platform", "add", "命令行平台", "--redirect-uri", "https://p.example/cb")
    assert len(made["client_secret"]) >= 32
    refused = console.run("platform", "add", "x", "--redirect-uri", "http://p.example/cb")
    assert refused.code == 1, refused.said


def test_an_officer_needs_a_known_role(console: Console) -> None:
    assert console.run("officer", "add", "某人", "--role", "king").code == 2
    assert console.run("officer", "add", "某人").code == 2
    assert console.run("officer", "add", "", "--role", "approver").code == 1


# -- settings --------------------------------------------------------------------------------------

COMPLETE = {
    "PORTSEAL_WEB__SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "PORTSEAL_DATABASE__URL": "sqlite:////nonexistent/portseal.db",
    "PORTSEAL_TOKEN__MODULE": "/nonexistent.so",
}


def with_settings(directory: Path, file: str = "", **settings: str) -> Outcome:
    environment = {n: v for n, v in os.environ.items() if not n.startswith("PORTSEAL")}
    path = directory / "settings.toml"
    path.write_text(file)
    environment |= {"PORTSEAL_CONFIG": str(path), **settings}
    return run(("journal", "verify"), environment)


@pytest.mark.parametrize("missing", COMPLETE)
def test_no_secret_and_no_place_has_a_default(tmp_path: Path, missing: str) -> None:
    rest = {name: value for name, value in COMPLETE.items() if name != missing}
    done = with_settings(tmp_path, **rest)
    assert (done.code, "[settings.invalid]" in done.err) == (1, True)
    assert missing.removeprefix("PORTSEAL_").partition("__")[0].lower() in done.err


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("[web]\nsecret_kye = 'hunter2hunter2'", "web.secret_kye"),
        ("colour = 'hunter2hunter2'", "colour"),
        ("[token]\npin = 'hunter2hunter2'", "token.pin"),
        ("[web]\nport = 'hunter2hunter2'", "web.port"),
        ("[web]\norigin = 'ftp://hunter2hunter2'", "web.origin"),
        ("[web]\norigin = 'http://hunter2hunter2.example'", "web.origin"),
    ],
)
def test_a_bad_setting_is_named_and_its_value_is_not_repeated(
    tmp_path: Path, file: str, name: str
) -> None:
    done = with_settings(tmp_path, file, **COMPLETE)
    assert (done.code, name in done.err) == (1, True), done.said
    assert "hunter2" not in done.said


def test_a_short_secret_key_is_refused_and_not_repeated(tmp_path: Path) -> None:
    done = with_settings(tmp_path, **(COMPLETE | {"PORTSEAL_WEB__SECRET_KEY": "tooshort"}))
    assert (done.code, "web.secret_key" in done.err) == (1, True)
    assert "tooshort" not in done.said


def test_a_settings_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = with_settings(tmp_path, **(COMPLETE | {"PORTSEAL_CONFIG": str(tmp_path / "none.toml")}))
    assert (done.code, "[settings.invalid]" in done.err) == (1, True)


def test_a_settings_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    done = with_settings(tmp_path, "[web\nsecret_key = hunter2hunter2", **COMPLETE)
    assert (done.code, "[settings.invalid]" in done.err) == (1, True), done.said
    assert "hunter2" not in done.said


def test_a_database_that_cannot_be_opened_ends_with_3(tmp_path: Path) -> None:
    done = with_settings(tmp_path, **COMPLETE)
    assert (done.code, "[database.unavailable]" in done.err) == (3, True), done.said


def test_exit_codes_are_in_the_help(console: Console) -> None:
    assert "Exit codes: 0 done; 1 refused;" in console.run("--help").out
