"""Custodians at a real terminal: they write their shares down, and enter them when asked."""

import os
import pty
import re
import subprocess
from collections.abc import Mapping, Sequence

from tests.portseal.cli.terminal import PORTSEAL, Outcome, _read

_ALONE = re.compile(rb"alone at the screen, then Enter: $")
_WRITTEN = re.compile(rb"Share of (.+?) in (.+?) \(set \d+\)\. Write it down\.\r?\n(.*)"
                      rb"Written down, then Enter: $", re.S)  # fmt: skip
_TELL = re.compile(rb"tell words ([\d, ]+): $")
_ENTER = re.compile(rb"Share of (?P<what>[^\r\n]+?)(, \d+ more)? \(not shown\): $")


class Custodians:
    """Everybody's paper: shares by what they restore, in the order of custodians."""

    def __init__(self) -> None:
        self.papers: dict[str, list[str]] = {}
        self.entered: list[str] = []
        self._given: dict[str, int] = {}

    def sit_at(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        first: Mapping[str, int] | None = None,
        answers: Mapping[str, Sequence[str]] | None = None,
    ) -> Outcome:
        """Run a command to its end. `first`: which custodian begins to enter a share; `answers`:
        what is typed instead, wrong entries."""
        self._given = dict(first or {})
        wrong = {what: list(texts) for what, texts in (answers or {}).items()}
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            ["setsid", "--ctty", *PORTSEAL, *arguments],
            env=dict(environment), stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        said, unread = b"", b""
        try:
            while more := _read(ours):
                said, unread = said + more, unread + more
                answer = self._answer(unread, wrong)
                if answer is not None:
                    unread = b""
                    os.write(ours, answer.encode() + b"\n")
            return Outcome(process.wait(30), said.decode(), "")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            os.close(ours)

    def _answer(self, unread: bytes, wrong: dict[str, list[str]]) -> str | None:
        if _ALONE.search(unread):
            return ""
        written = _WRITTEN.search(unread)
        if written is not None:
            words = re.findall(r"\d+ ([a-z]+)", written[3].decode())
            self.papers.setdefault(written[2].decode(), []).append(" ".join(words))
            self._newest = words
            return ""
        asked = _TELL.search(unread)
        if asked is not None:
            return " ".join(self._newest[int(n) - 1] for n in asked[1].split(b","))
        entering = _ENTER.search(unread)
        if entering is None:
            return None
        what = entering["what"].decode()
        if wrong.get(what):
            return wrong[what].pop(0)
        number = self._given.get(what, 0)
        self._given[what] = number + 1
        self.entered.append(self.papers[what][number])
        return self.papers[what][number]
