"""The timestamp authority over HTTP (RFC 3161, 3.4), as a bare WSGI application."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from signing_service.timestamping.authority import MAX_REQUEST_BYTES, TimestampAuthority

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

_QUERY = "application/timestamp-query"
_REPLY = "application/timestamp-reply"


class TimestampApplication:
    """POST of application/timestamp-query; 405, 415, 413 and 400 for anything else."""

    def __init__(self, authority: TimestampAuthority) -> None:
        self._authority = authority

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        refusal = _refuse(environ)
        if refusal is not None:
            return _plain(start_response, refusal)
        request = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        answer = self._authority.answer(request)
        start_response(
            "200 OK",
            [
                ("Content-Type", _REPLY),
                ("Content-Length", str(len(answer))),
                ("Cache-Control", "no-store"),
            ],
        )
        return [answer]


def _refuse(environ: "WSGIEnvironment") -> str | None:
    if environ["REQUEST_METHOD"] != "POST":
        return "405 Method Not Allowed"
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != _QUERY:
        return "415 Unsupported Media Type"
    length = environ.get("CONTENT_LENGTH", "")
    if not length:
        return "411 Length Required"
    if not length.isascii() or not length.isdigit():
        return "400 Bad Request"
    if len(length) > 9 or int(length) > MAX_REQUEST_BYTES:
        return "413 Content Too Large"
    return None


def _plain(start_response: "StartResponse", status: str) -> Iterable[bytes]:
    body = f"{status}\n".encode()
    headers = [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))]
    if status.startswith("405"):
        headers.append(("Allow", "POST"))
    start_response(status, headers)
    return [body]
