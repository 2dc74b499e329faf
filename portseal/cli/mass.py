"""`portseal mass-revoke`: many certificates in one recorded job."""

import hashlib
from pathlib import Path

import click

from ca.inventory import RevocationReason
from kernel.identifiers import parse_serial
from portseal.cli.acting import Acting, officer_options
from portseal.cli.output import json_option, show
from portseal.wiring import House
from ra_portal.console.act import Act


@click.command("mass-revoke")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--reason",
    required=True,
    type=click.Choice([str(reason) for reason in RevocationReason]),
    help="CRLReason of RFC 5280.",
)
@officer_options
@json_option
def mass_revoke(file: Path, reason: str, acting: Acting, as_json: bool) -> None:
    """Revoke the certificates whose serial numbers stand in FILE, one hexadecimal on each line.

    The job is recorded first: when this command dies, the worker goes on with it.
    """
    lines = file.read_text(encoding="ascii", errors="replace").split()
    serials = [parse_serial(line) for line in lines]
    listed = hashlib.sha256("".join(f"{each:X}\n" for each in serials).encode()).hexdigest()
    told = {"reason": reason, "serials-sha256": listed}
    act = Act("certificate.revoke", "certificate.revoke", f"{len(serials)} certificates", told)
    with House.opened() as house:
        jobs = house.mass_revocation
        actor = acting.authorise(house, act).actor
        job = jobs.plan(serials, RevocationReason(reason), actor)
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
