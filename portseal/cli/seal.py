"""`portseal seal`: an enterprise's seals in the authority's token, with the cards of those who
ask for them, approve them and let them be used."""

import base64
import json
from typing import Any
from urllib.parse import quote

import click

from portseal.cli.options import card_options, pin_source, url_option
from portseal.cli.output import json_option, show
from portseal.holder.card import Card
from portseal.holder.service import Service
from signing_service.remote.activation import Authorisation
from signing_service.remote.algorithms import digest_named, require_length
from signing_service.remote.authorising import CARD_OBJECT, CHALLENGE_OBJECT, statement
from signing_service.remote.messages import octets

_SHA256 = "2.16.840.1.101.3.4.2.1"


@click.group()
def seal() -> None:
    """Seals of enterprises, held in the authority's token."""


@seal.command("request")
@card_options
@url_option
@click.argument("name")
@json_option
def request(name: str, as_json: bool, url: str, **card: Any) -> None:
    """Ask for a seal for what NAME says, with the legal-person card."""
    show(_service(url, card).call("POST", "/api/v1/seals", {"name": name}), as_json)


@seal.command("list")
@card_options
@url_option
@json_option
def list_seals(as_json: bool, url: str, **card: Any) -> None:
    """Show the enterprise's seals, or to an officer those that wait."""
    found = _service(url, card).call("GET", "/api/v1/seals")
    if as_json:
        show(found, as_json)
        return
    for each in found["seals"]:
        click.echo(f"{each['number']}  {each['state']:9}  {each['name']}")


@seal.command("approve")
@card_options
@url_option
@click.argument("number")
@json_option
def approve(number: str, as_json: bool, url: str, **card: Any) -> None:
    """Approve a seal, with an approver's card: its key is made in the authority's token."""
    path = f"/api/v1/seals/{quote(number, safe='')}/approval"
    show(_service(url, card).call("POST", path, {}), as_json)


@seal.command("revoke")
@card_options
@url_option
@click.argument("number")
@click.option("--reason", required=True, help="CRLReason of RFC 5280, such as keyCompromise.")
@json_option
def revoke(number: str, reason: str, as_json: bool, url: str, **card: Any) -> None:
    """End a seal, with the legal-person card or an administrator's."""
    path = f"/api/v1/seals/{quote(number, safe='')}/revocation"
    show(_service(url, card).call("POST", path, {"reason": reason}), as_json)


@seal.command("authorise")
@card_options
@url_option
@click.argument("number")
@click.argument("hashes", nargs=-1, required=True)
@click.option("--client-id", required=True, help="The platform that shall use the seal.")
@click.option("--challenge", required=True, help="From credentials/getChallenge.")
@click.option("--digest-oid", default=_SHA256, show_default=True, help="Of HASHES.")
def authorise(
    number: str,
    hashes: tuple[str, ...],
    client_id: str,
    challenge: str,
    digest_oid: str,
    url: str,
    **card: Any,
) -> None:
    """Sign with the legal-person card that a platform may seal these digests (base64), once.

    Prints `authData` for credentials/authorize. Compute HASHES yourself from what you want
    sealed: the card signs for whatever they stand for.
    """
    digest = digest_named(digest_oid)
    values = tuple(octets(each, "remote.hash", "a hash is base64") for each in hashes)
    require_length(digest, values)
    agreed = Authorisation(client_id, "", number, digest, values)
    message = statement(Service(url).origin, challenge, agreed)
    value = base64.b64encode(_card(card).key.sign(message)).decode("ascii")
    proof = [{"id": CHALLENGE_OBJECT, "value": challenge}, {"id": CARD_OBJECT, "value": value}]
    click.echo(json.dumps(proof))


def _card(options: dict[str, Any]) -> Card:
    pin = pin_source(options["pin_env"], options["pin_fd"])
    return Card(options["module"], options["label"], pin)


def _service(url: str, options: dict[str, Any]) -> Service:
    """A conversation, signed in with the card."""
    service = Service(url)
    service.sign_in(_card(options))
    return service
