"""`portseal journal` and `portseal db`."""

import json
import sys
from pathlib import Path

import click

from portseal.cli.exit_codes import ExitCode
from portseal.cli.output import json_option, show
from portseal.journal_proof import VERIFIER, journal_proof
from portseal.settings import read_settings
from portseal.wiring import House
from portseal.witness import check, read_file
from records.database import Database
from signing_service.sso.cas.addresses import lost_addresses


@click.group("journal")
def journal() -> None:
    """The chained records of everything that was done."""


@journal.command("verify")
@click.option(
    "--checkpoints",
    "copies",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A copy of the file journal-checkpoints that was kept elsewhere.",
)
@json_option
def verify(copies: tuple[Path, ...], as_json: bool) -> None:
    """Prove the chain intact and fitting every checkpoint, or name what does not (exit code 5).

    The checkpoints are those of the database, of the file journal-checkpoints in the data
    directory, and of copies of it: a copy that was kept elsewhere cannot be changed from here.
    """
    with House.opened() as house:
        local = [house.journal_checkpoints] if house.journal_checkpoints.exists() else []
        further = [each for path in (*local, *copies) for each in read_file(path)]
        with house.database.reading() as connection:
            found = check(connection, house.journal, house.journal_seal, further)
    chain = found.chain
    words = "intact" if chain.intact else f"broken at record {chain.broken_at}"
    if chain.intact and found.misfits:
        words = "changed since it was witnessed"
    show(
        {
            "journal": words,
            "records": chain.count,
            **({} if chain.intact else {"why": chain.reason}),
            "checkpoints": found.checkpoints,
            "witnessed_until": found.until,
            "longest_wait_seconds": round(found.longest_wait.total_seconds()),
            **({"misfits": found.misfits} if found.misfits else {}),
        },
        as_json,
    )
    if not found.intact:
        sys.exit(ExitCode.NOT_PASSED)


@journal.command("checkpoint")
@json_option
def checkpoint(as_json: bool) -> None:
    """Have the journal's head witnessed by a timestamp now; the worker does so regularly."""
    with House.opened() as house:
        made = house.witness.witness()
        file = house.journal_checkpoints
    if made is None:
        show({"witnessed": "nothing new"}, as_json)
    else:
        told = made.at.isoformat(timespec="seconds")
        show({"witnessed": made.position, "at": told, "file": str(file)}, as_json)


@journal.command("prove")
@click.argument("identifier")
@click.option(
    "--since",
    multiple=True,
    type=click.IntRange(min=1),
    help="Position of a checkpoint that was kept elsewhere: prove that nothing before it changed.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="File for the proof; verify_journal.py is written beside it.",
)
@json_option
def prove(identifier: str, since: tuple[int, ...], output: Path, as_json: bool) -> None:
    """Prove that records stand in the witnessed journal: one POSITION, or all of a subject.

    The proof is a file of JSON for somebody who has neither our database nor our keys:
    python3 verify_journal.py PROOF checks it with Python's standard library and openssl.
    """
    with House.opened() as house:
        pair = house.authorities
        chain = (pair.tsa.certificate, *pair.tsa.chain)
        with house.database.reading() as connection:
            proof = journal_proof(connection, identifier, since, house.journal_seal, chain)
    output.write_text(json.dumps(proof, ensure_ascii=False, indent=1) + "\n", "utf-8")
    verifier = output.with_name("verify_journal.py")
    verifier.write_bytes(VERIFIER.read_bytes())
    told = {"records": len(proof["records"]), "checkpoint": proof["checkpoint"]["position"]}
    show({**told, "proof": str(output), "verifier": str(verifier)}, as_json)


@click.group("db")
def database() -> None:
    """The database's schema."""


@database.command("upgrade")
def upgrade() -> None:
    """Bring the schema to the newest migration; says what the administrator must see to."""
    opened = Database(read_settings().database.url.get_secret_value())
    opened.upgrade()
    click.echo("the database is up to date")
    with opened.reading() as connection:
        lost = lost_addresses(connection)
    for each in lost:
        click.echo(f"see to it: the CAS service address {each}", err=True)
