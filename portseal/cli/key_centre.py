"""`portseal key-centre`: the key-management centre's own token."""

import click

from ca.ceremony import ESCROW
from hsm.secret_keys import SecretUse
from kernel.refusals import Conflict
from portseal.wiring import House


@click.group("key-centre")
def key_centre() -> None:
    """The centre that makes and escrows holders' encryption keys."""


@key_centre.command("init")
def init() -> None:
    """Make the escrow key in the centre's own token (setting `key_centre.token`).

    Without a token of its own the centre uses the authority's, where the ceremony made one.
    """
    with House.opened() as house:
        token = house.key_centre_token
        if ESCROW in token.secret_labels():
            raise Conflict("key-centre.done", "the token holds an escrow key already")
        token.generate_secret(ESCROW, SecretUse.WRAP)
        click.echo(f"token {token.label} holds the escrow key: 256 bits, never to leave it")
