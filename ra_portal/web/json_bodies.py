"""What programs send: JSON objects, read strictly and no further than a limit."""

import json
from collections.abc import Callable
from typing import Any

from flask import request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, TooLarge
from ra_portal.web.limits import LARGEST_BODY

Answer = Response | tuple[Response, int]
Route = Callable[[str, str], Callable[[Callable[..., Answer]], Callable[..., Answer]]]
"""Method and rule -> a decorator of the view."""


def read_body() -> dict[str, Any]:
    """The request's JSON object, which may be empty.

    Raises Malformed `request.media-type`, `request.malformed`, TooLarge `request.too-large`.
    """
    if request.mimetype != "application/json":
        raise Malformed("request.media-type", "send Content-Type: application/json")
    try:
        data = request.get_data(cache=False)  # never more than `limits` allows
    except RequestEntityTooLarge:
        data = None
    # A chunked body is cut at the limit without a word.
    if data is None or len(data) >= LARGEST_BODY:
        raise TooLarge("request.too-large", "the request is too large")
    try:
        body = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        raise Malformed("request.malformed", "the request is not JSON") from None
    if not isinstance(body, dict):
        raise Malformed("request.malformed", "the request is a JSON object")
    return body


def read_text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise Malformed("request.malformed", "a text is missing", field=name)
    return value


def read_texts(body: dict[str, Any], name: str) -> list[str]:
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Malformed("request.malformed", "a list of texts is missing", field=name)
    if len(value) > 100:
        raise Malformed("request.malformed", "the list is too long", field=name)
    return value


def read_remarks(body: dict[str, Any]) -> dict[str, str]:
    """Field -> code of a reason, under `remarks`; empty where there is none."""
    value = body.get("remarks", {})
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise Malformed("request.malformed", "remarks name a reason for each field")
    if len(value) > 20:
        raise Malformed("request.malformed", "the list is too long", field="remarks")
    return value
