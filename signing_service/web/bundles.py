"""Routes of bundles: one signature for several declarations."""

from collections.abc import Callable

from flask import Blueprint, Response, jsonify
from pydantic import Field

from kernel.asn1.certificate import Certificate
from kernel.json_bodies import read_base64
from kernel.refusals import Malformed
from signing_service.bundle_signing import MAX_PARTS, MAX_TOTAL_BYTES, BundleSigning
from signing_service.formats.bundle import MAX_RECIPIENT
from signing_service.validation.evidence import SignatureLevel
from signing_service.web.body import base64_of, read_body
from signing_service.web.wishes import Body, CompleteBody, shown

_MAX_REQUEST_BYTES = 2 * MAX_TOTAL_BYTES


class _PartBody(Body):
    recipient: str = Field(min_length=1, max_length=MAX_RECIPIENT)
    document: str
    """Base64."""


class _PrepareBody(Body):
    certificate: str = Field(max_length=90_000)
    parts: list[_PartBody] = Field(min_length=1, max_length=MAX_PARTS)
    level: str = "B-T"


def bundles_blueprint(bundles: BundleSigning, card: Callable[[], str]) -> Blueprint:
    """`card` gives the card of the present sign-in session, or refuses."""
    blueprint = Blueprint("bundles", __name__)

    @blueprint.post("/api/v1/bundles/prepare")
    def prepare() -> Response:
        holder_card = card()
        body = read_body(_PrepareBody, _MAX_REQUEST_BYTES)
        try:
            level = SignatureLevel(body.level)
        except ValueError:
            raise Malformed("request.malformed", "no such level") from None
        parts = [(each.recipient, read_base64(each.document)) for each in body.parts]
        certificate = Certificate.parse(read_base64(body.certificate))
        made = bundles.prepare(parts, certificate, holder_card, level)
        return jsonify(
            id=made.id,
            level=str(made.level),
            to_be_signed=base64_of(made.to_be_signed),
            suite=made.suite,
            expires_at=made.expires_at.isoformat(),
            proofs=[base64_of(each) for each in made.proofs],
            declarations=[shown(each) for each in made.filings],
        )

    @blueprint.post("/api/v1/bundles/complete")
    def complete() -> Response:
        holder_card = card()
        body = read_body(CompleteBody, 16_384)
        receipts = bundles.complete(body.id, read_base64(body.signature_value), holder_card)
        return jsonify(
            parts=[
                {
                    "id": each.id,
                    "recipient": each.recipient,
                    "proof": base64_of(each.proof),
                    "indication": str(each.report.indication),
                }
                for each in receipts
            ]
        )

    return blueprint
