"""Copies for reading: what the agent's small window cannot show, as files for its user alone while
the question is open."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_DIRECTORY = "to-read"


class Copies:
    """Below one directory, which is emptied when the agent starts: it may have been killed."""

    def __init__(self, home: Path) -> None:
        self._place = home / _DIRECTORY
        shutil.rmtree(self._place, ignore_errors=True)

    @contextmanager
    def laid_out(self, files: Mapping[str, bytes]) -> Iterator[Path]:
        """The files in a directory of their own, erased afterwards. Raises OSError."""
        self._place.mkdir(mode=0o700, exist_ok=True)
        directory = Path(tempfile.mkdtemp(dir=self._place))  # for its owner alone
        try:
            for name, content in files.items():
                path = directory / name
                path.touch(mode=0o600, exist_ok=False)
                path.write_bytes(content)
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)
