"""JSON that comes in requests: one object in UTF-8, each name once, no further than a limit.

Every room's doors read it here; a room whose doors take models of its own lets pydantic judge the
same octets.
"""

import base64
import binascii
import json
from typing import Any, Protocol

from kernel.refusals import Malformed, TooLarge


class IncomingRequest(Protocol):
    """What is read of a web framework's request (Werkzeug's fits)."""

    max_content_length: int | None

    @property
    def mimetype(self) -> str: ...

    @property
    def content_length(self) -> int | None: ...

    def get_data(self, cache: bool = True) -> bytes: ...


def json_octets(request: IncomingRequest, limit: int) -> bytes:
    """The body, `limit` octets at the most, whether its length was told or it comes in chunks.

    The media type is insisted upon: no HTML form of another site can send it. Raises Malformed
    `request.media-type`, TooLarge `request.too-large`.
    """
    if request.mimetype != "application/json":
        raise Malformed("request.media-type", "send Content-Type: application/json")
    if (request.content_length or 0) > limit:
        raise _too_large(limit)
    # Werkzeug cuts a body in chunks at its maximum without a word: one octet more tells.
    request.max_content_length = limit + 1
    data = request.get_data(cache=False)
    if len(data) > limit:
        raise _too_large(limit)
    return data


def read_object(data: bytes) -> dict[str, Any]:
    """A JSON object (RFC 8259): names stand once, numbers are finite, texts are Unicode.

    Raises Malformed `request.malformed`.
    """
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant
        )
        if rb"\u" in data:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # half a surrogate pair is none
    except (ValueError, RecursionError):
        raise Malformed("request.malformed", "the request is not JSON") from None
    if not isinstance(value, dict):
        raise Malformed("request.malformed", "the request is one JSON object")
    return value


def read_base64(text: str) -> bytes:
    """Base64 (RFC 4648, 4), strictly. Raises Malformed `request.malformed`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("request.malformed", "not base64") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _too_large(limit: int) -> TooLarge:
    return TooLarge("request.too-large", "the request is too large", limit=limit)
