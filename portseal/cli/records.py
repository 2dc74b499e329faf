"""`portseal journal verify` and `portseal db upgrade`."""

import sys

import click

from kernel.clock import SystemClock
from portseal.cli.exit_codes import ExitCode
from portseal.cli.output import json_option, show
from portseal.settings import read_settings
from records.database import Database
from records.journal import Journal


@click.group("journal")
def journal() -> None:
    """The chained records of everything that was done."""


@journal.command("verify")
@json_option
def verify(as_json: bool) -> None:
    """Prove the chain intact, or name the first broken record (exit code 5)."""
    database = Database(read_settings().database.url.get_secret_value())
    with database.reading() as connection:
        verdict = Journal(SystemClock()).verify(connection)
    words = "intact" if verdict.intact else f"broken at record {verdict.broken_at}"
    show(
        {
            "journal": words,
            "records": verdict.count,
            **({} if verdict.intact else {"why": verdict.reason}),
        },
        as_json,
    )
    if not verdict.intact:
        sys.exit(ExitCode.NOT_PASSED)


@click.group("db")
def database() -> None:
    """The database's schema."""


@database.command("upgrade")
def upgrade() -> None:
    """Bring the schema to the newest migration."""
    Database(read_settings().database.url.get_secret_value()).upgrade()
    click.echo("the database is up to date")
