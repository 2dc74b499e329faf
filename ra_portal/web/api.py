"""The JSON interface: the same use cases, for programs.

A foreign page in the user's browser can send neither `application/json` nor the header that the
multipart route insists on without asking first (CORS), so neither needs a form token.
"""

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from flask import Blueprint, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response

from kernel.refusals import Forbidden, Malformed, TooLarge
from ra_portal.application import Application
from ra_portal.card import Card
from ra_portal.operators import OperatorView
from ra_portal.seal import Seal
from ra_portal.services import PortalServices
from ra_portal.web.limits import LARGEST_BODY
from ra_portal.web.person import Person
from ra_portal.web.public import uploaded

CSRF_HEADER = "X-PortSeal-Request"
"""Any value; its presence proves that no plain form sent the request."""

ACCESS_HEADER = "X-PortSeal-Access-Code"

Answer = Response | tuple[Response, int]


def add_routes(
    blueprint: Blueprint, services: PortalServices, person: Person
) -> list[Callable[..., Answer]]:
    """Add the routes; returns the views, which are for programs."""
    views: list[Callable[..., Answer]] = []

    def route(method: str, rule: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
        def add(view: Callable[..., Answer]) -> Callable[..., Answer]:
            blueprint.add_url_rule(f"/api/v1{rule}", f"api_{view.__name__}", view, methods=[method])
            views.append(view)
            return view

        return add

    _applicant_routes(route, services)
    _officer_routes(route, services, person)
    _enterprise_routes(route, services, person)
    _card_routes(route, services, person)
    _seal_routes(route, services, person)
    return views


_Route = Callable[[str, str], Callable[[Callable[..., Answer]], Callable[..., Answer]]]


def _applicant_routes(route: _Route, services: PortalServices) -> None:
    registration = services.registration

    @route("POST", "/applications")
    def apply() -> Answer:
        _require_form()
        submitted = registration.apply(request.form.to_dict(), uploaded())
        shown = _application(submitted.application)
        return jsonify(**shown, access_code=submitted.access_code), 201

    @route("GET", "/applications/<reference>")
    def application(reference: str) -> Answer:
        found = registration.open(reference, _access_code())
        card = registration.card_of(found.id)
        return jsonify(**_application(found), card=_card(card) if card else None)

    @route("PUT", "/applications/<reference>")
    def correct(reference: str) -> Answer:
        _require_form()
        found = registration.open(reference, _access_code())
        return jsonify(
            _application(registration.resubmit(found.id, request.form.to_dict(), uploaded()))
        )

    @route("POST", "/applications/<reference>/activation-code")
    def application_code(reference: str) -> Answer:
        _body()
        found = registration.open(reference, _access_code())
        return _code(registration.new_activation_code(found.id))


def _officer_routes(route: _Route, services: PortalServices, person: Person) -> None:
    registration = services.registration

    @route("POST", "/applications/<identifier>/registration")
    def register(identifier: str) -> Answer:
        by = person.required()
        _body()
        return jsonify(_application(registration.register(by, identifier)))

    @route("POST", "/applications/<identifier>/approval")
    def approve(identifier: str) -> Answer:
        by = person.required()
        _body()
        application, card = registration.approve(by, identifier)
        return jsonify(**_application(application), card=_card(card))

    @route("POST", "/applications/<identifier>/return")
    def send_back(identifier: str) -> Answer:
        by = person.required()
        reasons = _text(_body(), "reasons")
        return jsonify(_application(registration.send_back(by, identifier, reasons)))

    @route("POST", "/applications/<identifier>/refusal")
    def refuse(identifier: str) -> Answer:
        by = person.required()
        reasons = _text(_body(), "reasons")
        return jsonify(_application(registration.refuse(by, identifier, reasons)))

    @route("POST", "/officers")
    def add_officer() -> Answer:
        by = person.required()
        body = _body()
        added = services.officers.add(by, _text(body, "name"), _texts(body, "roles"))
        officer = added.officer
        shown = {"id": officer.id, "name": officer.name, "roles": sorted(officer.roles)}
        return jsonify(
            officer=shown, card=_card(added.card), activation_code=added.activation_code
        ), 201


def _enterprise_routes(route: _Route, services: PortalServices, person: Person) -> None:
    operators = services.operators

    @route("GET", "/rights")
    def rights() -> Answer:
        return jsonify(
            rights=[
                {"code": r.code, "name_zh": r.name_zh, "name_en": r.name_en}
                for r in services.catalogue.rights
            ]
        )

    @route("GET", "/operators")
    def all_operators() -> Answer:
        view = operators.home(person.required())
        return jsonify(operators=[_operator(each) for each in view.operators])

    @route("POST", "/operators")
    def add_operator() -> Answer:
        by = person.required()
        body = _body()
        added = operators.add(by, body, _texts(body, "rights"))
        return jsonify(**_operator(added.view), activation_code=added.activation_code), 201

    @route("PUT", "/operators/<identifier>/rights")
    def set_rights(identifier: str) -> Answer:
        by = person.required()
        return jsonify(_operator(operators.set_rights(by, identifier, _texts(_body(), "rights"))))

    @route("POST", "/operators/<identifier>/activation-code")
    def operator_code(identifier: str) -> Answer:
        by = person.required()
        _body()
        return _code(operators.new_activation_code(by, identifier))


def _card_routes(route: _Route, services: PortalServices, person: Person) -> None:
    @route("POST", "/enrolments")
    def enrol() -> Answer:
        body = _body()
        try:
            pkcs10 = base64.b64decode(_text(body, "pkcs10"), validate=True)
        except (binascii.Error, ValueError):
            raise Malformed("request.malformed", "pkcs10 is base64 of the request") from None
        enrolled = services.enrolment.enrol(_text(body, "activation_code"), pkcs10)
        return jsonify(
            certificate=enrolled.certificate.pem,
            chain=[certificate.pem for certificate in enrolled.chain],
            card=_card(enrolled.card),
        ), 201

    @route("GET", "/cards/<number>")
    def card(number: str) -> Answer:
        return jsonify(_card(services.cards.show(person.required(), number)))

    @route("POST", "/cards/<number>/revocation")
    def revoke(number: str) -> Answer:
        by = person.required()
        reason = _text(_body(), "reason")
        return jsonify(_card(services.cards.revoke(by, number, reason)))

    @route("POST", "/cards/<number>/activation-code")
    def card_code(number: str) -> Answer:
        by = person.required()
        _body()
        return _code(services.cards.new_activation_code(by, number))

    @route("POST", "/cards/<number>/activation-code/confirmation")
    def confirm_code(number: str) -> Answer:
        by = person.required()
        _body()
        return _code(services.cards.confirm_code(by, number))

    @route("POST", "/cards/<number>/witness")
    def witness(number: str) -> Answer:
        by = person.required()
        body = _body()
        model, serial = _text(body, "token_model"), _text(body, "token_serial")
        return jsonify(_card(services.cards.witness(by, number, model, serial)))

    @route("POST", "/cards/<number>/replacement")
    def replace(number: str) -> Answer:
        by = person.required()
        _body()
        return _code(services.cards.replace(by, number))


def _seal_routes(route: _Route, services: PortalServices, person: Person) -> None:
    seals = services.seals

    @route("GET", "/seals")
    def all_seals() -> Answer:
        return jsonify(seals=[_seal(each) for each in seals.visible(person.required())])

    @route("POST", "/seals")
    def request_seal() -> Answer:
        by = person.required()
        return jsonify(_seal(seals.request(by, _text(_body(), "name")))), 201

    @route("POST", "/seals/<number>/approval")
    def approve_seal(number: str) -> Answer:
        by = person.required()
        _body()
        return jsonify(_seal(seals.approve(by, number)))

    @route("POST", "/seals/<number>/refusal")
    def refuse_seal(number: str) -> Answer:
        by = person.required()
        _body()
        return jsonify(_seal(seals.refuse(by, number)))

    @route("POST", "/seals/<number>/revocation")
    def revoke_seal(number: str) -> Answer:
        by = person.required()
        return jsonify(_seal(seals.revoke(by, number, _text(_body(), "reason"))))


# -- what goes out ---------------------------------------------------------------------------------


def _application(application: Application) -> dict[str, object]:
    details = application.details
    return {
        "id": application.id,
        "reference": application.reference,
        "state": application.state,
        "uscc": details.uscc,
        "name": details.name,
        "customs_code": details.customs_code,
        "legal_representative": details.legal_representative,
        "region": details.region,
        "submitted_at": application.submitted_at.isoformat(),
        "changed_at": application.changed_at.isoformat(),
        "reasons": application.reasons,
        "enterprise": application.enterprise_id,
    }


def _card(card: Card) -> dict[str, object]:
    return {
        "number": card.number,
        "holder_kind": card.holder.kind,
        "holder": card.holder.id,
        "state": card.state,
        "code_proposed": card.code_proposed_by is not None,
        "serial": card.serial,
        "fingerprint": card.fingerprint,
        "activated_at": card.activated_at.isoformat() if card.activated_at else None,
        "not_after": card.not_after.isoformat() if card.not_after else None,
        "witnessed_at": card.witnessed_at.isoformat() if card.witnessed_at else None,
        "token_model": card.token_model,
        "token_serial": card.token_serial,
        "ended_at": card.ended_at.isoformat() if card.ended_at else None,
        "end_reason": card.end_reason,
    }


def _seal(seal: Seal) -> dict[str, object]:
    return {
        "number": seal.number,
        "name": seal.name,
        "enterprise": seal.enterprise_id,
        "state": seal.state,
        "requested_at": seal.requested_at.isoformat(),
        "serial": seal.serial,
        "fingerprint": seal.fingerprint,
        "activated_at": seal.activated_at.isoformat() if seal.activated_at else None,
        "not_after": seal.not_after.isoformat() if seal.not_after else None,
        "ended_at": seal.ended_at.isoformat() if seal.ended_at else None,
        "end_reason": seal.end_reason,
    }


def _operator(view: OperatorView) -> dict[str, object]:
    operator = view.operator
    return {
        "id": operator.id,
        "name": operator.name,
        "employee_number": operator.employee_number,
        "rights": list(view.rights),
        "history": [
            {
                "right": grant.right,
                "valid_from": grant.valid_from.isoformat(),
                "valid_until": grant.valid_until.isoformat() if grant.valid_until else None,
            }
            for grant in view.history
        ],
        "card": _card(view.card) if view.card else None,
    }


def _code(offered: tuple[Card, str | None]) -> Answer:
    """The code, or 202: it was proposed and waits for another officer."""
    card, code = offered
    if code is None:
        return jsonify(card=_card(card)), 202
    expires_at = card.activation_expires_at
    assert expires_at is not None
    return jsonify(card=_card(card), activation_code=code, expires_at=expires_at.isoformat()), 201


# -- what comes in ---------------------------------------------------------------------------------


def _body() -> dict[str, Any]:
    """The request's JSON object, which may be empty.

    Raises Malformed `request.media-type`, `request.malformed`, TooLarge `request.too-large`.
    """
    if request.mimetype != "application/json":
        raise Malformed("request.media-type", "send Content-Type: application/json")
    try:
        data = request.get_data(cache=False)  # never more than `limits` allows
    except RequestEntityTooLarge:
        data = None
    # A chunked body is cut at the limit without a word.
    if data is None or len(data) >= LARGEST_BODY:
        raise TooLarge("request.too-large", "the request is too large")
    try:
        body = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        raise Malformed("request.malformed", "the request is not JSON") from None
    if not isinstance(body, dict):
        raise Malformed("request.malformed", "the request is a JSON object")
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise Malformed("request.malformed", "a text is missing", field=name)
    return value


def _texts(body: dict[str, Any], name: str) -> list[str]:
    value = body.get(name)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Malformed("request.malformed", "a list of texts is missing", field=name)
    if len(value) > 100:
        raise Malformed("request.malformed", "the list is too long", field=name)
    return value


def _require_form() -> None:
    if request.mimetype != "multipart/form-data":
        raise Malformed("request.media-type", "send Content-Type: multipart/form-data")
    if CSRF_HEADER not in request.headers:
        raise Forbidden("request.foreign", f"send the header {CSRF_HEADER}")
    try:
        _ = request.form  # reads the whole of it, never more than `limits` allows
    except RequestEntityTooLarge:
        raise TooLarge("licence.too-large", "the scan is larger than 5 MiB") from None


def _access_code() -> str:
    return request.headers.get(ACCESS_HEADER, "")[:100]
