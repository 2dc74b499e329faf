"""`portseal backup` and `portseal restore`."""

import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from portseal.backup.sealed import read_key
from portseal.backup.sets import NUMBERS_SKIPPED, make
from portseal.backup.sets import restore as restore_set
from portseal.cli.acting import Acting, account, officer_options
from portseal.cli.output import json_option, show
from portseal.wiring import House
from ra_portal.console.act import Act

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
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Two officers allow every backup under this key until then, 400 days at most: for a "
    "schedule that has no card.",
)
@officer_options
@json_option
def backup(
    directory: Path, key_file: Path, until: datetime | None, acting: Acting, as_json: bool
) -> None:
    """Write database, token and archive as one encrypted set into a new DIRECTORY.

    Everything may run on meanwhile. The settings and the token's PIN are not in it.
    """
    started = time.monotonic()
    key = read_key(key_file)
    stands = None if until is None else until.replace(tzinfo=UTC)
    # Not the directory: a schedule has a new one each time, and the key decides who can read it.
    act = Act("backup.make", "backup.make", f"key {_name(key)}", stands_until=stands)
    with House.opened() as house:
        made = make(house, directory, key, acting.authorise(house, act).actor)
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
    so that none is given twice. Nobody's card can be asked for before there are records: an
    audit administrator acknowledges it afterwards.
    """
    started = time.monotonic()
    key, who = read_key(key_file), account()
    with House.opened() as house:
        manifest = restore_set(house, directory, key, f"console:{who}")
        act = Act("backup.restore", "backup.restore", f"key {_name(key)}",
                  {"made-at": str(manifest["made_at"])})  # fmt: skip
        house.console_acts.without_records(act, who)
    told: dict[str, object] = {
        "restored": manifest["made_at"],
        "journal_records": manifest["journal"].get("position", 0),
        "list_numbers_skipped": NUMBERS_SKIPPED,
        "seconds": round(time.monotonic() - started, 1),
    }
    if manifest["left_out"]:
        told["left_out"] = "; ".join(manifest["left_out"])
    show(told, as_json)


def _name(key: bytes) -> str:
    """What tells one key from another, and nothing else of it."""
    return hashlib.sha256(b"PortSeal backup key, name\0" + key).hexdigest()[:16]
