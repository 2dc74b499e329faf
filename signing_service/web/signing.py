"""Routes of signing: prepare, complete, receipt."""

import base64
import binascii
from collections.abc import Callable
from typing import TypeVar

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, TooLarge, Unauthenticated
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.signing import Signing
from signing_service.validation.evidence import SignatureFormat, SignatureLevel

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


class _CompleteBody(_Body):
    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    signature_value: str = Field(max_length=4096)
    """Base64; ECDSA as the DER SEQUENCE of r and s."""


def signing_blueprint(signing: Signing, signed_in_card: Callable[[], str | None]) -> Blueprint:
    """`signed_in_card` gives the card of the present sign-in session."""
    blueprint = Blueprint("signing", __name__)

    def card() -> str:
        found = signed_in_card()
        if found is None:
            raise Unauthenticated("signin.required", "sign in with the card that shall sign")
        return found

    @blueprint.post("/api/v1/signatures/prepare")
    def prepare() -> Response:
        holder_card = card()
        body = _read(_PrepareBody, int(MAX_DOCUMENT_BYTES * _BASE64_GROWTH) + 100_000)
        try:
            format_, level = SignatureFormat(body.format), SignatureLevel(body.level)
        except ValueError:
            raise Malformed("request.malformed", "no such format or level") from None
        certificate = Certificate.parse(_bytes(body.certificate))
        made = signing.prepare(_bytes(body.document), certificate, format_, holder_card, level)
        return jsonify(
            id=made.id,
            format=str(made.format),
            level=str(made.level),
            to_be_signed=_text(made.to_be_signed),
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
        body = _read(_CompleteBody, 16_384)
        receipt = signing.complete(body.id, _bytes(body.signature_value), holder_card)
        return jsonify(
            id=receipt.id,
            format=str(receipt.format),
            level=str(receipt.level),
            signature=_text(receipt.signature),
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
            signature=_text(signature),
        )

    return blueprint


BodyT = TypeVar("BodyT", bound=_Body)


def _read(model: type[BodyT], limit: int) -> BodyT:
    if request.mimetype != "application/json":
        raise Malformed("request.malformed", "send application/json")
    data = request.get_data(cache=False)
    if len(data) > limit:
        raise TooLarge("request.too-large", "the request is too large")
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        names = sorted({str(part) for fault in error.errors() for part in fault["loc"][:1]})
        raise Malformed("request.malformed", f"check these members: {', '.join(names)}") from None


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("request.malformed", "not base64") from None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
