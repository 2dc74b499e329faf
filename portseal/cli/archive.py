"""`portseal archive`: export a signature's evidence, check the store, renew evidence."""

import sys
from pathlib import Path

import click

from portseal.cli.acting import Acting, officer_options
from portseal.cli.exit_codes import ExitCode
from portseal.cli.output import json_option, show
from portseal.wiring import House
from ra_portal.console.act import Act


@click.group("archive")
def archive() -> None:
    """Accepted signatures, kept with their whole evidence."""


@archive.command("export")
@click.argument("signature_id", metavar="ID")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The ZIP file to write.",
)
@json_option
def export(signature_id: str, output: Path, as_json: bool) -> None:
    """Write everything that proves one signature into one file.

    A stranger verifies it offline: README.txt in the file names the commands.
    """
    partial = output.with_name(output.name + ".part")
    with House.opened() as house:
        try:
            with partial.open("wb") as file:
                files = house.export.write(signature_id, file)
            partial.replace(output)
        finally:
            partial.unlink(missing_ok=True)
    covered = any(each.role == "evidence-record" for each in files)
    show(
        {
            "export": str(output),
            "files": len(files),
            "evidence_record": "included" if covered else "not made yet",
        },
        as_json,
    )


@archive.command("verify")
@json_option
def verify(as_json: bool) -> None:
    """Read every object of the archive and compare it with its SHA-256 (exit code 5)."""
    sound, faults = 0, []
    with House.opened() as house:
        for fault in house.archive.audit():
            if fault is None:
                sound += 1
            else:
                faults.append(fault)
                owners = ", ".join(fault.signatures) or "evidence records"
                click.echo(f"{fault.code}: {fault.sha256} of {owners}", err=True)
    show(
        {"archive": "damaged" if faults else "intact", "sound": sound, "faults": len(faults)},
        as_json,
    )
    if faults:
        sys.exit(ExitCode.NOT_PASSED)


@archive.command("delete")
@click.argument("signature_id", metavar="ID")
@officer_options
def delete(signature_id: str, acting: Acting) -> None:
    """Delete a signature whose retention is over; earlier is refused (exit code 1)."""
    with House.opened() as house:
        by = acting.authorise(house, Act("archive.delete", "archive.delete", signature_id))
        house.archive.delete(signature_id, by.actor)
    click.echo("deleted; its objects go with the worker's next sweep")


@archive.command("renew")
@json_option
def renew(as_json: bool) -> None:
    """Cover what is new by an archive timestamp, and renew what weakens, now."""
    with House.opened() as house:
        covered = house.stamping.cover_new()
        renewed = house.stamping.renew()
    show(
        {
            "covered": covered,
            "timestamps_renewed": renewed.timestamps,
            "hash_trees_renewed": renewed.signatures,
        },
        as_json,
    )
