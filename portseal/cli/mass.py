"""`portseal mass-revoke`: many certificates in one recorded job."""

import getpass
from pathlib import Path

import click

from ca.inventory import RevocationReason
from kernel.identifiers import parse_serial
from portseal.cli.output import json_option, show
from portseal.wiring import House
from ra_portal.people.identity import console


@click.command("mass-revoke")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--reason",
    required=True,
    type=click.Choice([str(reason) for reason in RevocationReason]),
    help="CRLReason of RFC 5280.",
)
@json_option
def mass_revoke(file: Path, reason: str, as_json: bool) -> None:
    """Revoke the certificates whose serial numbers stand in FILE, one hexadecimal on each line.

    The job is recorded first: when this command dies, the worker goes on with it.
    """
    lines = file.read_text(encoding="ascii", errors="replace").split()
    serials = [parse_serial(line) for line in lines]
    with House.opened() as house:
        jobs = house.mass_revocation
        job = jobs.plan(serials, RevocationReason(reason), console(getpass.getuser()).actor)
        done = jobs.run(job)
        show(
            {
                "job": job,
                "total": done.total,
                "revoked": done.revoked,
                "already": done.already,
                "not_issued": done.not_issued,
                "left": done.left,
            },
            as_json,
        )
