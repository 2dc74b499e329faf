"""The least that a WSGI application can do: one constant answer, served as `portseal serve` does.

`python -m tests.bench.constant_answer PORT`; ANSWER_BYTES in the environment is the size.
"""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

_BODY = b"\x30" * int(os.environ.get("ANSWER_BYTES", "500"))
_HEADERS = [
    ("Content-Type", "application/octet-stream"),
    ("Content-Length", str(len(_BODY))),
]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Look at nothing, answer at once."""
    start_response("200 OK", _HEADERS[:])
    return (_BODY,)


if __name__ == "__main__":
    Granian(
        "tests.bench.constant_answer:application",
        interface=Interfaces.WSGI,
        port=int(sys.argv[1]),
        workers=1,
        blocking_threads=4,
        log_level=LogLevels.warning,
    ).serve()
