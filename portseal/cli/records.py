"""`portseal journal` and `portseal db`."""

import sys
from pathlib import Path

import click

from portseal.cli.exit_codes import ExitCode
from portseal.cli.output import json_option, show
from portseal.settings import read_settings
from portseal.wiring import House
from portseal.witness import check, read_file
from records.database import Database


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


@click.group("db")
def database() -> None:
    """The database's schema."""


@database.command("upgrade")
def upgrade() -> None:
    """Bring the schema to the newest migration."""
    Database(read_settings().database.url.get_secret_value()).upgrade()
    click.echo("the database is up to date")
