"""On which line of a TOML file a key stands: the parser does not tell, and a person needs to know.

Reads what policy files are written in: bare keys, tables, arrays of tables, values that may run
over several lines. A key that it does not find is told by the line of its table.
"""

import re
from collections.abc import Sequence

_HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+)\s*=")


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The line, from 1, of `path`: names of tables and keys, numbers for places in an array."""
    table, key = _split(path)
    current: tuple[str | int, ...] = ()
    seen: dict[str, int] = {}
    best = 1
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            current = _opened(header, seen)
            if current == tuple(table) or (best == 1 and current[:1] == tuple(path)):
                best = number
            continue
        found = _KEY.match(line)
        if found and current == tuple(table) and found[1] == key:
            return number
    return best


def line_of_syntax_error(message: str) -> int | None:
    """From tomllib's own words: `... (at line 3, column 7)`."""
    place = re.search(r"\(at line (\d+), column \d+\)", message)
    return int(place[1]) if place else None


def _split(path: Sequence[str | int]) -> tuple[list[str | int], str | None]:
    """The table and the key in it: ("subject", 3, "field") is `field` of the fourth [[subject]],
    ("suites", 1) the key `suites` of no table."""
    last_name = max((i for i, part in enumerate(path) if isinstance(part, str)), default=-1)
    if last_name < 0:
        return [], None
    return list(path[:last_name]), str(path[last_name])


def _opened(header: re.Match[str], seen: dict[str, int]) -> tuple[str | int, ...]:
    parts: tuple[str | int, ...] = tuple(header[2].split("."))
    if header[1] == "[":
        return parts
    place = seen.get(header[2], -1) + 1
    seen[header[2]] = place
    return (*parts, place)
