"""Route of documents that are sent ahead of their signature, as they are, of any size."""

from collections.abc import Callable, Iterator

from flask import Blueprint, Response, jsonify, request

from kernel.refusals import Malformed
from signing_service.uploads import Uploads, too_large
from signing_service.web.streams import Streams

_PIECE_BYTES = 1 << 20


def documents_blueprint(uploads: Uploads, streams: Streams, card: Callable[[], str]) -> Blueprint:
    """`card`: the one that is signed in; raises Unauthenticated."""
    blueprint = Blueprint("documents", __name__)

    @blueprint.post("/api/v1/documents")
    def receive() -> tuple[Response, int]:
        holder_card = card()
        if request.mimetype != "application/octet-stream":
            raise Malformed("request.malformed", "send the document as application/octet-stream")
        if request.content_length is None:
            raise Malformed("request.malformed", "say its size (Content-Length)")
        if request.content_length > uploads.max_bytes:
            raise too_large(uploads.max_bytes)
        # One more, because werkzeug refuses at the limit what might go on behind it.
        request.max_content_length = uploads.max_bytes + 1
        with streams.one("document.busy"):
            made = uploads.receive(_pieces(request.content_length), holder_card)
        told = jsonify(
            upload=made.id,
            sha256=made.sha256,
            size=made.size,
            expires_at=made.expires_at.isoformat(),
        )
        return told, 201

    return blueprint


def _pieces(size: int) -> Iterator[bytes]:
    """Raises Malformed `request.malformed` for a body that broke off."""
    seen = 0
    while piece := request.stream.read(_PIECE_BYTES):
        seen += len(piece)
        yield piece
    if seen != size:
        raise Malformed("request.malformed", "the document has another size than Content-Length")
