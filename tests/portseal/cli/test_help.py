"""`portseal --help` names every command and loads none."""

import subprocess
import sys

from portseal.cli.main import portseal

_SCRIPT = """
import sys
from portseal.cli.main import portseal
portseal(["--help"], standalone_mode=False)
assert "flask" not in sys.modules and "portseal.wiring" not in sys.modules
"""


def test_help_names_every_command_and_loads_none() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in portseal.list_commands(None):  # type: ignore[arg-type]
        assert f"\n  {name} " in done.stdout
