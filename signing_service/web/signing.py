"""Routes of signing: prepare, complete or abandon, receipt."""

from collections.abc import Callable
from typing import Annotated

from flask import Blueprint, Response, jsonify, render_template
from pydantic import Field, StringConstraints

from kernel.asn1.certificate import Certificate
from kernel.json_bodies import read_base64
from kernel.refusals import Unauthenticated
from signing_service.batch import MAX_ITEMS, Batches, BatchItem
from signing_service.bundle_signing import BundleSigning
from signing_service.extension import Extension
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.signing import Signing
from signing_service.waiting import MAX_PREPARED_PER_CARD
from signing_service.web.batches import batches_blueprint
from signing_service.web.body import base64_of, read_body
from signing_service.web.bundles import bundles_blueprint
from signing_service.web.documents import documents_blueprint
from signing_service.web.extension import extension_blueprint
from signing_service.web.streams import Streams
from signing_service.web.wishes import Body, CompleteBody, PrepareBody, shown

MAX_REQUEST_BYTES = 2 * MAX_DOCUMENT_BYTES
"""Base64 of a document, and what is signed already."""


class _ItemBody(Body):
    """Which claimed item of a job this signature is."""

    batch: str = Field(pattern=r"^[0-9a-f]{32}$")
    position: int = Field(ge=0, lt=MAX_ITEMS)


class _CompleteBody(CompleteBody):
    item: _ItemBody | None = None


class _AbandonBody(Body):
    ids: list[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]] = Field(
        min_length=1, max_length=MAX_PREPARED_PER_CARD
    )


def signing_blueprint(
    signing: Signing,
    batches: Batches,
    bundles: BundleSigning,
    extension: Extension,
    signed_in_card: Callable[[], str | None],
    streams: Streams,
) -> Blueprint:
    """`signed_in_card` gives the card of the present sign-in session; `streams` how many large
    documents are taken at once."""
    blueprint = Blueprint("signing", __name__)

    def card() -> str:
        found = signed_in_card()
        if found is None:
            raise Unauthenticated("signin.required", "sign in with the card that shall sign")
        return found

    blueprint.register_blueprint(documents_blueprint(signing.uploads, streams, card))
    blueprint.register_blueprint(batches_blueprint(batches, signed_in_card))
    blueprint.register_blueprint(bundles_blueprint(bundles, card))
    blueprint.register_blueprint(extension_blueprint(extension, card))

    @blueprint.get("/sign")
    def page() -> str:
        kinds = signing.authorisation.kinds
        return render_template("signing_service/sign.html", card=card(), kinds=kinds)

    @blueprint.post("/api/v1/signatures/prepare")
    def prepare() -> Response:
        holder_card = card()
        body = read_body(PrepareBody, MAX_REQUEST_BYTES)
        with signing.uploads.opened(body.uploads, holder_card) as uploaded:
            made = signing.prepare(
                body.subject(uploaded),
                Certificate.parse(read_base64(body.certificate)),
                body.manner(),
                holder_card,
                body.chosen_level,
                qr_code=body.qr_code,
                draft=body.draft,
            )
        return jsonify(
            id=made.id,
            format=str(made.format),
            level=str(made.level),
            to_be_signed=base64_of(made.to_be_signed),
            context=base64_of(made.context),
            **({"draft": base64_of(made.draft)} if body.draft else {}),
            suite=made.suite,
            expires_at=made.expires_at.isoformat(),
            declaration=shown(made.filing),
        )

    @blueprint.post("/api/v1/signatures/complete")
    def complete() -> Response:
        holder_card = card()
        body = read_body(_CompleteBody, 16_384)
        item = None if body.item is None else BatchItem(body.item.batch, body.item.position)
        receipt = signing.complete(body.id, read_base64(body.signature_value), holder_card, item)
        return jsonify(
            id=receipt.id,
            format=str(receipt.format),
            level=str(receipt.level),
            size=receipt.size,
            **_in_message(receipt.signature),
            indication=str(receipt.report.indication),
        )

    @blueprint.post("/api/v1/signatures/abandon")
    def abandon() -> Response:
        holder_card = card()
        body = read_body(_AbandonBody, 64 * 1024)
        return jsonify(abandoned=signing.waiting.forget(body.ids, holder_card))

    @blueprint.get("/api/v1/signatures/<identifier>")
    def receipt(identifier: str) -> Response:
        kept, signature = signing.receipt(identifier, card())
        return jsonify(
            id=kept.id,
            accepted_at=kept.accepted_at.isoformat(),
            format=kept.format,
            level=kept.level,
            kind=kept.kind,
            card=kept.card,
            document_sha256=kept.document_sha256,
            **_in_message(signature),
        )

    @blueprint.get("/api/v1/signatures/<identifier>/content")
    def content(identifier: str) -> Response:
        size, pieces = signing.signature(identifier, card())
        response = Response(pieces, mimetype="application/octet-stream")
        response.content_length = size
        return response

    return blueprint


def _in_message(signature: bytes | None) -> dict[str, str]:
    """Absent where it is too large: `content` gives it."""
    return {} if signature is None else {"signature": base64_of(signature)}
