"""A ceremony with custodians at a real terminal: shares, a root that goes away, backup, drill."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from ca.inventory import Inventory
from hsm.pool import TokenPool
from kernel.asn1.certificate import Certificate
from portseal.sandbox.ports import free_port
from portseal.settings import DatabaseSettings, Settings, TokenSettings, WebSettings
from portseal.wiring import House
from records import removals
from records.database import Database
from records.journal import records
from tests.ca.openssl import openssl
from tests.portseal.cli.custodians import Custodians
from tests.portseal.cli.terminal import PORTSEAL, run
from tests.portseal.cli.test_init_output import verify_transcript
from tests.token import softhsm_configuration, softhsm_module

_CUSTODY = """
[[custody]]
secret = "{secret}"
threshold = 2
custodians = ["甲", "乙", "丙"]
"""


def plan_with(directory: Path, *secrets: str) -> Path:
    """The plan with custodians that comes with us, with three of them, of whom two are needed."""
    import policies.ceremony_plan as plans

    text = (plans.DIRECTORY / "custodians.toml").read_text()
    text = re.sub(r"\[\[custody\]\].*?\n\n", "", text, flags=re.S)
    path = directory / "plan.toml"
    path.write_text(text + "".join(_CUSTODY.format(secret=secret) for secret in secrets))
    return path


_MAKE_OLD_KEY = """
import sys
from hsm.pins import EnvironmentPin
from hsm.token import Token
from kernel.algorithms import ECDSA_P256_SHA256
Token(sys.argv[1], "second", EnvironmentPin("PIN")).generate("old", ECDSA_P256_SHA256)
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("custody")


@pytest.fixture(scope="module")
def environment(ground: Path) -> dict[str, str]:
    (ground / "data").mkdir()
    settings = f"""
data_directory = {json.dumps(str(ground / "data"))}
[web]
secret_key = "{os.urandom(32).hex()}"
[database]
url = "sqlite:///{ground}/portseal.db"
[token]
module = "{softhsm_module()}"
label = "online"
pin_file = "{ground}/online.pin"
[root_token]
module = "{softhsm_module()}"
label = "the root"
custodians = true
"""
    (ground / "portseal.toml").write_text(settings)
    return {
        **os.environ,
        "PORTSEAL_CONFIG": str(ground / "portseal.toml"),
        "SOFTHSM2_CONF": str(softhsm_configuration(ground / "softhsm")),
    }


@pytest.fixture(scope="module")
def custodians() -> Custodians:
    return Custodians()


@pytest.fixture(scope="module")
def held(ground: Path, environment: dict[str, str], custodians: Custodians) -> Path:
    """The ceremony's output."""
    plan = plan_with(ground, "root-token", "issuing-token", "backup-key")
    arguments = ["ceremony", "run", str(plan), "--output", str(ground / "out")]
    done = custodians.sit_at(arguments, environment)
    assert done.code == 0, done.said
    return ground / "out"


def test_every_custodian_has_a_share_of_each_secret(held: Path, custodians: Custodians) -> None:
    assert sorted(custodians.papers) == ["the backup key", "token online", "token the root"]
    assert {len(papers) for papers in custodians.papers.values()} == {3}
    assert {len(paper.split()) for paper in custodians.papers["token the root"]} == {33}


def test_the_signed_transcript_tells_of_the_shares_and_shows_none(
    held: Path, custodians: Custodians, ground: Path
) -> None:
    verify_transcript(held)
    told = (held / "transcript.txt").read_text()
    assert told.count("any 2 of them restore it") == 3
    assert "Backup of token the root written to backup-root.json" in told
    files = [path for path in ground.rglob("*") if path.is_file()]
    pin = (ground / "online.pin").read_text()
    assert (ground / "online.pin").stat().st_mode & 0o077 == 0
    for path in files:
        content = path.read_bytes()
        for papers in custodians.papers.values():
            assert not any(paper.encode() in content for paper in papers), path
        assert path.name == "online.pin" or pin.encode() not in content, path


def test_what_custodians_enter_is_not_shown(
    held: Path, environment: dict[str, str], custodians: Custodians
) -> None:
    before = len(custodians.entered)
    done = custodians.sit_at(["ceremony", "root-session"], environment, {"token the root": 1})
    assert done.code == 0, done.said
    entered = custodians.entered[before:]
    assert entered == custodians.papers["token the root"][1:]  # the second and the third
    assert not any(share in done.said for share in entered)
    assert "number 1, 0 entries" in done.said


def test_wrong_entries_are_told_and_end_it(
    held: Path, environment: dict[str, str], custodians: Custodians
) -> None:
    other = custodians.papers["the backup key"][0]
    good = custodians.papers["token the root"][0]
    wrong = {"token the root": [good, other, good, "abandon"]}
    done = custodians.sit_at(["ceremony", "root-session"], environment, answers=wrong)
    assert done.code == 1, done.said
    for told in ("belongs to another secret", "was entered already", "[share.invalid]"):
        assert told in done.said
    assert not any(share in done.said for share in (other, good))


def test_without_a_terminal_nobody_is_asked(held: Path, environment: dict[str, str]) -> None:
    done = run(["ceremony", "root-session"], environment)
    assert "[custody.no-terminal]" in done.err
    assert done.code == 3


@pytest.mark.long
def test_a_restored_token_signs_with_the_same_keys(
    held: Path, environment: dict[str, str], custodians: Custodians, ground: Path
) -> None:
    """The drill: a second token, the backup's file, two custodians."""
    pins = {**environment, "PIN": "drill-pin-1", "SO_PIN": "drill-so-1"}
    made = run(["card", "init", "--token", "second", "--pin-env", "PIN", "--so-pin-env", "SO_PIN"],
               pins)  # fmt: skip
    assert made.code == 0, made.said
    drill = ["key", "restore", str(held / "backup-issuing.json"), "--token", "second",
             "--pin-env", "PIN", "--module", softhsm_module()]  # fmt: skip
    done = custodians.sit_at(drill, pins)
    assert done.code == 0, done.said
    assert "issuing" in done.said
    (ground / "second.pin").touch(mode=0o600)
    (ground / "second.pin").write_text("drill-pin-1")
    second = {
        **environment,
        "PORTSEAL_TOKEN__LABEL": "second",
        "PORTSEAL_TOKEN__PIN_FILE": str(ground / "second.pin"),
    }
    told = run(["status", "--json"], second)
    status = json.loads(told.out)
    assert status["keys"] == "every key signs and verifies"
    assert "no certificate ends before" in status["authority"]
    listed = json.loads(run(["key", "list", "--json"], second).out)
    assert listed["issuing"] == "ecdsa-p256-sha256, leaves: trusted"
    subprocess.run([sys.executable, "-c", _MAKE_OLD_KEY, softhsm_module()], env=pins, check=True)
    arguments = ["key", "destroy", "old", "--reason", "drill is over", "--confirm", "old", "--json"]
    database = Database(f"sqlite:///{ground}/portseal.db")
    with removals.held_off(database):  # a backup is being made, and may need it
        refused = run(arguments, second)
    assert "[backup.running]" in refused.err, refused.said
    destroyed = run(arguments, second)
    assert json.loads(destroyed.out)["destroyed"] == "old", destroyed.said
    assert "old" not in json.loads(run(["key", "list", "--json"], second).out)
    with database.reading() as connection:
        events = [record.event for record in records(connection, "old")]
    database.dispose()
    assert events == ["key.destroyed"]


def test_a_key_in_use_is_not_destroyed(held: Path, environment: dict[str, str]) -> None:
    refused = run(["key", "destroy", "issuing", "--reason", "x", "--confirm", "issuing"],
                  environment)  # fmt: skip
    assert "[key.in-use]" in refused.err
    other = run(["key", "destroy", "absent", "--reason", "x", "--confirm", "abs"], environment)
    assert "[key.not-confirmed]" in other.err


@contextmanager
def root_pulled(ground: Path) -> Iterator[None]:
    """SoftHSM2's way to be pulled: the token's directory is moved away."""
    tokens = ground / "softhsm" / "tokens"
    rooted = next(
        path for path in tokens.iterdir()
        if b"the root" in (path / "token.object").read_bytes()
    )  # fmt: skip
    shutil.move(rooted, ground / "safe")
    try:
        yield
    finally:
        shutil.move(ground / "safe", rooted)


@contextmanager
def served(url: str, environment: dict[str, str], log: Path) -> Iterator[None]:
    """`portseal serve`, from when it is ready."""
    with log.open("wb") as told:
        process = subprocess.Popen([*PORTSEAL, "serve"], env=environment, stdout=told, stderr=told)
    try:
        wait_until_ready(url, process, log)
        yield
    finally:
        process.terminate()
        process.wait(30)


def certificate_of_tsa(ground: Path) -> Certificate:
    """As the records have it; the ceremony writes out the authorities' alone."""
    database = Database(f"sqlite:///{ground}/portseal.db")
    (record,) = Inventory(database).by_reference("ceremony:tsa")
    database.dispose()
    assert record.certificate is not None
    return record.certificate


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/health/ready", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    pytest.fail(log.read_text(errors="replace")[-2000:])


def test_with_the_root_s_token_pulled_everything_else_is_in_order(
    held: Path, environment: dict[str, str], custodians: Custodians, ground: Path
) -> None:
    session = custodians.sit_at(["ceremony", "root-session"], environment, {"token the root": 1})
    assert session.code == 0, session.said
    with root_pulled(ground):
        worked = run(["worker", "--once"], environment)
        assert worked.code == 0, worked.said
        status = json.loads(run(["status", "--json"], environment).out)
        assert status["keys"] == "every key signs and verifies"
        in_order = r"\d+ (s|min) old, good until \d{4}-\d\d-\d\dT\d\d:\d\dZ"
        told = dict(each.split(": ", 1) for each in status["crls"].split("; "))
        assert told.keys() == {"root", "issuing"}
        assert all(re.fullmatch(in_order, words) for words in told.values()), status["crls"]
        refused = run(["ceremony", "root-session"], environment)
        assert "[root-session.no-root]" in refused.err


@pytest.mark.long
def test_the_web_service_starts_and_answers_with_the_root_s_token_pulled(
    held: Path, environment: dict[str, str], ground: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    there = {
        **environment,
        "PORTSEAL_WEB__ORIGIN": url,
        "PORTSEAL_WEB__PORT": str(port),
        "PORTSEAL_URL": url,
        "PIN": "officer-pin-1",
        "SO_PIN": "officer-so-1",
    }
    with root_pulled(ground), served(url, there, ground / "serve.log"):
        (ground / "tsa.pem").write_text(certificate_of_tsa(ground).pem)
        chain = "".join((held / name).read_text() for name in ("root.pem", "issuing.pem"))
        (ground / "chain.pem").write_text(chain)
        asked = [("root.pem", held / "issuing.pem"), ("issuing.pem", ground / "tsa.pem")]
        for issuer, certificate in asked:
            told = openssl(
                "ocsp", "-issuer", held / issuer, "-cert", certificate, "-url", f"{url}/ocsp",
                "-CAfile", ground / "chain.pem",
            )  # fmt: skip
            assert "Response verify OK" in told
            assert f"{certificate}: good" in told

        made = run(["officer", "add", "李管理", "--role", "administrator", "--json"], there)
        assert made.code == 0, made.said
        officer = {**there, "CODE": json.loads(made.out)["activation_code"]}
        card = ["--token", "officer", "--pin-env", "PIN"]
        for command in (
            ["card", "init", *card, "--so-pin-env", "SO_PIN"],
            ["card", "enrol", *card, "--code-env", "CODE"],
            ["card", "login", *card, "--json"],
        ):
            done = run(command, officer)
            assert done.code == 0, done.said
        assert json.loads(done.out)["name"] == "李管理"


@pytest.mark.long
def test_a_rehearsal_leaves_nothing_but_its_results(ground: Path) -> None:
    plan = plan_with(ground, "root-token")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PORTSEAL")}
    bare["PORTSEAL_TIMESTAMP__REQUIRE_SYNCHRONISED_CLOCK"] = "false"  # it may be nobody's
    bare.pop("SOFTHSM2_CONF", None)
    arguments = ["ceremony", "run", str(plan), "--rehearse", "--output", str(ground / "rehearsed")]
    done = Custodians().sit_at(arguments, {**bare, "TMPDIR": str(ground / "data")})
    assert done.code == 0, done.said
    verify_transcript(ground / "rehearsed")
    assert not list((ground / "data").glob("portseal-rehearsal-*"))
    extended = run(["ceremony", "run", "roll-over", "--rehearse", "--output",
                    str(ground / "rolled")], bare)  # fmt: skip
    assert extended.code == 0, extended.said
    assert (ground / "rolled" / "link-new-with-old.pem").exists()


def test_a_token_that_fails_or_returns_and_a_copied_key_are_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the pool of tokens tells its house."""
    monkeypatch.setenv("PORTSEAL_CONFIG", "")
    module = softhsm_module()
    settings = Settings(
        data_directory=tmp_path,
        web=WebSettings(secret_key="x" * 32),
        database=DatabaseSettings(url=f"sqlite:///{tmp_path}/p.db"),
        token=TokenSettings(module=module, label="one", pin_variable="X"),
        token_replicas=(TokenSettings(module=module, label="two", pin_variable="X"),),
    )
    house = House(settings)
    house.database.upgrade()
    assert isinstance(house.token, TokenPool)
    house._tell_of_token("two", "token.missing")
    house._tell_of_token("two", None)
    house._tell_of_copy("seal-1", "one", "two")
    with house.database.reading() as connection:
        told = [
            (record.event, json.loads(record.facts).get("code"))
            for record in records(connection, "two")
        ]
        (copied,) = records(connection, "seal-1")
    house.database.dispose()
    assert copied.event == "key.replicated"
    assert json.loads(copied.facts) == {"source": "one", "target": "two"}
    assert told == [("token.failed", "token.missing"), ("token.returned", None)]
