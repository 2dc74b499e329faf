"""The key agent's wheel for a demonstration to offer, built from the sources that it runs from."""

import os
import subprocess
import sys
from pathlib import Path

import click

_SCRIPT = Path(__file__).parents[2] / "scripts" / "build_agent.py"
_SETTING = "PORTSEAL_WEB__AGENT_WHEEL"
_SECONDS = 300


def offer_agent(directory: Path) -> None:
    """Have what is started from now on offer the wheel, which is kept in `directory` while its
    sources are unchanged. Where that cannot be, the page of the agent says whom to ask."""
    if _SETTING in os.environ or not _SCRIPT.is_file():  # offered already; installed without it
        return
    built = subprocess.run(
        [sys.executable, str(_SCRIPT), "--if-changed", str(directory.resolve())],
        capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    if built.returncode != 0:
        click.echo(f"The key agent's wheel could not be built: {built.stderr.strip()[-300:]}")
        return
    os.environ[_SETTING] = built.stdout.strip()
