"""`portseal card freeze` and what else moves a card, signed in with a card (`--token`)."""

from typing import Any

import click

from portseal.cli.card_encryption import encryption_key_beside
from portseal.cli.options import card_options, pin_source, url_option
from portseal.cli.output import json_option, show
from portseal.holder.card import Card
from portseal.holder.service import Service

_SHOWN = ("number", "state", "frozen_at", "ended_at", "end_reason", "not_after", "predecessor")


def _signed_in(
    module: str, label: str, pin_env: str | None, pin_fd: int | None, url: str
) -> tuple[Service, Card]:
    service, card = Service(url), Card(module, label, pin_source(pin_env, pin_fd))
    service.sign_in(card)
    return service, card


def _number(service: Service, number: str | None) -> str:
    """The card that is named, or the one that is signed in with."""
    return number or str(service.call("GET", "/sso/session")["card"])


def _told(card: dict[str, Any]) -> dict[str, Any]:
    return {name: card[name] for name in _SHOWN if card.get(name) is not None}


@click.command("freeze")
@card_options
@url_option
@click.argument("number", required=False)
@click.option("--reason", required=True, help="Why; kept in the card's history.")
@json_option
def freeze(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    number: str | None,
    reason: str,
    as_json: bool,
) -> None:
    """Put card NUMBER on hold at once (default: the card that is signed in with)."""
    service, _ = _signed_in(module, label, pin_env, pin_fd, url)
    moved = service.move_card(_number(service, number), "freeze", reason=reason)
    show(_told(moved), as_json)


@click.command("unfreeze")
@card_options
@url_option
@click.argument("number")
@click.option("--reason", required=True, help="Why; kept in the card's history.")
@json_option
def unfreeze(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    number: str,
    reason: str,
    as_json: bool,
) -> None:
    """End the hold of card NUMBER, signed in with a card that may."""
    service, _ = _signed_in(module, label, pin_env, pin_fd, url)
    show(_told(service.move_card(number, "unfreeze", reason=reason)), as_json)


@click.command("report-loss")
@card_options
@url_option
@click.argument("number")
@json_option
def report_loss(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    number: str,
    as_json: bool,
) -> None:
    """Revoke card NUMBER, which is lost, at once and for good; the time is timestamped.

    Without any card: the page /lost, or `portseal card lost`.
    """
    service, _ = _signed_in(module, label, pin_env, pin_fd, url)
    show(_told(service.move_card(number, "loss-report")), as_json)


@click.command("history")
@card_options
@url_option
@click.argument("number", required=False)
@json_option
def history(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    number: str | None,
    as_json: bool,
) -> None:
    """The moves of card NUMBER: when, what, who, why."""
    service, _ = _signed_in(module, label, pin_env, pin_fd, url)
    moves = service.card_moves(_number(service, number))
    if as_json:
        show({"moves": moves}, as_json)
        return
    for move in moves:
        stamped = ", timestamped" if move["timestamp"] else ""
        click.echo(f"{move['at']}  {move['move']}  {move['reason']}  ({move['actor']}{stamped})")


@click.command("renew")
@card_options
@url_option
@json_option
def renew(
    module: str, label: str, pin_env: str | None, pin_fd: int | None, url: str, as_json: bool
) -> None:
    """Renew the card on the USB key: a new key beside the old one, and its certificate.

    Near its end the new card has the full validity; before that it is a re-key, and the end
    stays. The old card is replaced, and no officer is needed.
    """
    service, card = _signed_in(module, label, pin_env, pin_fd, url)
    renewed = service.renew(card)
    show({**_told(renewed), **encryption_key_beside(service, card, renewed)}, as_json)


@click.command("lost")
@url_option
@click.argument("number")
@click.option(
    "--channel",
    type=click.Choice(["sms", "mail"]),
    default="sms",
    show_default=True,
    help="Where the one-time code goes.",
)
@click.option(
    "--act",
    type=click.Choice(["loss", "freeze", "unfreeze"]),
    default="loss",
    show_default=True,
    help="What to do with the card.",
)
@click.option("--code-env", metavar="NAME", help="Variable that holds the code.")
@json_option
def lost(
    url: str, number: str, channel: str, act: str, code_env: str | None, as_json: bool
) -> None:
    """Report card NUMBER lost without any card, by a one-time code to the registered phone."""
    service = Service(url)
    asked = {"card": number, "purpose": act, "channel": channel}
    request = service.call("POST", "/api/v1/card-codes", asked)["request"]
    code = pin_source(code_env, None, "One-time code for {token}: ").pin(number)
    show(_told(service.call("POST", f"/api/v1/card-codes/{request}", {"code": code})), as_json)


@click.command("recover")
@card_options
@url_option
@click.option("--halves-env", metavar="NAME", help="Variable that holds both halves.")
@json_option
def recover(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    halves_env: str | None,
    as_json: bool,
) -> None:
    """Make the card that takes the place of a locked or expired legal-person card.

    Asks for the two halves of the one-time secret, from the mail and from the text message. The
    USB key is a blank one that `portseal card init` gave a PIN, or the old one initialised anew
    with its maker's program.
    """
    if halves_env is not None:
        secret = pin_source(halves_env, None).pin(label)
    else:
        secret = pin_source(None, None, "Part 1 of the secret, from the mail: ").pin(label)
        secret += pin_source(None, None, "Part 2 of the secret, from the text message: ").pin(label)
    card, service = Card(module, label, pin_source(pin_env, pin_fd)), Service(url)
    made = service.enrol(card, secret)["card"]
    show({**_told(made), **encryption_key_beside(service, card, made)}, as_json)


COMMANDS = (recover, renew, lost, freeze, unfreeze, report_loss, history)
