"""A proof about the journal convinces a stranger who has a file of Python and openssl alone."""

import json
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from kernel.clock import SystemClock
from kernel.entropy import SystemEntropy
from kernel.refusals import Conflict, NotFound, Unavailable
from portseal.journal_proof import VERIFIER, journal_proof
from portseal.witness import FILE_NAME, Seal, Witness, check
from records import journal_tree, merkle
from records.database import Database
from records.events import Event
from records.journal import Journal, entry_of
from records.tables import journal
from signing_service.timestamping.authority import TimestampAuthority
from signing_service.timestamping.client import LocalTimestamper
from tests.software_keys import SoftwareAuthority

CLOCK = SystemClock()
JOURNAL = Journal(CLOCK)
POLICY = "1.3.6.1.4.1.32473.2.2"


class Site:
    """A journal, its witness, and a stranger with a proof."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        self.kept = directory / FILE_NAME
        tsa = SoftwareAuthority().timestamp_authority()
        self.chain = (tsa.certificate, *tsa.chain)
        authority = TimestampAuthority(
            tsa.key, tsa.certificate, tsa.chain, POLICY, CLOCK, SystemEntropy()
        )
        self.public = LocalTimestamper(authority, SystemEntropy())
        self.seal = Seal(tsa.certificate, POLICY)
        self.witness = Witness(database, self.public, self.seal, CLOCK, self.kept)
        self.root = directory / "root.pem"
        self.root.write_text(ssl.DER_cert_to_PEM_cert(self.chain[-1].der))
        self.file = directory / "proof.json"

    def write(self, count: int, subject: str = "card") -> None:
        with self.database.transaction() as connection:
            for number in range(count):
                JOURNAL.append(connection, Event.CARD_MADE, subject=subject, actor="张", n=number)

    def prove(self, identifier: str, *since: int) -> dict[str, Any]:
        with self.database.reading() as connection:
            return journal_proof(connection, identifier, since, self.seal, self.chain)

    def judge(self, proof: dict[str, Any], *more: str) -> tuple[int, str]:
        """What the stranger's program says."""
        self.file.write_text(json.dumps(proof, ensure_ascii=False), "utf-8")
        command = [sys.executable, "-I", str(VERIFIER), str(self.file), "--root", str(self.root)]
        done = subprocess.run([*command, *more], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return Site(database, tmp_path)


def test_a_record_and_the_journals_past_are_proven(site: Site) -> None:
    site.write(300)
    first = site.witness.witness()
    site.write(2, "OP-2026-AAAA")
    site.witness.witness()
    site.write(700)
    site.witness.witness()
    assert first is not None
    proof = site.prove("OP-2026-AAAA", first.position)
    code, said = site.judge(proof, "--kept", str(site.kept))
    assert code == 0, said
    assert "record 302" in said
    assert "nothing up to record 300 was changed" in said
    assert "3 of the checkpoints are those of the kept copy" in said
    assert site.judge(site.prove("7"))[0] == 0


def _other_record(proof: dict[str, Any]) -> None:
    entry = json.loads(proof["records"][0]["entry"])
    proof["records"][0]["entry"] = json.dumps({**entry, "actor": "李"}, ensure_ascii=False)


def _other_head(proof: dict[str, Any]) -> None:
    proof["checkpoint"]["root"] = "00" * 32


def _other_past(proof: dict[str, Any]) -> None:
    proof["older"][0]["path"][0] = "00" * 32


def _other_policy(proof: dict[str, Any]) -> None:
    proof["policy"] = "1.3.6.1.4.1.32473.2.1"


def _no_record(proof: dict[str, Any]) -> None:
    proof["records"] = []


def _nothing(proof: dict[str, Any]) -> None:
    proof.clear()


@pytest.mark.parametrize(
    "change", [_other_record, _other_head, _other_past, _other_policy, _no_record, _nothing]
)
def test_a_changed_proof_convinces_nobody(
    site: Site, change: Callable[[dict[str, Any]], None]
) -> None:
    site.write(5)
    site.witness.witness()
    site.write(4)
    site.witness.witness()
    proof = site.prove("3")
    change(proof)
    code, said = site.judge(proof)
    assert (code, "FAILED" in said) == (1, True), said
    assert "Traceback" not in said


def test_a_journal_that_was_rewritten_fits_no_kept_copy(site: Site) -> None:
    site.write(5)
    site.witness.witness()
    kept = site.kept.read_text().replace(site.prove("1")["checkpoint"]["root"], "11" * 32)
    site.kept.write_text(kept)
    code, said = site.judge(site.prove("1"), "--kept", str(site.kept))
    assert (code, "says otherwise" in said) == (1, True), said


def test_a_timestamp_that_anybody_may_ask_for_is_no_checkpoint(site: Site) -> None:
    """The policy is what tells them apart: the stranger's program looks at it."""
    site.write(1)
    site.witness.witness()
    proof = site.prove("1")
    proof["policy"] = POLICY.removesuffix(".2.2") + ".9.2.2"
    assert site.judge(proof)[0] == 1


def test_what_is_not_witnessed_is_not_proven(site: Site) -> None:
    site.write(1)
    with pytest.raises(Conflict, match=r"journal\.not-witnessed"):
        site.prove("1")
    site.witness.witness()
    with pytest.raises(NotFound, match=r"journal\.no-record"):
        site.prove("2")
    with pytest.raises(NotFound, match=r"journal\.no-checkpoint"):
        site.prove("1", 77)


def test_what_is_kept_of_the_tree_is_what_the_records_give(any_database: Database) -> None:
    with any_database.transaction() as connection:
        for number in range(600):
            JOURNAL.append(connection, Event.CARD_MADE, subject="s", actor="a", n=number)
    with any_database.reading() as connection:
        before = merkle.root(journal_tree.reader(connection), 600)
    journal_tree.extend(any_database, 600)
    journal_tree.extend(any_database, 600)
    with any_database.reading() as connection:
        after = merkle.root(journal_tree.reader(connection), 600)
        rows = connection.execute(journal.select().order_by(journal.c.position))
        expected = merkle.root_of(merkle.leaf_hash(entry_of(row)) for row in rows)
    assert before == after == expected


def test_a_tree_with_another_head_is_named(site: Site) -> None:
    site.write(3)
    made = site.witness.witness()
    assert made is not None
    with site.database.transaction() as connection:
        connection.execute(update(journal).where(journal.c.position == 2).values(actor="x"))
    with site.database.reading() as connection:
        assert not check(connection, JOURNAL, site.seal).intact


def test_a_journal_that_cannot_be_written_is_told(any_database: Database) -> None:
    trigger = (
        "CREATE TRIGGER full BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'no'); END"
        if any_database.is_sqlite
        else "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''no''; END'; "
        "CREATE TRIGGER full_ BEFORE INSERT ON journal EXECUTE FUNCTION no()"
    )
    with any_database.engine.begin() as connection:
        connection.exec_driver_sql(trigger)
    with pytest.raises(Unavailable, match=r"journal\.unwritable"):
        with any_database.transaction() as connection:
            JOURNAL.append(connection, Event.CARD_MADE, subject="s", actor="a")
