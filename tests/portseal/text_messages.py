"""The text messages that a service under test has sent."""

import re
import time
from pathlib import Path

_SECONDS = 60


class TextMessages:
    """What arrives on telephones: the files of a spool."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool

    def code(self, card: str) -> str:
        """The one-time code of the message about this card; waited for."""
        return self.found(card, r"(?<!\d)\d{4} \d{4} \d{4}(?!\d)")

    def found(self, card: str, pattern: str) -> str:
        """What the pattern finds in a message about this card; waited for, and taken out."""
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            for path in sorted(self._spool.glob("*.txt")) if self._spool.exists() else []:
                text = path.read_text()
                found = re.search(pattern, text.partition("\n\n")[2])
                if card in text and found:
                    path.unlink()
                    return found[0]
            time.sleep(0.1)  # the worker sends it; nobody tells the test
        raise AssertionError(f"no text message about {card}")
