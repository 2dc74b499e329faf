"""What programs send: JSON objects, read strictly and no further than a limit."""

from collections.abc import Callable
from typing import Any

from flask import request
from werkzeug.wrappers import Response

from kernel.json_bodies import json_octets, read_object
from kernel.refusals import Malformed
from ra_portal.web.limits import LARGEST_BODY

Answer = Response | tuple[Response, int]
Route = Callable[[str, str], Callable[[Callable[..., Answer]], Callable[..., Answer]]]
"""Method and rule -> a decorator of the view."""


def read_body() -> dict[str, Any]:
    """The request's JSON object, which may be empty.

    Raises Malformed `request.media-type`, `request.malformed`, TooLarge `request.too-large`.
    """
    return read_object(json_octets(request, LARGEST_BODY) or b"{}")


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
