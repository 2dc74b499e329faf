"""A ceremony on two tokens: its keys are carried to the second, whatever dies in the middle."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kernel.clock import SystemClock
from policies.ceremony_plan import load_ceremony_plan
from portseal.demo.tokens import FIRST, ROOT, SECOND, AuthorityTokens
from records.database import Database
from records.journal import Journal, records
from tests.portseal.cli.test_init_output import verify_transcript
from tests.token import softhsm_configuration, softhsm_module

PLAN = load_ceremony_plan("pool")
PAIRS = [each.label for each in PLAN.key if each.token == "issuing"]
CARRIED = [*PAIRS, *(each.label for each in PLAN.secret)]
KILLED = str(-signal.SIGKILL.value)


@pytest.fixture
def surroundings(tmp_path: Path) -> dict[str, str]:
    """Settings that name a pool of two tokens and the root's own."""
    tokens = AuthorityTokens(tmp_path)

    def named(label: str) -> dict[str, str]:
        pin_file = str(tokens.pin_file(label))
        return {"module": softhsm_module(), "label": label, "pin_file": pin_file}

    return {
        **os.environ,
        "SOFTHSM2_CONF": str(softhsm_configuration(tmp_path)),
        "PORTSEAL_CONFIG": "",
        "PORTSEAL_DATA_DIRECTORY": str(tmp_path / "data"),
        "PORTSEAL_DATABASE__URL": f"sqlite:///{tmp_path}/portseal.db",
        "PORTSEAL_WEB__SECRET_KEY": "x" * 32,
        "PORTSEAL_TIMESTAMP__REQUIRE_SYNCHRONISED_CLOCK": "false",
        "PORTSEAL_TOKEN": json.dumps(named(FIRST)),
        "PORTSEAL_TOKEN_REPLICAS": json.dumps([named(SECOND)]),
        "PORTSEAL_ROOT_TOKEN": json.dumps(named(ROOT)),
    }


def attempt(place: Path, surroundings: dict[str, str], *steps: str) -> list[str]:
    """How each step ended."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.portseal.carrying_worker", str(place), *steps],
        env=surroundings, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.long
def test_a_ceremony_that_dies_while_keys_are_carried_is_finished_by_the_next(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    """Its process is killed, also between the halves of a pair, and the second token is pulled."""
    breaks = ["half:1", "kill:3", "pull:4"]
    told = attempt(tmp_path, surroundings, "init", *breaks)
    assert told == ["ready", KILLED, KILLED, "token.missing"]
    transcript = (tmp_path / "out" / "transcript.txt").read_text()
    assert "Ceremony finished." not in transcript
    assert "holds the same keys" not in transcript
    assert not (tmp_path / "out" / "transcript.p7s").exists()

    told = attempt(tmp_path, surroundings, "whole", "compare")
    assert told == ["finished", ",".join(sorted(PAIRS))]
    transcript = (tmp_path / "out" / "transcript.txt").read_text()
    verify_transcript(tmp_path / "out")
    assert transcript.count("Ceremony finished.") == 1
    assert transcript.count(f"Token {SECOND} refused (token.missing); not all keys are on it.") == 1
    last = transcript.rpartition("Second token for issuing")[2]
    found = re.findall(rf"Key (\S+) found in token {SECOND}", last)
    carried = re.findall(rf"Key (\S+) carried wrapped to token {SECOND}", last)
    assert sorted(found + carried) == sorted(CARRIED)
    assert sorted(found) == ["issuing", "ocsp", "report"]
    assert set(re.findall(r"Key (\S+) generated", transcript)) == {"root", *PAIRS}

    database = Database(surroundings["PORTSEAL_DATABASE__URL"])
    with database.reading() as connection:
        journal = records(connection)
        assert Journal(SystemClock()).verify(connection).intact
    database.dispose()
    copies = [each.subject for each in journal if each.event == "key.replicated"]
    assert sorted(copies) == sorted(CARRIED)  # each once
    assert [each.event for each in journal].count("ceremony.finished") == 1


@pytest.mark.long
def test_a_second_token_that_is_away_or_holds_another_key_stops_the_ceremony(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    told = attempt(tmp_path, surroundings, "init", "away", "whole")
    assert told == ["ready", "pulled", "token.missing"]
    assert not (tmp_path / "out" / "transcript.txt").exists()  # nothing was made
    AuthorityTokens(tmp_path).plug_in(SECOND)
    told = attempt(tmp_path, surroundings, "strange", "whole")
    assert told == ["made", "backup.other-key"]
    transcript = (tmp_path / "out" / "transcript.txt").read_text()
    assert f"Token {SECOND} refused (backup.other-key); not all keys are on it." in transcript
    assert "Ceremony finished." not in transcript
