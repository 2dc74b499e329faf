"""`portseal directory`: what stands in the LDAP directory."""

import sys

import click

from ca.authority import DIRECTORY_CHANNEL
from kernel.refusals import Unprocessable
from portseal.cli.exit_codes import ExitCode
from portseal.cli.output import json_option, show
from portseal.wiring import House


@click.group("directory")
def directory() -> None:
    """The LDAP directory that certificates and CRLs are published to."""


@directory.command("reconcile")
@click.option("--check", is_flag=True, help="Only tell the differences; exit code 5 when any.")
@json_option
def reconcile(check: bool, as_json: bool) -> None:
    """Compare the directory with the records and repair it.

    Entries that the directory refused before are tried again by the worker afterwards.
    """
    with House.opened() as house:
        reconciler = house.reconciler
        if reconciler is None:
            raise Unprocessable("directory.none", "no directory is configured")
        found = reconciler.run(repair=not check)
        again = 0
        if not check:
            with house.database.transaction() as connection:
                again = house.outbox.try_again(connection, DIRECTORY_CHANNEL)
        show(
            {
                "compared": found.compared,
                "missing": found.missing,
                "other": found.other,
                "surplus": found.surplus,
                "authorities": found.authorities,
                "repaired": not check,
                "tried_again": again,
            },
            as_json,
        )
        if check and not found.none:
            sys.exit(ExitCode.NOT_PASSED)
