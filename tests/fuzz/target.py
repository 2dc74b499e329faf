"""What a target is."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kernel.refusals import Refusal


@dataclass(frozen=True)
class Target:
    """One parser, with what is done to its result."""

    read: Callable[[bytes], object]
    seeds: Callable[[], Sequence[bytes]]
    runs: int = 8000
    """Executions in the normal test run: a second or two."""
    max_bytes: int = 64 * 1024

    def __call__(self, data: bytes) -> None:
        with suppress(Refusal):
            self.read(data)
