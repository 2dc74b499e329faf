"""`portseal mass-revoke`: many certificates of a list, and the cards that they are of."""

import hashlib
from pathlib import Path

import click

from ca.inventory import RevocationReason
from kernel.identifiers import Serial, parse_serial
from kernel.refusals import Unprocessable
from portseal.cli.acting import Acting, officer_options
from portseal.cli.output import json_option, show
from portseal.wiring import House
from ra_portal.cards.cards import read_reason
from ra_portal.console.act import Act
from ra_portal.mass_actions import list_revocation
from ra_portal.mass_actions.listed import Listed, sort_out

_LARGEST_FILE = 256 << 20


@click.command("mass-revoke")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--reason",
    required=True,
    type=click.Choice([str(reason) for reason in RevocationReason]),
    help="CRLReason of RFC 5280.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be revoked; needs no card.")
@officer_options
@json_option
def mass_revoke(file: Path, reason: str, dry_run: bool, acting: Acting, as_json: bool) -> None:
    """Revoke the certificates whose serial numbers stand in FILE, one hexadecimal on each line.

    A card whose certificate stands there is revoked with all its certificates, as a mass action
    of the portal. Certificates that no card has (servers, regions) are revoked alone. Officers'
    cards and seals are refused. When this command dies, the worker goes on with it.
    """
    serials = _read(file)
    with House.opened() as house:
        with house.database.reading() as connection:
            found = sort_out(connection, serials)
        if dry_run:
            show(_told(found) | {"sample": found.sample}, as_json)
            return
        if found.of_cards:
            read_reason(reason)
        listed = hashlib.sha256("".join(f"{each:X}\n" for each in serials).encode()).hexdigest()
        told = {"reason": reason, "serials-sha256": listed, "cards": str(len(found.of_cards))}
        act = Act("certificate.revoke", "certificate.revoke", f"{len(serials)} serials", told)
        allowed = acting.allow(house, act)
        officers = [allowed.by.actor, *(each.actor for each in allowed.others)]
        actions = house.portal.mass_actions
        planned = list_revocation.plan(actions, officers, found, reason)
        done = list_revocation.finish(actions, house.mass_revocation, planned)
    show(_told(found) | done, as_json)


def _read(file: Path) -> list[Serial]:
    """Raises Unprocessable `mass.too-many`, Malformed `serial.*`."""
    if file.stat().st_size > _LARGEST_FILE:
        raise Unprocessable("mass.too-many", "too many certificates for one job")
    lines = file.read_text(encoding="ascii", errors="replace").split()
    return [parse_serial(line) for line in lines]


def _told(found: Listed) -> dict[str, object]:
    kinds = {f"{kind}_cards": count for kind, count in found.by_kind.items()}
    alone = {f"without_card_{name}": len(each) for name, each in found.without_card.items()}
    return {"cards": len(found.of_cards), **kinds, **alone, "already_ended": found.ended,
            "not_issued": found.unknown}  # fmt: skip
