"""Where the processes of one node put their counts, for the door to add up.

prometheus-client decides when it is first imported whether a process counts into files; so this
module must be asked before it is.
"""

import os
import re
from pathlib import Path

from portseal.settings import Settings

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_FILE = re.compile(r"^[a-z_]+_(\d+)\.db$")


def directory_of(settings: Settings) -> Path:
    return settings.data_directory / "metrics"


def count_into_files(settings: Settings) -> bool:
    """Let this process and its children count, when the settings want it; whether they do.

    What processes left that are no more is removed: to Prometheus that is a restart.
    """
    if settings.metrics.port is None:
        return False
    directory = directory_of(settings)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in directory.iterdir():
        found = _FILE.match(path.name)
        if found is not None and not Path(f"/proc/{found[1]}").exists():
            path.unlink(missing_ok=True)
    os.environ[_VARIABLE] = str(directory)
    return True


def is_counting() -> bool:
    """Whether `count_into_files` said so, here or in the parent."""
    return _VARIABLE in os.environ
