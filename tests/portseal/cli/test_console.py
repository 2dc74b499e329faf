"""`portseal` at the authority's console: ceremony, status, journal, schema, worker, settings."""

import json
import sqlite3
from pathlib import Path

import pytest

from portseal.demo.people_steps import acknowledge
from signing_service.timestamping.health import kernel_time
from tests.portseal.cli.conftest import Console
from tests.portseal.cli.terminal import Outcome
from tests.portseal.cli.test_platform import PERMITTED
from tests.portseal.service import RunningService
from tests.token import softhsm_configuration

TWO = ("system-administrator", "administrator")
"""Officers whose cards sign for what touches keys."""


def in_order(console: Console, *options: str) -> str:
    """What the status says, which ends well. Platforms of other tests are gone: that they are not
    reached is told, and is no fault yet."""
    done = console.run("status", *options)
    assert done.code == 0, done.said
    return done.out


def test_a_second_ceremony_is_refused_and_changes_nothing(
    console: Console, service: RunningService, tmp_path: Path
) -> None:
    acknowledge(service.stage)  # of what other tests did in an emergency
    before = json.loads(in_order(console, "--json"))["certificates"]
    away = console.signed(TWO, "init", "--output", str(tmp_path))
    assert (away.code, "[token.missing]" in away.err) == (3, True), away.said
    with service.site.root_plugged_in() as pin:
        done = console.signed(TWO, "init", "--output", str(tmp_path), **pin)
    assert done.code == 1, done.said
    assert "[ceremony.done]" in done.err
    assert list(tmp_path.iterdir()) == []
    assert json.loads(in_order(console, "--json"))["certificates"] == before


def test_status_tells_that_everything_is_in_order(
    console: Console, service: RunningService
) -> None:
    acknowledge(service.stage)  # of what other tests did in an emergency
    told = json.loads(in_order(console, "--json"))
    assert told["database"] == "SQLite: answers"
    assert not [words for words in told.values() if words.startswith("not in order")]
    assert "the newest" in told["schema"]
    assert "no certificate ends before" in told["authority"]
    assert "good until" in told["crls"]
    assert "last round noted" in told["worker"]
    assert "every key signs" in told["keys"]
    assert told["journal"].startswith("intact")
    assert told["keys"] in in_order(console)


def test_status_says_what_is_not_in_order(console: Console, tmp_path: Path) -> None:
    empty = tmp_path / "softhsm2.conf"
    empty.write_text(f"directories.tokendir = {tmp_path}\n")
    done = console.run("status", "--json", SOFTHSM2_CONF=str(empty))
    assert done.code == 3, done.said
    told = json.loads(done.out)
    assert "[token.missing]" in told["token"]
    assert "last round noted" in told["worker"]


def test_status_says_why_no_timestamps_are_made(console: Console) -> None:
    """As it stands unless an operator says otherwise; what follows is this machine's truth."""
    asks = {"PORTSEAL_TIMESTAMP__REQUIRE_SYNCHRONISED_CLOCK": "true"}
    kernel = kernel_time()
    kept = kernel is not None and kernel.synchronised and kernel.max_error_seconds <= 1
    done = console.run("status", "--json", **asks)
    told = json.loads(done.out)["clock"]
    assert done.code == (0 if kept else 3), done.said
    assert told.startswith("trusted" if kept else "not in order: no timestamps are made")
    assert kept or "kernel" in told or "may be wrong by" in told


def test_status_tells_of_a_broken_journal_and_an_absent_worker(
    console: Console, copy: Path
) -> None:
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE worker_rounds SET at = '2026-01-01 00:00:00.000000'")
        connection.execute("UPDATE ca_crls SET next_update = '2026-01-01 00:00:00.000000'")
        connection.execute("UPDATE outbox SET refused_at = created_at, delivered_at = NULL")
        long_ago = "2026-01-01 00:00:00.000000"
        connection.executemany(
            "INSERT INTO outbox"
            " (channel, payload, created_at, due_at, attempts, refusals, refused_at)"
            " VALUES (?, '{}', ?, ?, 0, 0, ?)",
            [
                ("logout:gone", long_ago, long_ago, None),
                ("logout:refusing", long_ago, long_ago, long_ago),
            ],
        )
    connection.close()
    aged = console.run("status", "--json", **beside(copy))
    assert aged.code == 3, aged.said
    told = json.loads(aged.out)
    for part in ("worker", "crls", "directory", "platforms"):
        assert told[part].startswith("not in order"), told[part]
    for words in ("not reached with ends of sessions", "refuse to hear of ends of sessions"):
        assert words in told["platforms"]
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE journal SET actor = 'x' WHERE position = 3")
    connection.close()
    assert console.run("status", **beside(copy)).code == 5


@pytest.mark.parametrize(
    ("at", "words"),
    [("0016", "at 0016, lacks"), ("9999", "does not know"), (None, "not made yet")],
)
def test_status_tells_of_a_schema_that_does_not_fit_and_what_to_do(
    console: Console, copy: Path, at: str | None, words: str
) -> None:
    with sqlite3.connect(copy) as connection:
        if at is None:
            connection.execute("DROP TABLE alembic_version")
        else:
            connection.execute("UPDATE alembic_version SET version_num = ?", (at,))
    connection.close()
    done = console.run("status", "--json", **beside(copy))
    assert done.code == 3, done.said
    told = json.loads(done.out)["schema"]
    assert told.startswith("not in order")
    assert words in told
    assert ("portseal db upgrade" in told) is (at != "9999")


@pytest.mark.parametrize("command", [("serve",), ("worker", "--once")])
def test_what_runs_refuses_a_schema_that_does_not_fit_and_says_what_to_do(
    console: Console, copy: Path, command: tuple[str, ...]
) -> None:
    for at, code in (("0016", "schema.behind"), ("9999", "schema.unknown")):
        with sqlite3.connect(copy) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (at,))
        connection.close()
        done = console.run(*command, **beside(copy))
        assert (done.code, f"[{code}]" in done.err) == (3, True), done.said
        assert ("portseal db upgrade" in done.err) is (code == "schema.behind")


def test_worker_once_says_what_it_did(console: Console) -> None:
    done = console.run("worker", "--once")
    assert done.code == 0, done.said
    assert "waiting 0" in done.out


def beside(database: Path) -> dict[str, str]:
    """Settings for a copy of the database; the original's file of checkpoints is elsewhere."""
    return {
        "PORTSEAL_DATABASE__URL": f"sqlite:///{database}",
        "PORTSEAL_DATA_DIRECTORY": str(database.parent),
    }


def journal_verify(console: Console, database: Path, *options: str) -> Outcome:
    return console.run("journal", "verify", "--json", *options, **beside(database))


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


@pytest.mark.long
def test_a_journal_that_was_rewritten_after_a_checkpoint_is_found(
    console: Console, copy: Path
) -> None:
    options = ("--redirect-uri", "https://w.example/cb", *PERMITTED)
    add = ("platform", "add", "Witnessed", *options)
    assert console.signed(["administrator"], *add, **beside(copy)).code == 0
    made = console.run("journal", "checkpoint", "--json", **beside(copy))
    assert made.code == 0, made.said
    file = copy.with_name("journal-checkpoints")
    assert journal_verify(console, copy).code == 0
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE journal_checkpoint SET hash = ?", (bytes(32),))
    connection.close()
    done = journal_verify(console, copy)
    assert done.code == 5, done.said
    told = json.loads(done.out)
    assert told["journal"] == "changed since it was witnessed"
    elsewhere = file.rename(file.with_name("elsewhere"))
    with sqlite3.connect(copy) as connection:
        connection.execute("DELETE FROM journal_checkpoint")
        connection.execute("DELETE FROM journal")
        connection.execute("DELETE FROM journal_head")
    connection.close()
    assert journal_verify(console, copy).code == 0
    assert journal_verify(console, copy, "--checkpoints", str(elsewhere)).code == 5


def test_the_schema_is_upgraded_once_and_again(console: Console, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'fresh.db'}"
    for _ in range(2):
        done = console.run("db", "upgrade", PORTSEAL_DATABASE__URL=url)
        assert done.code == 0, done.said
    with sqlite3.connect(tmp_path / "fresh.db") as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert {"journal", "ca_certificates", "alembic_version"} <= tables


def test_an_officer_needs_a_known_role(console: Console) -> None:
    assert console.run("officer", "add", "某人", "--role", "king").code == 2
    assert console.run("officer", "add", "某人").code == 2
    assert console.run("officer", "add", "", "--role", "approver").code == 1


def test_a_bad_setting_ends_with_1_and_its_value_is_not_repeated(console: Console) -> None:
    done = console.run("status", PORTSEAL_WEB__SECRET_KEY="tooshort", PORTSEAL_WEB__PORT="0")
    assert (done.code, "[settings.invalid]" in done.err) == (1, True)
    assert "web.secret_key" in done.err
    assert "tooshort" not in done.said


def test_a_database_that_cannot_be_opened_ends_with_3(console: Console) -> None:
    url = "sqlite:////nonexistent/portseal.db"
    done = console.run("journal", "verify", PORTSEAL_DATABASE__URL=url)
    assert (done.code, "[database.unavailable]" in done.err) == (3, True), done.said


def test_exit_codes_are_in_the_help(console: Console) -> None:
    assert "Exit codes: 0 done; 1 refused;" in console.run("--help").out


def test_a_port_without_the_demonstration_is_a_usage_error(console: Console) -> None:
    done = console.run("serve", "--port", "8081")
    assert done.code == 2, done.said
    assert "web.port" in done.err


def test_a_service_that_cannot_start_says_why_in_one_line(console: Console, tmp_path: Path) -> None:
    pin_file = tmp_path / "pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text("wrong-73519")
    alone = {"PORTSEAL_TOKEN__PIN_FILE": str(pin_file), "PORTSEAL_TOKEN_REPLICAS": "[]"}
    done = console.run("serve", **alone)
    assert done.code == 4, done.said
    assert done.err.startswith("portseal: the PIN is wrong [token.pin-wrong]")
    assert "Traceback" not in done.said
    empty = tmp_path / "softhsm2.conf"
    empty.write_text(f"directories.tokendir = {tmp_path}\n")
    absent = console.run("serve", SOFTHSM2_CONF=str(empty))
    assert (absent.code, "[token.missing]" in absent.err) == (3, True)


def test_the_pin_of_a_card_is_changed(console: Console, tmp_path: Path) -> None:
    environment = {
        "SOFTHSM2_CONF": str(softhsm_configuration(tmp_path)),
        "OLD": "old-73519",
        "NEW": "new-92846",
    }
    options = ("--token", "changing", "--pin-env")
    assert console.run("card", "init", *options, "OLD", **environment).code == 0
    change = ("card", "change-pin", *options, "OLD", "--new-pin-env", "NEW")
    assert console.run(*change, **environment).code == 0
    again = console.run(*change, **environment)
    assert (again.code, "[token.pin-wrong]" in again.err) == (4, True)
