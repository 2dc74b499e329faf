"""A site whose service writes down which templates it fills in, so that a picture knows what it is
made of."""

import sys
from pathlib import Path
from subprocess import Popen
from typing import Any

from flask import template_rendered

from portseal.cli.main import main
from portseal.demo.site import Site


class WatchedSite(Site):
    @property
    def notes(self) -> Path:
        return self.directory / "rendered"

    def rendered(self) -> list[str]:
        """Names of templates in the order in which they were filled in."""
        return self.notes.read_text("utf-8").splitlines() if self.notes.exists() else []

    def start(self, *arguments: str, **environment: str) -> Popen[bytes]:
        if arguments[0] != "serve":
            return super().start(*arguments, **environment)
        command = [sys.executable, "-m", __name__, str(self.notes), *arguments]
        return self.start_program(command, arguments[0], **environment)


def write_down(file: Path) -> None:
    """Watch this process and those that it forks."""

    def note(_: object, template: Any, **__: object) -> None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(f"{template.name}\n")

    template_rendered.connect(note, weak=False)


if __name__ == "__main__":
    write_down(Path(sys.argv.pop(1)))
    main()
