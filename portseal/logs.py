"""Logs: lines for people, or one JSON object a line for machines, with the request's identifier.

What is logged is codes, counts and identifiers of our own: never a PIN, a code, a name or an
identity number. An address is logged by its rule (`/cards/<number>`), not as it was asked for.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from kernel.request_id import current_request
from portseal.settings import LogSettings

access = logging.getLogger("portseal.access")
_LONGEST = 8000
"""Characters of one text: a trace of a thousand lines tells no more than its beginning."""
_FIELDS = ("method", "route", "status", "milliseconds")


class JsonFormatter(logging.Formatter):
    """time, level, logger, message, request; method, route, status, milliseconds; error, trace."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:_LONGEST],
            "process": record.process,
        }
        request = current_request.get()
        if request is not None:
            told["request"] = request
        told |= {name: value for name in _FIELDS if (value := getattr(record, name, None))}
        if record.exc_info and record.exc_info[0] is not None:
            told["error"] = record.exc_info[0].__name__
            told["trace"] = self.formatException(record.exc_info)[-_LONGEST:]
        return json.dumps(told, ensure_ascii=False)


def install(settings: LogSettings) -> None:
    """For this process, from now on: to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("portseal").setLevel(settings.level.upper())
