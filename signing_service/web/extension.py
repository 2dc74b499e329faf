"""Route of extension: a signature, ours or a stranger's, to a higher level."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify
from pydantic import Field

from kernel.json_bodies import read_base64
from kernel.refusals import Malformed
from signing_service.extension import Extension
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.validation.evidence import SignatureLevel
from signing_service.web.body import base64_of, read_body
from signing_service.web.wishes import Body

_MAX_REQUEST_BYTES = 2 * MAX_DOCUMENT_BYTES


class _ExtendBody(Body):
    level: str
    document: str | None = None
    """Base64: the signed document, or the one beside a detached signature."""
    signature: str | None = None
    signer: int = Field(default=0, ge=-1, le=1000)


def extension_blueprint(extension: Extension, card: Callable[[], str]) -> Blueprint:
    """`card` gives the card of the present sign-in session, or refuses."""
    blueprint = Blueprint("extension", __name__)

    @blueprint.post("/api/v1/extensions")
    def extend() -> Response:
        actor = card()
        body = read_body(_ExtendBody, _MAX_REQUEST_BYTES)
        try:
            level = SignatureLevel(body.level)
        except ValueError:
            raise Malformed("request.malformed", "no such level") from None
        document = None if body.document is None else read_base64(body.document)
        signature = None if body.signature is None else read_base64(body.signature)
        made = extension.extend(document, signature, level, actor, body.signer)
        return jsonify(
            level=str(made.level),
            signature=base64_of(made.signed),
            indication=str(made.report.indication),
        )

    return blueprint
