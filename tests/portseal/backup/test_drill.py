"""The drill: everything is destroyed and put back from a backup that was made while it ran."""

import json
import os
import secrets
import shutil
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kernel.clock import SystemClock
from kernel.refusals import Conflict, Malformed, Unavailable
from portseal.backup import databases
from portseal.backup.sealed import SealedWriter
from portseal.demo.strangers import openssl_ocsp_request
from portseal.demo.tokens import FIRST
from portseal.sandbox.postgresql import PostgreSQL
from records.database import Database
from records.events import Event
from records.journal import Journal
from signing_service.validation.evidence import SignatureFormat
from tests.database import load_all_tables
from tests.portseal.service import RunningService, Twin

SAMPLE = Path(__file__).parents[2] / "samples" / "dec-import.xml"
_LONGEST_RESTORE_SECONDS = 120


TWO = ("system-administrator", "administrator")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "backup.key"
    path.touch(mode=0o600)
    path.write_text(secrets.token_hex(32))
    return path


@pytest.mark.long
def test_everything_is_destroyed_and_comes_back(
    twin: Twin, service: RunningService, tmp_path: Path, key_file: Path
) -> None:
    twin.serve()
    card = service.stage.cards["operator"]
    before = sign(twin, service)
    known = json.loads(twin.site.run("act", "list", "--json"))["without_card"]
    twin.site.run("journal", "checkpoint")
    objects = set((twin.site.directory / "data" / "archive").rglob("*"))
    assert len(objects) > 3
    backup = tmp_path / "set"
    made = twin.site.run_signed_json(
        service.cards(*TWO), "backup", str(backup), "--key", str(key_file)
    )
    assert made["journal_records"] > 0
    assert_nothing_is_readable(backup, twin)

    twin.kill()
    lost_from = time.monotonic()
    shutil.rmtree(twin.site.directory / "data")
    shutil.rmtree(twin.token_directory / "tokens")

    restored = twin.site.run_json("restore", str(backup), "--key", str(key_file))
    assert restored["journal_records"] == made["journal_records"]
    twin.serve()
    assert sign(twin, service)
    assert time.monotonic() - lost_from < _LONGEST_RESTORE_SECONDS
    print(f"restored in {restored['seconds']} s, serving after {time.monotonic() - lost_from:.1f}")

    query = ocsp_query(service, card.certificate.der, tmp_path)
    answer = twin.anonymous().fetch(
        "POST", "/ocsp", data=query, headers={"Content-Type": "application/ocsp-request"}
    )
    (tmp_path / "ocsp.der").write_bytes(answer.content)
    told = subprocess.run(
        ["openssl", "ocsp", "-respin", tmp_path / "ocsp.der", "-text", "-noverify"],
        capture_output=True,
        text=True,
    )
    assert "Cert Status: good" in told.stdout
    assert objects <= set((twin.site.directory / "data" / "archive").rglob("*"))
    assert twin.site.run_json("journal", "verify")["journal"] == "intact"
    proof = tmp_path / "proof.json"
    twin.site.run("journal", "prove", "1", "--output", str(proof))
    judged = subprocess.run(
        [sys.executable, "-I", str(tmp_path / "verify_journal.py"), str(proof)],
        capture_output=True,
        text=True,
    )
    assert judged.returncode == 0, judged.stdout
    assert before
    told = json.loads(twin.site.run("act", "list", "--json"))["without_card"]
    assert [(each["what"], each["exception"]) for each in told if each not in known] == [
        ("backup.restore", "no-records")
    ]

    with pytest.raises(Unavailable, match=r"backup\.not-empty"):
        twin.site.run("restore", str(backup), "--key", str(key_file))


def sign(twin: Twin, service: RunningService) -> bytes:
    conversation = twin.anonymous()
    card = service.stage.cards["operator"]
    conversation.sign_in(card)
    made = conversation.sign(card, SAMPLE.read_bytes(), SignatureFormat.CADES)
    assert str(made.indication) == "TOTAL-PASSED"
    return made.signature


def ocsp_query(service: RunningService, der: bytes, directory: Path) -> bytes:
    operator, issuing = directory / "operator.pem", directory / "issuing.pem"
    operator.write_text(ssl.DER_cert_to_PEM_cert(der))
    shutil.copy(service.stage.file("issuing.pem"), issuing)
    return openssl_ocsp_request(operator, issuing)


def assert_nothing_is_readable(backup: Path, twin: Twin) -> None:
    """No name, no PIN and no secret of the settings stands in the set."""
    secret = twin.site.tokens.pin_file(FIRST).read_bytes()
    for path in backup.iterdir():
        content = path.read_bytes()
        assert "示例操作员".encode() not in content
        assert secret not in content
        assert b"SQLite format" not in content
        assert path.stat().st_mode & 0o077 == 0 or path.name == "manifest.json"


@pytest.mark.long
def test_a_changed_part_or_another_key_restores_nothing(
    twin: Twin, service: RunningService, tmp_path: Path, key_file: Path
) -> None:
    backup = tmp_path / "set"
    twin.site.run_signed(service.cards(*TWO), "backup", str(backup), "--key", str(key_file))
    shutil.rmtree(twin.site.directory / "data")
    other = tmp_path / "other.key"
    other.touch(mode=0o600)
    other.write_text(secrets.token_hex(32))
    with pytest.raises(Unavailable, match=r"backup\.damaged"):
        twin.site.run("restore", str(backup), "--key", str(other))
    part = backup / "archive.sealed"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(Unavailable, match=r"backup\.damaged"):
        twin.site.run("restore", str(backup), "--key", str(key_file))
    assert not (twin.site.directory / "data" / "portseal.db").exists()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_database_of_one_moment_comes_back_elsewhere(
    kind: str, tmp_path: Path, postgresql_server: PostgreSQL
) -> None:
    """Records that are written while the backup is made are in it whole or not at all."""
    load_all_tables()
    urls = [f"sqlite:///{tmp_path / name}" for name in ("one.db", "two.db")]
    if kind == "postgresql":
        names = [postgresql_server.create_database() for _ in urls]
        urls = [postgresql_server.url(name) for name in names]
    one, two = (Database(url) for url in urls)
    one.upgrade()
    journal = Journal(SystemClock())
    with one.transaction() as connection:
        for number in range(500):
            journal.append(connection, Event.CARD_MADE, subject="s", actor="a", n=number)
    seen: dict[str, object] = {}

    def look(connection):  # type: ignore[no-untyped-def]
        seen.update(databases.head_of(connection))
        with one.transaction() as writing:  # somebody else goes on
            journal.append(writing, Event.CARD_MADE, subject="later", actor="a")

    if kind == "sqlite":  # it looks at the copy, when the copy is made
        look = lambda connection: seen.update(databases.head_of(connection))  # noqa: E731
    key, part = os.urandom(32), tmp_path / "part"
    with SealedWriter(part, key) as target:
        databases.save(one, urls[0], target, look, tmp_path)
    databases.restore(two, urls[1], part, key)
    with two.reading() as connection:
        assert databases.head_of(connection) == seen
        assert seen["position"] == 500
        assert journal.verify(connection).intact
    with pytest.raises(Conflict, match=r"backup\.not-empty"):
        databases.restore(two, urls[1], part, key)
    one.dispose()
    two.dispose()
    if kind == "postgresql":
        damaged = bytearray(part.read_bytes())
        damaged[-1] ^= 1
        part.write_bytes(damaged)
        with postgresql_server.fresh_database() as url:
            third = Database(url)
            with pytest.raises(Malformed, match=r"backup\.damaged"):
                databases.restore(third, url, part, key)
            third.dispose()
        for name in names:
            postgresql_server.drop_database(name)
