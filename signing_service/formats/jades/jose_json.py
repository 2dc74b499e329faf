"""JSON and base64url as JOSE has them (RFC 7515, 2 and 10.12): read strictly, written compactly.

One text has one meaning here: no doubled members, no padding, no second spelling of the same
octets, no numbers that another reader would round.
"""

import base64
import binascii
import json
import re
from typing import Any

from kernel.refusals import Malformed, TooLarge
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES, MAX_SIGNATURE_BYTES

MAX_JSON_BYTES = MAX_DOCUMENT_BYTES * 4 // 3 + MAX_SIGNATURE_BYTES
MAX_DEPTH = 24
MAX_MEMBERS = 2048
_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def parse_object(data: bytes, *, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """One JSON object in UTF-8.

    Raises TooLarge `jades.too-large`; Malformed `json.malformed` (not JSON, or a doubled member,
    or nested too deeply, or NaN and its kind).
    """
    if len(data) > max_bytes:
        raise TooLarge("jades.too-large", "the signature is too large")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        raise Malformed("json.malformed", "not strict JSON") from None
    if not isinstance(value, dict):
        raise Malformed("json.malformed", "a JSON object is needed")
    _check_depth(value)
    return value


def serialise(value: dict[str, Any]) -> bytes:
    """Compact JSON, UTF-8, members in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def encode(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: object) -> bytes:
    """The octets of base64url text in its one spelling. Raises Malformed `json.base64url`."""
    if isinstance(text, str) and _ALPHABET.fullmatch(text) and len(text) % 4 != 1:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if encode(data) == text:
            return data
    raise Malformed("json.base64url", "not base64url without padding")


def encode_base64(data: bytes) -> str:
    """Plain base64 with padding, as x5c and val have it."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: object) -> bytes:
    """The octets of plain base64 (x5c, val). Raises Malformed `json.base64`."""
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise Malformed("json.base64", "not base64")


def text_of(value: object) -> str:
    """Raises Malformed `json.type`."""
    if not isinstance(value, str):
        raise Malformed("json.type", "a string is needed")
    return value


def object_of(value: object) -> dict[str, Any]:
    """Raises Malformed `json.type`."""
    if not isinstance(value, dict):
        raise Malformed("json.type", "an object is needed")
    return value


def array_of(value: object, limit: int = MAX_MEMBERS) -> list[Any]:
    """Raises Malformed `json.type`, `json.too-many`."""
    if not isinstance(value, list):
        raise Malformed("json.type", "an array is needed")
    if len(value) > limit:
        raise Malformed("json.too-many", "at most {most} elements", most=limit)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:
        raise ValueError("too many members")
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member stands twice")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _check_depth(value: object) -> None:
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
        if not below:
            return
        level = below
    raise Malformed("json.malformed", "nested more than {most} levels", most=MAX_DEPTH)
