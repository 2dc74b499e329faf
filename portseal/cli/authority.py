"""`portseal status`, `officer`: what is done at the authority's console."""

import sys

import click

from policies.permissions import permissions
from portseal.cli.acting import Acting, officer_options
from portseal.cli.exit_codes import ExitCode
from portseal.cli.output import json_option, show
from portseal.status import BROKEN, NOT_IN_ORDER, status_of
from portseal.wiring import House
from ra_portal.console.act import Act
from ra_portal.people.identity import Role
from ra_portal.people.officers import read_roles


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
@officer_options
@json_option
def add_officer(name: str, roles: tuple[str, ...], acting: Acting, as_json: bool) -> None:
    """Add an officer. The first ones' activation codes, for their own USB keys, are printed, once.

    Once somebody who may appoint others holds a card, that card signs here, and another officer
    fetches the code in the portal.
    """
    (family,) = permissions().families_of(read_roles(roles))
    told = {"roles": ",".join(sorted(roles))}
    act = Act("officer.add", f"officer.{family}.manage", name, told, proposes=True)
    with House.opened() as house:
        by = acting.authorise(house, act)
        added = house.portal.officers.add(by, name, roles, acting.emergency)
        show(
            {
                "officer": added.officer.id,
                "card": added.card.number,
                "activation_code": added.activation_code or "another officer fetches it",
            },
            as_json,
        )
