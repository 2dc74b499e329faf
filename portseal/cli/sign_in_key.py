"""`portseal sign-in-key`: the keys that ID tokens are signed with, all in the token."""

import json

import click

from portseal.cli.acting import Acting, officer_options
from portseal.cli.output import json_option, show
from portseal.wiring import House
from ra_portal.console.act import Act


@click.group("sign-in-key")
def sign_in_key() -> None:
    """The keys that ID tokens are signed with."""


@sign_in_key.command("rotate")
@click.option(
    "--compromised", is_flag=True, help="The present key is good no longer, from this moment."
)
@officer_options
@json_option
def rotate(compromised: bool, acting: Acting, as_json: bool) -> None:
    """Make the next key: published at once, signing in an hour. The worker does it in time."""
    with House.opened() as house:
        told = {"compromised": "yes" if compromised else "no"}
        act = Act("signin-key.rotate", "signin-key.rotate", "the key in use", told)
        actor = acting.authorise(house, act).actor
        made = house.sso.signing_keys.rotate(actor=actor, compromised=compromised)
    show({"kid": made.kid, "label": made.label, "signs_from": made.signs_from.isoformat()}, as_json)


@sign_in_key.command("list")
@json_option
def list_keys(as_json: bool) -> None:
    """Every key, oldest first, with the time that it signs from and is published until."""
    with House.opened() as house:
        known = house.sso.signing_keys.generations()
    rows = [
        {
            "kid": each.kid,
            "label": each.label,
            "signs_from": each.signs_from.isoformat(),
            "published_until": each.published_until and each.published_until.isoformat(),
        }
        for each in known
    ]
    if as_json:
        click.echo(json.dumps({"keys": rows}, indent=2))
        return
    for row in rows:
        click.echo("  ".join(str(value) for value in row.values()))
