"""`portseal card encryption-key`, `decrypt`, `recover-key`: the second key of a card."""

from pathlib import Path
from typing import Any

import click

from kernel.identifiers import parse_serial, serial_text
from kernel.refusals import Refusal
from portseal.cli.options import card_options, pin_source, url_option
from portseal.cli.output import json_option, show
from portseal.holder.card import Card
from portseal.holder.enveloped import MAX_MESSAGE_BYTES
from portseal.holder.opening import open_message
from portseal.holder.service import Service


def encryption_key_beside(service: Service, card: Card, shown: dict[str, Any]) -> dict[str, str]:
    """Fetch the encryption key after a signing certificate came; what to tell of it.

    The signing certificate is on the card by then: a refusal says how to fetch the rest.
    """
    if shown["holder_kind"] == "officer":
        return {}
    try:
        certificate = service.fetch_encryption_key(card)
    except Refusal:
        command = f"portseal card encryption-key --token {card.label}"
        click.echo(f"the card signs; fetch its encryption key later with: {command}", err=True)
        raise
    return {"encryption_serial": serial_text(certificate.serial)}


@click.command("encryption-key")
@card_options
@url_option
@json_option
def encryption_key(
    module: str, label: str, pin_env: str | None, pin_fd: int | None, url: str, as_json: bool
) -> None:
    """Fetch the card's encryption key from the key-management centre.

    It is made and escrowed there, and comes sealed: in clear it is nowhere but in tokens.
    """
    holder = Card(module, label, pin_source(pin_env, pin_fd))
    certificate = Service(url).fetch_encryption_key(holder)
    show(
        {
            "serial": serial_text(certificate.serial),
            "subject": certificate.subject_text(),
            "valid_until": certificate.not_after.isoformat(),
        },
        as_json,
    )


@click.command("encryption-certificate")
@card_options
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
def encryption_certificate(
    module: str, label: str, pin_env: str | None, pin_fd: int | None, output: Path
) -> None:
    """Write the certificate that others encrypt to (PEM), the newest on the card."""
    keys = Card(module, label, pin_source(pin_env, pin_fd)).encryption.keys()
    newest = max((certificate for certificate, _ in keys), key=lambda each: each.not_before)
    output.write_text(newest.pem, "ascii")


@click.command("decrypt")
@card_options
@click.argument("message", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
def decrypt(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    message: Path,
    output: Path,
) -> None:
    """Decrypt a CMS message (DER, as `openssl cms -encrypt -outform DER` makes) on the card."""
    with message.open("rb") as file:
        data = file.read(MAX_MESSAGE_BYTES + 1)
    holder = Card(module, label, pin_source(pin_env, pin_fd))
    output.write_bytes(open_message(data, holder.encryption.keys()))


@click.command("recover-key")
@card_options
@url_option
@click.argument("what")
@click.option("--reason", help="Why the key is needed: asks for the key of serial number WHAT.")
@json_option
def recover_key(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    what: str,
    reason: str | None,
    as_json: bool,
) -> None:
    """Recover the encryption key of an older card onto this one.

    With --reason: ask for it; WHAT is the serial number of the old encryption certificate. An
    officer of the key-management centre decides. Without: fetch it; WHAT is the request's id.
    The USB key must be the same both times.
    """
    holder = Card(module, label, pin_source(pin_env, pin_fd))
    service = Service(url)
    if reason is not None:
        show(service.ask_for_recovery(holder, parse_serial(what), reason), as_json)
        return
    certificate = service.fetch_recovered_key(holder, what)
    show({"serial": serial_text(certificate.serial)}, as_json)


COMMANDS = (encryption_key, encryption_certificate, decrypt, recover_key)
