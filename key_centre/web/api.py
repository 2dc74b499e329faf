"""JSON for cards' programs and for the centre's officers."""

import base64
from collections.abc import Callable
from typing import Annotated, TypeVar

from flask import Blueprint, Response, jsonify, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel.identifiers import parse_serial, serial_text
from kernel.json_bodies import json_octets, read_base64
from kernel.refusals import Malformed
from key_centre.delivery import Delivery
from key_centre.escrow import EscrowedKey
from key_centre.oversight import Oversight
from key_centre.ports import Caller
from key_centre.recoveries import MAX_EVIDENCE_BYTES, Recoveries
from key_centre.recovery import Recovery, RecoveryState
from key_centre.recovery_rows import Wanted
from key_centre.requests import CardRequest
from key_centre.services import KeyCentre

MAX_REQUEST_BYTES = 32 * 1024
MAX_ORDER_BYTES = 2 * MAX_EVIDENCE_BYTES
Answer = tuple[Response, int]
Octets = Annotated[str, Field(max_length=16_384)]
Text = Annotated[str, Field(min_length=1, max_length=400)]
BodyT = TypeVar("BodyT", bound="_Body")


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _CardBody(_Body):
    certificate: Octets
    transport_key: Octets
    signature: Octets

    def request(self) -> CardRequest:
        return CardRequest(
            read_base64(self.certificate),
            read_base64(self.transport_key),
            read_base64(self.signature),
        )


class _RecoveryBody(_CardBody):
    serial: str
    reason: Text


class _OrderBody(_Body):
    serial: str
    order_number: Text
    ordered_by: Text
    evidence: Annotated[str, Field(max_length=2 * MAX_EVIDENCE_BYTES)]
    transport_key: Octets
    reason: Text


class _DecisionBody(_Body):
    reason: Text


class _ApprovalBody(_DecisionBody):
    transport_key_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class _EmptyBody(_Body):
    pass


def key_centre_blueprint(
    centre: KeyCentre, caller: Callable[[], Caller], limit: Callable[[], None]
) -> Blueprint:
    """`caller`: the officer signed in with this request, or it raises Unauthenticated. `limit`
    raises TooMany for a client without a session that asks too often."""
    blueprint = Blueprint("key_centre", __name__)
    _card_routes(blueprint, centre, limit)
    _order_routes(blueprint, centre.recoveries, caller)
    _reading_routes(blueprint, centre.oversight, caller)
    _decision_routes(blueprint, centre.recoveries, caller)
    return blueprint


def _card_routes(blueprint: Blueprint, centre: KeyCentre, limit: Callable[[], None]) -> None:
    """For programs with a card: its signature is the proof."""
    recoveries = centre.recoveries

    @blueprint.post("/api/v1/encryption-keys")
    def deliver() -> Answer:
        limit()
        body = _read(_CardBody, MAX_REQUEST_BYTES)
        return jsonify(_delivery(centre.deliveries.deliver(body.request()))), 201

    @blueprint.post("/api/v1/key-recoveries")
    def ask() -> Answer:
        limit()
        body = _read(_RecoveryBody, MAX_REQUEST_BYTES)
        found = recoveries.request(parse_serial(body.serial), body.request(), body.reason)
        return jsonify(_asked(found)), 201

    @blueprint.get("/api/v1/key-recoveries/<identifier>/state")
    def state(identifier: str) -> Response:
        limit()
        return jsonify(_asked(recoveries.state(identifier)))

    @blueprint.post("/api/v1/key-recoveries/<identifier>/delivery")
    def fetch(identifier: str) -> Response:
        limit()
        _read(_EmptyBody, MAX_REQUEST_BYTES)
        return jsonify(_delivery(recoveries.fetch_for_holder(identifier)))


def _order_routes(
    blueprint: Blueprint, recoveries: Recoveries, caller: Callable[[], Caller]
) -> None:
    @blueprint.post("/api/v1/key-recoveries/orders")
    def order() -> Answer:
        by = caller()
        body = _read(_OrderBody, MAX_ORDER_BYTES)
        found = recoveries.open_order(
            by,
            parse_serial(body.serial),
            body.order_number,
            body.ordered_by,
            read_base64(body.evidence),
            read_base64(body.transport_key),
            body.reason,
        )
        told = {**_asked(found), "transport_key_sha256": found.transport_key_sha256}
        return jsonify(told), 201

    @blueprint.post("/api/v1/key-recoveries/orders/<identifier>/delivery")
    def fetch_order(identifier: str) -> Response:
        by = caller()
        _read(_EmptyBody, MAX_REQUEST_BYTES)
        return jsonify(_delivery(recoveries.fetch_for_order(by, identifier)))


def _reading_routes(
    blueprint: Blueprint, oversight: Oversight, caller: Callable[[], Caller]
) -> None:
    @blueprint.get("/api/v1/key-recoveries")
    def waiting() -> Response:
        by = caller()
        wanted = request.args.get("state", "requested")
        if wanted not in set(RecoveryState):
            raise Malformed("request.malformed", "state is requested, approved or refused")
        page = oversight.listed(by, Wanted(RecoveryState(wanted)), request.args.get("after"))
        return jsonify([_shown(*each) for each in page.found])

    @blueprint.get("/api/v1/key-recoveries/<identifier>")
    def show(identifier: str) -> Response:
        found = oversight.dossier(caller(), identifier)
        return jsonify(_shown(found.recovery, found.key))

    @blueprint.get("/api/v1/key-recoveries/<identifier>/evidence")
    def evidence(identifier: str) -> Response:
        return order_pdf(oversight.evidence(caller(), identifier))


def _decision_routes(
    blueprint: Blueprint, recoveries: Recoveries, caller: Callable[[], Caller]
) -> None:
    @blueprint.post("/api/v1/key-recoveries/<identifier>/approval")
    def approve(identifier: str) -> Response:
        by = caller()
        body = _read(_ApprovalBody, MAX_REQUEST_BYTES)
        approved = recoveries.approve(by, identifier, body.reason, body.transport_key_sha256)
        return jsonify(_asked(approved))

    @blueprint.post("/api/v1/key-recoveries/<identifier>/refusal")
    def refuse(identifier: str) -> Response:
        by = caller()
        body = _read(_DecisionBody, MAX_REQUEST_BYTES)
        return jsonify(_asked(recoveries.refuse(by, identifier, body.reason)))


def order_pdf(content: bytes) -> Response:
    """To be kept, never shown inside a page: it came from outside."""
    response = Response(content, content_type="application/pdf")
    response.headers["Content-Disposition"] = 'attachment; filename="order.pdf"'
    return response


def _delivery(made: Delivery) -> dict[str, object]:
    return {
        "certificate": made.certificate.pem,
        "serial": serial_text(made.certificate.serial),
        "envelope": base64.b64encode(made.envelope.encode()).decode("ascii"),
    }


def _asked(recovery: Recovery) -> dict[str, object]:
    """What whoever asked may know."""
    return {
        "id": recovery.id,
        "ground": str(recovery.ground),
        "state": str(recovery.state),
        "requested_at": recovery.requested_at.isoformat(),
        "decided_at": recovery.decided_at and recovery.decided_at.isoformat(),
        "decision_reason": recovery.decision_reason,
        "deliveries": recovery.deliveries,
    }


def _shown(recovery: Recovery, key: EscrowedKey) -> dict[str, object]:
    """What an officer of the centre sees."""
    order, certificate = recovery.order, key.certificate
    return {
        **_asked(recovery),
        "requested_by": recovery.requested_by,
        "decided_by": recovery.decided_by,
        "reason": recovery.reason,
        "holder": key.holder,
        "card": key.card,
        "serial": certificate and serial_text(certificate.serial),
        "subject": certificate and certificate.subject_text(),
        "order_number": order and order.number,
        "ordered_by": order and order.issued_by,
        "evidence_sha256": order and order.evidence_sha256,
        "transport_key_sha256": recovery.transport_key_sha256,
    }


def _read(model: type[BodyT], limit: int) -> BodyT:
    """Raises Malformed `request.media-type`, `request.malformed`; TooLarge `request.too-large`."""
    data = json_octets(request, limit)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        names = sorted({str(part) for fault in error.errors() for part in fault["loc"][:1]})
        raise Malformed(
            "request.malformed", "check these members: {members}", members=", ".join(names)
        ) from None
