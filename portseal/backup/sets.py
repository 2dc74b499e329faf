"""Making and restoring whole sets.

The order makes a set consistent without stopping anything: the database's moment first, then the
token, then the archive. Keys and objects are there before the records that name them, and none is
removed while a set is made (`records.removals`), so whatever the database of that moment names is
in what is read after it.
"""

import hashlib
import hmac
import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import update

from ca.tables import crl_numbers
from kernel.refusals import Conflict, Malformed, Unavailable
from portseal.backup import databases, places
from portseal.backup.sealed import SealedWriter, derived
from portseal.wiring import House
from portseal.witness import FILE_NAME
from records import removals
from records.events import Event

FORMAT = "portseal-backup-1"
MANIFEST = "manifest.json"
NUMBERS_SKIPPED = 10**9
"""Numbers of revocation lists that a restored authority leaves out: those that were given after
the backup must not be given twice. All lists of an authority share one counter, and a thousand
parts made anew every ten seconds draw nine million numbers a day; a list's number has room for 48
decimal digits (RFC 5280, 5.2.3), the counter for 18."""
_DATABASE, _TOKEN, _ARCHIVE, _DATA = "database", "token", "archive", "data"
_SUFFIX = ".sealed"
_MOST_BYTES_OF_MANIFEST = 64 << 20


@dataclass(frozen=True)
class BackupMade:
    directory: Path
    files: dict[str, int]
    """Bytes of each part."""
    position: int
    """The journal's last record in it."""
    left_out: tuple[str, ...]
    """Parts that must be kept otherwise, and how."""


def make(house: House, directory: Path, key: bytes, actor: str) -> BackupMade:
    """Write a set into a new directory; one that fails leaves none. Waits for another that is
    being made.

    Raises Conflict `backup.not-empty`, Unavailable.
    """
    if directory.exists():
        raise Conflict("backup.not-empty", "the directory exists already", path=str(directory))
    directory.mkdir(mode=0o700, parents=True)
    try:
        with removals.held_off(house.database):
            return _make(house, directory, key, actor)
    except BaseException:
        shutil.rmtree(directory)
        raise


def _make(house: House, directory: Path, key: bytes, actor: str) -> BackupMade:
    salt = secrets.token_bytes(32)
    parts: dict[str, dict[str, Any]] = {}
    with house.database.transaction() as connection:
        house.journal.append(connection, Event.BACKUP_MADE, subject=directory.name, actor=actor)

    @contextmanager
    def part(name: str) -> Iterator[SealedWriter]:
        writer = SealedWriter(directory / (name + _SUFFIX), derived(key, salt, name))
        try:
            yield writer
        finally:
            writer.close()
        parts[name] = {"size": writer.size, "sha256": writer.digest}

    head: dict[str, object] = {}
    url = house.settings.database.url.get_secret_value()
    with part(_DATABASE) as target:
        databases.save(
            house.database,
            url,
            target,
            lambda connection: head.update(databases.head_of(connection)),
            directory,
        )
    left_out = []
    if house.token.info().manufacturer.startswith("SoftHSM"):
        with part(_TOKEN) as target:
            places.save(places.below(places.softhsm_directory()), target)
    else:
        left_out.append("token: its keys by the key backup of the ceremony")
    listing = None
    data = house.settings.data_directory
    if house.settings.archive.s3 is None:
        with part(_ARCHIVE) as target:
            places.save(places.below(data / "archive"), target)
    else:
        listing = sorted(house.archive.store.addresses())
        left_out.append("archive: the bucket's own versions; its objects are listed here")
    with part(_DATA) as target:
        places.save([(data / FILE_NAME, FILE_NAME)], target)
    manifest = {
        "format": FORMAT,
        "made_at": house.clock.now().isoformat(),
        "database": "sqlite" if house.database.is_sqlite else "postgresql",
        "salt": salt.hex(),
        "journal": head,
        "parts": parts,
        "archive_objects": listing,
        "left_out": left_out,
    }
    (directory / MANIFEST).write_text(_sealed_manifest(manifest, key, salt), "utf-8")
    sizes = {name: facts["size"] for name, facts in parts.items()}
    return BackupMade(directory, sizes, int(str(head.get("position", 0))), tuple(left_out))


def restore(house: House, directory: Path, key: bytes, actor: str) -> dict[str, Any]:
    """Put a set where the settings say that database, token and archive are; the manifest.

    Every part is checked before the first one is written, and nothing is overwritten. The
    journal, read whole at the end, must be the backup's. Raises Malformed `backup.damaged`,
    Conflict `backup.not-empty`, `backup.other-database`, Unavailable.
    """
    manifest = read_manifest(directory, key)
    salt, parts = bytes.fromhex(manifest["salt"]), manifest["parts"]
    for name, facts in parts.items():
        _require_whole(directory / (name + _SUFFIX), facts)
    kind = "sqlite" if house.database.is_sqlite else "postgresql"
    if manifest["database"] != kind:
        raise Conflict("backup.other-database", "the settings name another kind of database")
    data = house.settings.data_directory
    targets = {_ARCHIVE: data / "archive", _DATA: data}
    if _TOKEN in parts:
        targets[_TOKEN] = places.softhsm_directory()
    for name, place in targets.items():
        if name in parts:
            places.require_empty(place / FILE_NAME if name == _DATA else place)
    databases.restore(
        house.database,
        house.settings.database.url.get_secret_value(),
        directory / (_DATABASE + _SUFFIX),
        derived(key, salt, _DATABASE),
    )
    for name, place in targets.items():
        if name in parts:
            places.restore(directory / (name + _SUFFIX), derived(key, salt, name), place)
    _require_intact(house, manifest)
    house.database.upgrade()
    with house.database.transaction() as connection:
        connection.execute(
            update(crl_numbers).values(number=crl_numbers.c.number + NUMBERS_SKIPPED)
        )
        house.journal.append(
            connection,
            Event.BACKUP_RESTORED,
            subject=directory.name,
            actor=actor,
            made_at=manifest["made_at"],
            position=manifest["journal"].get("position", 0),
        )
    return manifest


def read_manifest(directory: Path, key: bytes) -> dict[str, Any]:
    """Raises Malformed `backup.damaged`: no manifest, a changed one, or another key."""
    try:
        with (directory / MANIFEST).open("rb") as file:
            told = json.loads(file.read(_MOST_BYTES_OF_MANIFEST))
        manifest, code = told["manifest"], bytes.fromhex(told["mac"])
        salt = bytes.fromhex(manifest["salt"])
        holds = hmac.compare_digest(code, _mac(manifest, key, salt))
    except (OSError, ValueError, KeyError, TypeError):
        raise Malformed("backup.damaged", "this is no backup") from None
    if not holds or manifest.get("format") != FORMAT:
        raise Malformed("backup.damaged", "the manifest was changed, or the key is another")
    found: dict[str, Any] = manifest
    return found


def _sealed_manifest(manifest: dict[str, Any], key: bytes, salt: bytes) -> str:
    mac = _mac(manifest, key, salt).hex()
    return json.dumps({"manifest": manifest, "mac": mac}, indent=1, sort_keys=True) + "\n"


def _mac(manifest: dict[str, Any], key: bytes, salt: bytes) -> bytes:
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    return hmac.digest(derived(key, salt, MANIFEST), canonical, "sha256")


def _require_whole(path: Path, facts: dict[str, Any]) -> None:
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                found.update(piece)
    except OSError:
        raise Malformed("backup.damaged", "a part is missing", file=path.name) from None
    if found.hexdigest() != facts["sha256"]:
        raise Malformed("backup.damaged", "a part was changed", file=path.name)


def _require_intact(house: House, manifest: dict[str, Any]) -> None:
    with house.database.reading() as connection:
        verdict = house.journal.verify(connection)
        head = databases.head_of(connection)
    if not verdict.intact or head != manifest["journal"]:
        raise Unavailable("backup.journal", "the restored journal is not that of the backup")
