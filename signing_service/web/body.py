"""JSON request bodies, read strictly and within limits."""

import base64
import binascii
from typing import TypeVar

from flask import request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from kernel.refusals import Malformed, TooLarge

BodyT = TypeVar("BodyT", bound=BaseModel)


def read_body(model: type[BodyT], limit: int) -> BodyT:
    """The request's body, at most `limit` octets. Raises Malformed `request.malformed`;
    TooLarge `request.too-large`."""
    if request.mimetype != "application/json":
        raise Malformed("request.malformed", "send application/json")
    request.max_content_length = limit
    try:
        data = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise TooLarge("request.too-large", "the request is too large") from None
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        names = sorted({str(part) for fault in error.errors() for part in fault["loc"][:1]})
        raise Malformed("request.malformed", f"check these members: {', '.join(names)}") from None


def octets_of(text: str) -> bytes:
    """From base64. Raises Malformed `request.malformed`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("request.malformed", "not base64") from None


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
