"""The log in words: by day, in local time, what each use was and what became of it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, tzinfo
from typing import Any

from key_agent.command_words import OUTCOMES, USES
from key_agent.windows import clean, columns
from key_agent.words import Language

_OUTCOME_COLUMNS, _USE_COLUMNS = 16, 28


def as_json(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (json.dumps(entry, ensure_ascii=False) for entry in entries)


def as_lines(
    entries: Iterable[Mapping[str, Any]], language: Language, zone: tzinfo | None = None
) -> Iterator[str]:
    """`zone`: of the times that are shown; None: the computer's own."""
    column = 0 if language == "zh" else 1
    day = None
    for entry in entries:
        time = datetime.fromisoformat(str(entry["time"])).astimezone(zone)
        if time.date() != day:
            day = time.date()
            yield f"{day.isoformat()}"
        outcome, method = str(entry["outcome"]), str(entry["method"])
        became = OUTCOMES.get(outcome, (outcome, outcome))[column]
        use = USES.get(method, (method, method))[column]
        token = f"  [{clean(str(entry['token']))}]" if entry.get("token") else ""
        yield (
            f"  {time:%H:%M:%S}  {_padded(became, _OUTCOME_COLUMNS)}  {_padded(use, _USE_COLUMNS)}"
            f"  {clean(str(entry['origin']), 200)}{token}"
        )
        for line in entry.get("shown", ()):
            yield f"      {clean(str(line))}"


def in_local_time(time: str, zone: tzinfo | None = None) -> str:
    return f"{datetime.fromisoformat(time).astimezone(zone):%Y-%m-%d %H:%M}"


def _padded(text: str, width: int) -> str:
    return text + " " * max(width - columns(text), 0)
