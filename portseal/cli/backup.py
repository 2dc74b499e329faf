"""`portseal backup` and `portseal restore`."""

import getpass
import time
from pathlib import Path

import click

from portseal.backup.sealed import read_key
from portseal.backup.sets import NUMBERS_SKIPPED, make
from portseal.backup.sets import restore as restore_set
from portseal.cli.output import json_option, show
from portseal.wiring import House

_key = click.option(
    "--key",
    "key_file",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with 64 hexadecimal digits (openssl rand -hex 32), kept apart from the backups.",
)


@click.command("backup")
@click.argument("directory", type=click.Path(path_type=Path))
@_key
@json_option
def backup(directory: Path, key_file: Path, as_json: bool) -> None:
    """Write database, token and archive as one encrypted set into a new DIRECTORY.

    Everything may run on meanwhile. The settings and the token's PIN are not in it.
    """
    started = time.monotonic()
    with House.opened() as house:
        made = make(house, directory, read_key(key_file), f"console:{getpass.getuser()}")
    told: dict[str, object] = {
        "backup": str(made.directory),
        "journal_records": made.position,
        "megabytes": round(sum(made.files.values()) / 1e6, 1),
        "seconds": round(time.monotonic() - started, 1),
    }
    if made.left_out:
        told["left_out"] = "; ".join(made.left_out)
    show(told, as_json)


@click.command("restore")
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@_key
@json_option
def restore(directory: Path, key_file: Path, as_json: bool) -> None:
    """Put the set of DIRECTORY where the settings say, into empty places; nothing is overwritten.

    Restore the settings and the PIN's file first. Numbers of revocation lists go on with a gap,
    so that none is given twice.
    """
    started = time.monotonic()
    with House.opened() as house:
        manifest = restore_set(house, directory, read_key(key_file), f"console:{getpass.getuser()}")
    told: dict[str, object] = {
        "restored": manifest["made_at"],
        "journal_records": manifest["journal"].get("position", 0),
        "list_numbers_skipped": NUMBERS_SKIPPED,
        "seconds": round(time.monotonic() - started, 1),
    }
    if manifest["left_out"]:
        told["left_out"] = "; ".join(manifest["left_out"])
    show(told, as_json)
