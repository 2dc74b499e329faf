"""Where the agent keeps its few files, by the custom of each operating system."""

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

ORIGINS_FILE = "origins.json"
LOG_FILE = "uses.jsonl"
_NAME = "portseal-agent"


def home() -> Path:
    """The agent's own directory: settings, origins and the log; made when missing, for its user
    alone. PORTSEAL_AGENT_HOME names another."""
    path = Path(os.environ.get("PORTSEAL_AGENT_HOME") or _usual())
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def autostart_file() -> Path:
    """What a desktop reads at login to start the agent."""
    if sys.platform == "win32":
        roaming = Path(os.environ.get("APPDATA", Path.home()))
        return roaming / "Microsoft/Windows/Start Menu/Programs/Startup" / f"{_NAME}.cmd"
    if sys.platform == "darwin":
        return Path.home() / "Library/LaunchAgents" / "org.portseal.agent.plist"
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "autostart" / f"{_NAME}.desktop"


def _usual() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "PortSeal" / "agent"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / _NAME
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / _NAME


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, readable by its owner alone."""
    # A name of this call's own (0600): two processes never write into one file.
    descriptor, part = tempfile.mkstemp(".part", f"{path.name}.", path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise
