"""The journal's checkpoints: who rewrites the chain does not rewrite what was witnessed."""

import hashlib
import ssl
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from kernel.asn1.certificate import Certificate
from kernel.clock import SystemClock
from kernel.entropy import SystemEntropy
from kernel.refusals import Conflict, Malformed
from portseal.witness import FILE_NAME, Finding, Seal, Witness, check, read_file
from records import checkpoints
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.tables import journal, journal_checkpoint, journal_head
from signing_service.timestamping.authority import TimestampAuthority
from signing_service.timestamping.client import LocalTimestamper
from tests.software_keys import SoftwareAuthority

POLICY = "2.16.840.1.2.2"
CLOCK = SystemClock()
JOURNAL = Journal(CLOCK)


class Site:
    """A journal with a witness."""

    def __init__(self, database: Database, directory: Path) -> None:
        self.database = database
        self.file = directory / FILE_NAME
        tsa = SoftwareAuthority().timestamp_authority()
        self.authority = TimestampAuthority(
            tsa.key, tsa.certificate, tsa.chain, POLICY, CLOCK, SystemEntropy()
        )
        self.seal = Seal(self.authority.certificate, POLICY)
        stamper = LocalTimestamper(self.authority, SystemEntropy())
        self.witness = Witness(database, stamper, self.seal, CLOCK, self.file)

    def write(self, count: int) -> None:
        with self.database.transaction() as connection:
            for number in range(count):
                JOURNAL.append(connection, Event.CARD_MADE, subject="card", actor="x", n=number)

    def check(self, further: Path | None = None) -> Finding:
        with self.database.reading() as connection:
            copies = () if further is None else read_file(further)
            return check(connection, JOURNAL, self.seal, copies)

    def rewrite(self, without: int) -> None:
        """What somebody with the database does: remove a record, renumber, reckon anew."""
        with self.database.transaction() as connection:
            kept = [
                row
                for row in connection.execute(select(journal).order_by(journal.c.position))
                if row.position != without
            ]
            connection.execute(delete(journal))
            connection.execute(delete(journal_head))
        with self.database.transaction() as connection:
            for row in kept:
                JOURNAL.append(
                    connection, Event(row.event), subject=row.subject, actor=row.actor, n=1
                )


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    return Site(database, tmp_path)


def test_an_untouched_journal_fits_its_checkpoints(site: Site) -> None:
    for count in (5, 3):
        site.write(count)
        assert site.witness.witness() is not None
    assert site.witness.witness() is None
    found = site.check(site.file)
    assert found.intact
    assert (found.checkpoints, found.until) == (2, 8)
    assert found.longest_wait < timedelta(minutes=1)


def test_a_removed_record_is_found_though_the_chain_was_reckoned_anew(site: Site) -> None:
    site.write(5)
    site.witness.witness()
    site.rewrite(without=3)
    site.write(4)
    found = site.check()
    assert found.chain.intact
    assert not found.intact
    assert "checkpoint of record 5" in found.misfits[0]


def test_records_cut_off_are_found_though_the_head_was_moved(site: Site) -> None:
    site.write(5)
    site.witness.witness()
    site.rewrite(without=5)
    found = site.check()
    assert found.chain.intact
    assert "the record is missing" in found.misfits[0]


def test_a_copy_kept_elsewhere_finds_it_though_the_checkpoints_were_removed(site: Site) -> None:
    site.write(5)
    site.witness.witness()
    copy = site.file.rename(site.file.with_name("elsewhere"))
    site.rewrite(without=3)
    with site.database.transaction() as connection:
        connection.execute(delete(journal_checkpoint))
    site.write(2)
    assert site.witness.witness() is not None
    assert site.check().intact
    assert not site.check(copy).intact


def test_a_journal_that_was_rewritten_is_not_witnessed(site: Site) -> None:
    site.write(5)
    site.witness.witness()
    with site.database.transaction() as connection:  # the file still knows
        connection.execute(delete(journal_checkpoint))
    site.rewrite(without=2)
    site.write(9)
    with pytest.raises(Conflict, match=r"journal\.rewritten"):
        site.witness.witness()


@pytest.mark.parametrize("torn", [1, 40, -1])
def test_a_line_torn_by_a_power_cut_stops_no_later_checkpoint(
    site: Site, torn: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The last line lacks its end, or all but its first octets."""
    for _ in range(2):
        site.write(3)
        assert site.witness.witness() is not None
    first, last = site.file.read_bytes().splitlines()
    site.file.write_bytes(first + b"\n" + last[:torn])
    assert [each.position for each in read_file(site.file)] == [3]
    site.write(3)
    made = site.witness.witness()
    assert made is not None
    assert [each.position for each in read_file(site.file)] == [3, 9]
    assert site.check(site.file).intact
    assert "torn" in caplog.text


def test_a_whole_line_without_its_end_is_kept(site: Site) -> None:
    for _ in range(2):
        site.write(3)
        site.witness.witness()
        site.file.write_bytes(site.file.read_bytes().rstrip(b"\n"))
    site.write(3)
    site.witness.witness()
    assert [each.position for each in read_file(site.file)] == [3, 6, 9]


def test_a_malformed_line_in_the_midst_is_no_torn_one(site: Site) -> None:
    site.write(3)
    site.witness.witness()
    whole = site.file.read_bytes()
    site.file.write_bytes(whole[:40] + b"\n" + whole)
    with pytest.raises(Malformed, match=r"journal\.checkpoint-malformed"):
        read_file(site.file)


def test_a_forged_checkpoint_is_named(site: Site) -> None:
    site.write(5)
    made = site.witness.witness()
    assert made is not None
    other = Site(site.database, site.file.parent / "other")
    digest = hashlib.sha256(checkpoints.witnessed_text(5, b"\1" * 32, None)).digest()
    for forged in (
        replace(made, hash=b"\1" * 32),
        replace(made, position=4),
        replace(made, token=made.token[:-1] + bytes([made.token[-1] ^ 1])),
        replace(made, token=LocalTimestamper(other.authority).stamp(digest, "sha256")),
        replace(made, token=b"\x30\x00"),
    ):
        with pytest.raises(Malformed, match=r"journal\.checkpoint-invalid"):
            site.seal.time_of(forged)
        with site.database.reading() as connection:
            assert check(connection, JOURNAL, site.seal, [forged]).misfits


def test_a_timestamp_of_another_policy_is_no_checkpoint(site: Site) -> None:
    site.write(1)
    made = site.witness.witness()
    assert made is not None
    with pytest.raises(Malformed):
        Seal(site.seal.certificate, "2.16.840.1.2.1").time_of(made)


def test_records_that_waited_long_for_a_witness_show(site: Site) -> None:
    site.write(3)
    with site.database.transaction() as connection:
        before = (datetime.now(UTC) - timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        connection.execute(update(journal).values(at=before))
    site.witness.witness()
    assert site.check().longest_wait > timedelta(days=8)


def test_a_checkpoint_is_made_when_it_is_due(site: Site) -> None:
    hour = timedelta(hours=1)
    assert site.witness.witness_when_due(hour, 10) is None  # nothing to witness
    site.write(1)
    assert site.witness.witness_when_due(hour, 10) is not None
    site.write(9)
    assert site.witness.witness_when_due(hour, 10) is None
    assert site.witness.witness_when_due(timedelta(0), 10) is not None
    site.write(10)
    assert site.witness.witness_when_due(hour, 10) is not None


@pytest.mark.parametrize(
    "line",
    ["", "{}", "[]", "[" * 9999, '{"position": 0, "hash": "", "at": "2026-01-01", "token": ""}'],
)
def test_a_line_that_is_no_checkpoint_is_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(line + "\n")
    with pytest.raises(Malformed, match=r"journal\.checkpoint-malformed"):
        read_file(path)


def test_openssl_verifies_a_checkpoint(site: Site, tmp_path: Path) -> None:
    site.write(2)
    made = site.witness.witness()
    assert made is not None
    assert made.root is not None
    token, data, tsa = (str(tmp_path / name) for name in ("token", "data", "tsa.pem"))
    Path(token).write_bytes(made.token)
    text = f"PortSeal journal checkpoint {made.position} {made.hash.hex()} {made.root.hex()}\n"
    Path(data).write_text(text)
    Path(tsa).write_text(pem(site.seal.certificate))
    done = subprocess.run(
        [
            *("openssl", "ts", "-verify", "-token_in", "-in", token, "-data", data),
            *("-CAfile", tsa, "-partial_chain"),
        ],
        capture_output=True,
        text=True,
    )
    assert "Verification: OK" in done.stdout + done.stderr, done.stderr


def pem(certificate: Certificate) -> str:
    return ssl.DER_cert_to_PEM_cert(certificate.der)
