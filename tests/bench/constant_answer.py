"""The least that a WSGI application can do: one constant answer. Its size is an argument."""

import os
from collections.abc import Callable, Iterable
from typing import Any

_BODY = b"\x30" * int(os.environ.get("ANSWER_BYTES", "500"))
_HEADERS = [
    ("Content-Type", "application/octet-stream"),
    ("Content-Length", str(len(_BODY))),
]


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    start_response("200 OK", _HEADERS[:])
    return (_BODY,)
