"""`portseal act`: officers sign what shall be done at the authority's console."""

import sys
from pathlib import Path
from typing import BinaryIO

import click

from kernel.refusals import Malformed
from portseal.cli.options import card_options, pin_source
from portseal.cli.output import json_option, show
from portseal.holder.act import MAX_SIGNED_BYTES, sign_act, to_json
from portseal.holder.card import Card
from ra_portal.console.act_rows import ActRecord


@click.group("act")
def act() -> None:
    """Acts at the console, which officers sign with their cards (docs/running.md)."""


@act.command("sign")
@card_options
@click.argument("statement", type=click.File("rb"), default="-")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), required=True,
    help="For the command's --signed.",
)  # fmt: skip
def sign(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    statement: BinaryIO,
    output: Path,
) -> None:
    """Sign the STATEMENT that a command at the console printed, with an officer's card.

    Needs neither settings nor the service. Read what is shown before giving the PIN.
    """
    octets = statement.read(MAX_SIGNED_BYTES + 1)
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("act.statement", "this is no statement of an act") from error
    if len(octets) > MAX_SIGNED_BYTES or not text.replace("\n", "").isprintable():
        raise Malformed("act.statement", "this is no statement of an act")
    click.echo(text, err=True)
    signed = sign_act(Card(module, label, pin_source(pin_env, pin_fd)), text)
    output.write_text(to_json(signed), "utf-8")
    click.echo(f"written: {output}", err=True)


@act.command("list")
@json_option
def list_acts(as_json: bool) -> None:
    """Acts that wait for signatures, and those without a card that nobody has acknowledged."""
    from portseal.wiring import House  # `sign` runs on an officer's machine

    with House.opened() as house:
        waiting, told = house.console_acts.waiting(), house.console_acts.unacknowledged()
    if as_json:
        show({"waiting": [_shown(each) for each in waiting],
              "without_card": [_shown(each) for each in told]}, as_json)  # fmt: skip
        return
    for each in waiting:
        signed = f"{len(each.officers)} signed" if each.officers else "nobody has signed"
        sys.stdout.write(f"waits: {each.what} {each.subject}, by {each.account}, {signed}\n")
    for each in told:
        why = f" ({each.reason})" if each.reason else ""
        done = f"{each.done_at:%Y-%m-%dT%H:%M:%SZ}"
        line = f"{each.exception}: {each.what} {each.subject}, by {each.account}, {done}{why}"
        sys.stdout.write(f"{line}\n")


def _shown(record: ActRecord) -> dict[str, object]:
    return {
        "act": record.id,
        "what": record.what,
        "on": record.subject,
        "account": record.account,
        "signed": len(record.officers),
        "exception": record.exception,
        "reason": record.reason,
        "opened_at": record.opened_at.isoformat(),
        "statement": record.statement,
    }
