"""`portseal key-centre init`, `status`, `fill`, `rewrap`, `destroy-escrow-key`: at the console."""

from typing import TYPE_CHECKING

import click

from ca.ceremonies.labels import ESCROW
from hsm.secret_keys import SecretUse
from kernel.refusals import Conflict
from portseal.cli.acting import Acting, officer_options
from portseal.cli.output import json_option, show
from ra_portal.console.act import Act

if TYPE_CHECKING:
    from portseal.wiring import House


def _actor(house: "House", acting: Acting, what: str, on: str, reason: str = "") -> str:
    told = {"reason": reason} if reason else {}
    return acting.authorise(house, Act(what, "escrow.manage", on, told)).actor


@click.command("init")
@officer_options
def init(acting: Acting) -> None:
    """Make the escrow key in the centre's own token (setting `key_centre.token`).

    Without a token of its own the centre uses the authority's, where the ceremony made one.
    """
    from portseal.wiring import House  # the group's other commands run on an officer's machine

    with House.opened() as house:
        token = house.key_centre_token
        if ESCROW in token.secret_labels():
            raise Conflict("key-centre.done", "the token holds an escrow key already")
        _actor(house, acting, "escrow.init", token.label)
        token.generate_secret(ESCROW, SecretUse.WRAP)
        click.echo(f"token {token.label} holds the escrow key: 256 bits, never to leave it")


@click.command("status")
@json_option
def status(as_json: bool) -> None:
    """Keys in escrow and made ahead, and under which escrow key."""
    from portseal.wiring import House

    with House.opened() as house:
        progress = house.key_centre.rewrapping.progress()
        levels = house.key_centre.pool.levels()
    pooled = sum(level.there for level in levels.values())
    show(
        {
            "escrowed": progress.total - pooled,
            "pool": {name: f"{each.there} of {each.wanted}" for name, each in levels.items()},
            "escrow_key": progress.escrow_key,
            "to_be_wrapped_anew": progress.left,
        },
        as_json,
    )


@click.command("fill")
@json_option
def fill(as_json: bool) -> None:
    """Make keys ahead now, until the pool has what the settings say; the worker does it, too."""
    from portseal.wiring import House

    with House.opened() as house:
        pool, made = house.key_centre.pool, 0
        while batch := pool.fill():
            made += batch
    show({"made": made}, as_json)


@click.command("rewrap")
@click.option("--later", is_flag=True, help="Only make the new escrow key: the worker wraps.")
@officer_options
@json_option
def rewrap(later: bool, acting: Acting, as_json: bool) -> None:
    """Put a new escrow key in use, and wrap every escrowed key anew under it.

    A job that was begun before is finished, and no other begun. The old escrow key stays until it
    is destroyed. Back the token up before that: from now on the new escrow key is the one that
    must not be lost.
    """
    from portseal.wiring import House

    with House.opened() as house:
        rewrapping = house.key_centre.rewrapping
        if not rewrapping.has_work():
            rewrapping.begin(_actor(house, acting, "escrow.rewrap", "every escrowed key"))
        done = 0 if later else rewrapping.run()
        progress = rewrapping.progress()
    show({"escrow_key": progress.escrow_key, "wrapped": done, "left": progress.left}, as_json)


@click.command("destroy-escrow-key")
@click.argument("label")
@click.option("--reason", required=True, help="Why, for the journal.")
@click.option("--confirm", prompt="Type the key's label again", help="The key's label again.")
@officer_options
@json_option
def destroy_escrow_key(
    label: str, reason: str, confirm: str, acting: Acting, as_json: bool
) -> None:
    """Destroy a former escrow key for good; one that still wraps something is refused."""
    from portseal.wiring import House

    if confirm != label:
        raise Conflict("key.not-confirmed", "the label was not repeated; nothing was destroyed")
    with House.opened() as house:
        actor = _actor(house, acting, "escrow.destroy", label, reason)
        house.key_centre.rewrapping.destroy(label, actor, reason)
    show({"destroyed": label}, as_json)


COMMANDS = (init, status, fill, rewrap, destroy_escrow_key)
