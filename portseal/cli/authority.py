"""`portseal status`, `officer`: what is done at the authority's console."""

import getpass
import sys

import click

from portseal.cli.exit_codes import ExitCode
from portseal.cli.output import json_option, show
from portseal.status import BROKEN, NOT_IN_ORDER, status_of
from portseal.wiring import House
from ra_portal.people.identity import Identity, Role, console


def _operator() -> Identity:
    return console(getpass.getuser())


@click.command("status")
@json_option
def status(as_json: bool) -> None:
    """Tell whether everything is in order: database, schema, token, keys, certificates,
    journal, worker.

    Exit code 5 when the journal is not intact, 3 when another part is not in order.
    """
    with House.opened() as house:
        told = status_of(house)
    show(told, as_json)
    if any(words.startswith(BROKEN) for words in told.values()):
        sys.exit(ExitCode.NOT_PASSED)
    if any(words.startswith(NOT_IN_ORDER) for words in told.values()):
        sys.exit(ExitCode.UNAVAILABLE)


@click.group("officer")
def officer() -> None:
    """The authority's officers."""


@officer.command("add")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([str(role) for role in Role]),
)
@click.option(
    "--emergency",
    default="",
    help="Why the console appoints though an officer with a card could; the journal tells it.",
)
@json_option
def add_officer(name: str, roles: tuple[str, ...], emergency: str, as_json: bool) -> None:
    """Add the first officers; prints the activation code for the officer's own USB key, once.

    Once an officer who may appoint others holds a card, that is done in the portal.
    """
    with House.opened() as house:
        added = house.portal.officers.add(_operator(), name, roles, emergency)
        show(
            {
                "officer": added.officer.id,
                "card": added.card.number,
                "activation_code": added.activation_code,
            },
            as_json,
        )
