"""Routes of signing: prepare, complete, receipt."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel, ConfigDict, Field

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Unauthenticated
from signing_service.batch import Batches, BatchItem
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.signing import Signing
from signing_service.validation.evidence import SignatureFormat, SignatureLevel
from signing_service.web.batches import batches_blueprint
from signing_service.web.body import base64_of, octets_of, read_body

_BASE64_GROWTH = 4 / 3


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _PrepareBody(_Body):
    document: str
    """Base64 of the declaration's bytes."""
    certificate: str = Field(max_length=90_000)
    """Base64 of the signer's certificate, DER."""
    format: str
    level: str = "B-T"


class _ItemBody(_Body):
    """Which claimed item of a job this signature is."""

    batch: str = Field(pattern=r"^[0-9a-f]{32}$")
    position: int = Field(ge=0)


class _CompleteBody(_Body):
    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    signature_value: str = Field(max_length=4096)
    """Base64; ECDSA as the DER SEQUENCE of r and s."""
    item: _ItemBody | None = None


def signing_blueprint(
    signing: Signing, batches: Batches, signed_in_card: Callable[[], str | None]
) -> Blueprint:
    """`signed_in_card` gives the card of the present sign-in session."""
    blueprint = Blueprint("signing", __name__)
    blueprint.register_blueprint(batches_blueprint(batches, signed_in_card))

    def card() -> str:
        found = signed_in_card()
        if found is None:
            raise Unauthenticated("signin.required", "sign in with the card that shall sign")
        return found

    @blueprint.post("/api/v1/signatures/prepare")
    def prepare() -> Response:
        holder_card = card()
        body = read_body(_PrepareBody, int(MAX_DOCUMENT_BYTES * _BASE64_GROWTH) + 100_000)
        try:
            format_, level = SignatureFormat(body.format), SignatureLevel(body.level)
        except ValueError:
            raise Malformed("request.malformed", "no such format or level") from None
        certificate = Certificate.parse(octets_of(body.certificate))
        made = signing.prepare(octets_of(body.document), certificate, format_, holder_card, level)
        return jsonify(
            id=made.id,
            format=str(made.format),
            level=str(made.level),
            to_be_signed=base64_of(made.to_be_signed),
            suite=made.suite,
            expires_at=made.expires_at.isoformat(),
            declaration={
                "kind": made.filing.kind,
                "fields": [
                    {"name_zh": each.name_zh, "name_en": each.name_en, "value": each.value}
                    for each in made.filing.fields
                ],
            },
        )

    @blueprint.post("/api/v1/signatures/complete")
    def complete() -> Response:
        holder_card = card()
        body = read_body(_CompleteBody, 16_384)
        item = None if body.item is None else BatchItem(body.item.batch, body.item.position)
        receipt = signing.complete(body.id, octets_of(body.signature_value), holder_card, item)
        return jsonify(
            id=receipt.id,
            format=str(receipt.format),
            level=str(receipt.level),
            signature=base64_of(receipt.signature),
            indication=str(receipt.report.indication),
        )

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
            signature=base64_of(signature),
        )

    return blueprint
