"""What of a backup lies in files: the token's own, the archive, the journal's checkpoints."""

import os
import re
import tarfile
from collections.abc import Iterable
from pathlib import Path

from kernel.refusals import Conflict, Malformed, Unavailable
from portseal.backup.sealed import OpenedReader, SealedWriter

_TOKEN_DIRECTORY = re.compile(r"^\s*directories\.tokendir\s*=\s*(\S.*?)\s*$", re.MULTILINE)
_SYSTEM_CONFIGURATION = Path("/etc/softhsm/softhsm2.conf")
_OWN_CONFIGURATION = Path(".config/softhsm2/softhsm2.conf")


def softhsm_directory() -> Path:
    """Where this process's SoftHSM2 keeps its tokens. Raises Unavailable `backup.token`."""
    named = os.environ.get("SOFTHSM2_CONF")
    own = Path.home() / _OWN_CONFIGURATION
    file = Path(named) if named else (own if own.exists() else _SYSTEM_CONFIGURATION)
    try:
        found = _TOKEN_DIRECTORY.search(file.read_text("utf-8"))
    except OSError:
        found = None
    if found is None:
        raise Unavailable("backup.token", "SoftHSM2's configuration tells no tokendir")
    return Path(found[1])


def save(files: Iterable[tuple[Path, str]], target: SealedWriter) -> int:
    """A tar of files under names of their own; how many. A file that goes meanwhile is left out."""
    count = 0
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path, name in files:
            try:
                tar.add(path, name, recursive=False)
            except FileNotFoundError:
                continue
            count += 1
    return count


def below(directory: Path) -> Iterable[tuple[Path, str]]:
    """Every file below a directory, with its name from there."""
    if not directory.is_dir():
        return
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path, str(path.relative_to(directory))


def require_empty(place: Path) -> None:
    """No file, and no directory with files. Raises Conflict `backup.not-empty`: nothing is ever
    overwritten."""
    if place.is_file() or any(path.is_file() for path in place.rglob("*")):
        raise Conflict("backup.not-empty", "there are files already", path=str(place))


def restore(source: Path, key: bytes, directory: Path) -> int:
    """Unpack regular files, with modes for the service alone; how many. Raises Malformed."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    count = 0
    try:
        with tarfile.open(fileobj=OpenedReader(source, key), mode="r|") as tar:
            for member in tar:
                path = (directory / member.name).resolve()
                if not member.isreg() or not path.is_relative_to(directory.resolve()):
                    raise Malformed("backup.damaged", "a file that no backup holds")
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                content = tar.extractfile(member)
                assert content is not None
                with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    while piece := content.read(1 << 20):
                        file.write(piece)
                os.utime(path, (member.mtime, member.mtime))
                count += 1
    except tarfile.TarError:
        raise Malformed("backup.damaged", "not what a backup holds", file=source.name) from None
    return count
