"""`portseal key-centre`: what its officers do with a card, and whom an order names."""

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from hsm.token import Token
from hsm.transport import destroy_transport_key, make_transport_key, receive
from kernel.asn1.certificate import Certificate
from kernel.asn1.key_envelope import MAX_ENVELOPE_BYTES, KeyEnvelope
from kernel.identifiers import parse_serial, serial_text
from portseal.cli import escrow
from portseal.cli.options import card_options, pin_source, url_option
from portseal.cli.output import json_option, show
from portseal.holder.card import Card
from portseal.holder.service import Service

_PATH = "/api/v1/key-recoveries"
_LISTED = (
    "id", "ground", "state", "serial", "subject", "requested_by", "reason", "order_number",
    "transport_key_sha256",
)  # fmt: skip
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUTPUT = click.Path(dir_okay=False, path_type=Path)


@click.group("key-centre")
def key_centre() -> None:
    """The centre that makes and escrows holders' encryption keys."""


for _command in escrow.COMMANDS:
    key_centre.add_command(_command)


def _signed_in(
    module: str, label: str, pin_env: str | None, pin_fd: int | None, url: str
) -> Service:
    service = Service(url)
    service.sign_in(Card(module, label, pin_source(pin_env, pin_fd)))
    return service


@key_centre.command("list")
@card_options
@url_option
@click.option(
    "--state", type=click.Choice(["requested", "approved", "refused"]), default="requested"
)
@json_option
def list_recoveries(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    state: str,
    as_json: bool,
) -> None:
    """Recoveries in one state, oldest first. With an officer's card of the centre."""
    service = _signed_in(module, label, pin_env, pin_fd, url)
    found: list[dict[str, Any]] = service.call("GET", f"{_PATH}?state={state}")["items"]
    if as_json:
        show({"recoveries": found}, as_json)
        return
    for each in found:
        show({name: each[name] for name in _LISTED if each[name] is not None}, as_json)
        click.echo()


@key_centre.command("decide")
@card_options
@url_option
@click.argument("identifier")
@click.argument("decision", type=click.Choice(["approve", "refuse"]))
@click.option("--reason", required=True, help="Why; kept with the recovery.")
@click.option(
    "--transport-key-sha256",
    "fingerprint",
    help="To approve an order: the transport key's fingerprint, as whom the order names told you.",
)
@json_option
def decide(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    identifier: str,
    decision: str,
    reason: str,
    fingerprint: str | None,
    as_json: bool,
) -> None:
    """Approve or refuse a recovery that somebody else asked for.

    An order is approved with the fingerprint of the transport key. Have it from whom the order
    names, on another way than through the officer who recorded the order.
    """
    body = {"reason": reason}
    if fingerprint is not None and decision == "approve":
        body["transport_key_sha256"] = fingerprint.strip().lower()
    service = _signed_in(module, label, pin_env, pin_fd, url)
    act = {"approve": "approval", "refuse": "refusal"}[decision]
    path = f"{_PATH}/{quote(identifier, safe='')}/{act}"
    show(service.call("POST", path, body), as_json)


@key_centre.command("order")
@card_options
@url_option
@click.argument("serial")
@click.option("--number", required=True, help="The order's own number.")
@click.option("--issued-by", required=True, help="The court or authority.")
@click.option("--evidence", required=True, type=_FILE, help="The order itself, a PDF.")
@click.option("--transport-key", required=True, type=_FILE, help="Of whom the order names.")
@click.option("--reason", required=True, help="Why; kept with the recovery.")
@json_option
def order(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    serial: str,
    number: str,
    issued_by: str,
    evidence: Path,
    transport_key: Path,
    reason: str,
    as_json: bool,
) -> None:
    """Record a judicial order to recover the key of encryption certificate SERIAL.

    Another officer of the centre must approve it.
    """
    body = {
        "serial": serial_text(parse_serial(serial)),
        "order_number": number,
        "ordered_by": issued_by,
        "evidence": _base64(evidence.read_bytes()),
        "transport_key": _base64(transport_key.read_bytes()),
        "reason": reason,
    }
    service = _signed_in(module, label, pin_env, pin_fd, url)
    show(service.call("POST", f"{_PATH}/orders", body), as_json)


@key_centre.command("fetch")
@card_options
@url_option
@click.argument("identifier")
@click.option("--envelope", required=True, type=_OUTPUT, help="Where the sealed key goes.")
@click.option("--certificate", required=True, type=_OUTPUT, help="Where its certificate goes.")
def fetch(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    identifier: str,
    envelope: Path,
    certificate: Path,
) -> None:
    """Fetch the sealed key of an approved order; it opens on one token alone."""
    service = _signed_in(module, label, pin_env, pin_fd, url)
    made = service.call("POST", f"{_PATH}/orders/{quote(identifier, safe='')}/delivery", {})
    envelope.write_bytes(base64.b64decode(made["envelope"], validate=True))
    certificate.write_text(made["certificate"], "ascii")
    click.echo(f"written: {envelope}, {certificate}")


@key_centre.command("transport-key")
@card_options
@click.option("--output", required=True, type=_OUTPUT)
def transport_key(
    module: str, label: str, pin_env: str | None, pin_fd: int | None, output: Path
) -> None:
    """For whom an order names: make a transport key on a token of one's own, and write its public
    half (DER) for the centre."""
    token = Token(module, label, pin_source(pin_env, pin_fd), sessions=1)
    made = make_transport_key(token)
    output.write_bytes(made.spki)
    click.echo(f"written: {output}; its private half waits on token {label}")
    click.echo(f"SHA-256, to be told to the approver yourself: {made.fingerprint}")


@key_centre.command("receive")
@card_options
@click.argument("envelope", type=_FILE)
@click.option("--certificate", required=True, type=_FILE)
def receive_key(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    envelope: Path,
    certificate: Path,
) -> None:
    """For whom an order names: put the sealed key onto the token that made the transport key.

    `portseal card decrypt` then opens what was encrypted to the certificate.
    """
    token = Token(module, label, pin_source(pin_env, pin_fd), sessions=1)
    parsed = Certificate.parse(certificate.read_bytes())
    with envelope.open("rb") as file:
        sealed = KeyEnvelope.decode(file.read(MAX_ENVELOPE_BYTES + 1))
    name = f"encryption-{parsed.serial:X}"
    receive(token, sealed, name, parsed.public_key)
    token.write_certificate(name, parsed.der)
    destroy_transport_key(token)
    click.echo(f"token {label} decrypts for {parsed.subject_text()}")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
