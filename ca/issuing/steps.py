"""The steps of an issue, for whoever watches them: tests kill the process at each."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from kernel.identifiers import Serial


class IssuanceStep(StrEnum):
    """What is done when the step is told; the numbers are those of docs/issuance.md."""

    DRAFTED = "drafted"
    """Encoded and linted (3, 4); nothing is recorded."""
    INTENDING = "intending"
    """The intent is written (5), not committed."""
    INTENDED = "intended"
    """The intent is recorded; the key was not used."""
    SIGNED = "signed"
    """The token signed, the signature was verified (6, 7); nothing is recorded of it."""
    RECORDING = "recording"
    """The result is written (8), not committed."""
    RECORDED = "recorded"


AtStep = Callable[[IssuanceStep, Sequence[Serial]], None]
"""Told each step with the serial numbers that it is done for."""


def unwatched(step: IssuanceStep, serials: Sequence[Serial]) -> None:
    """Nobody watches."""
