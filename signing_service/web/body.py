"""JSON request bodies, read strictly and within limits."""

import base64
from typing import TypeVar

from flask import request
from pydantic import BaseModel, ValidationError

from kernel.json_bodies import json_octets
from kernel.refusals import Malformed

BodyT = TypeVar("BodyT", bound=BaseModel)


def read_body(model: type[BodyT], limit: int) -> BodyT:
    """The request's body, at most `limit` octets. Raises Malformed `request.media-type`,
    `request.malformed`; TooLarge `request.too-large`."""
    data = json_octets(request, limit)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        names = sorted({str(part) for fault in error.errors() for part in fault["loc"][:1]})
        raise Malformed(
            "request.malformed", "check these members: {members}", members=", ".join(names)
        ) from None


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
