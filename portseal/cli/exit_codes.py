"""Exit codes of `portseal`, the same for every command."""

from enum import IntEnum


class ExitCode(IntEnum):
    """0 is success; 2 is click's own code for a wrong command line."""

    OK = 0
    REFUSED = 1
    """The service or a rule said no; the message names the code."""
    USAGE = 2
    UNAVAILABLE = 3
    """A token, database, directory or service was not there; trying again may work."""
    PIN = 4
    """The PIN was missing or wrong, or the token is locked."""
    NOT_PASSED = 5
    """A verification ended in INDETERMINATE or TOTAL-FAILED; a journal is not intact;
    a directory differs from the records."""
    WAITS = 6
    """An act at the console waits for an officer's card."""
    FAILED = 70
    """An error that nobody foresaw."""
