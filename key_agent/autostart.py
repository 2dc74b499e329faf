"""Starting the agent at login, by each desktop's own custom."""

import shutil
import sys
from html import escape
from pathlib import Path

from key_agent.places import autostart_file

_DESKTOP = """[Desktop Entry]
Type=Application
Name=PortSeal key agent
Name[zh_CN]=PortSeal 密钥助手
Comment=Lets the sites that you allow use your USB key
Exec={command}
Terminal=false
X-GNOME-Autostart-enabled=true
"""
_PLIST = """<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict>
<key>Label</key><string>org.portseal.agent</string>
<key>ProgramArguments</key><array>{arguments}</array>
<key>RunAtLoad</key><true/>
</dict></plist>
"""


def command() -> list[str]:
    """How this installation starts the agent."""
    installed = shutil.which("portseal-agent")
    module = "portseal_agent" if "portseal_agent" in sys.modules else "key_agent"
    start = [installed] if installed else [sys.executable, "-m", module]
    return [*start, "run", "--windows", "pinentry"]


def switch_on() -> Path:
    """Write what the desktop reads at login; where it stands."""
    path = autostart_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_content(command()), encoding="utf-8")
    return path


def switch_off() -> bool:
    """Whether it was on."""
    path = autostart_file()
    was_on = path.exists()
    path.unlink(missing_ok=True)
    return was_on


def _content(start: list[str]) -> str:
    if sys.platform == "darwin":
        arguments = "".join(f"<string>{escape(each)}</string>" for each in start)
        return _PLIST.format(arguments=arguments)
    quoted = " ".join(f'"{each}"' for each in start)
    if sys.platform == "win32":
        return f'@start "" /min {quoted}\r\n'
    return _DESKTOP.format(command=quoted)
