"""The JSON interface: the same use cases, for programs.

A foreign page in the user's browser can send neither `application/json` nor the header that the
multipart route insists on without asking first (CORS), so neither needs a form token.
"""

from collections.abc import Callable

from flask import Blueprint, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from kernel.refusals import Forbidden, Malformed, TooLarge
from ra_portal.applications.application import Application
from ra_portal.people.operators import OperatorView
from ra_portal.seals.seal import Seal
from ra_portal.services import PortalServices
from ra_portal.web import (
    access_again,
    card_api,
    console_acts,
    data_changes,
    mass,
    officer_changes,
    recovery,
    without_card,
)
from ra_portal.web.applying import uploaded
from ra_portal.web.card_api import offered_code, shown_card
from ra_portal.web.json_bodies import Answer, Route, read_body, read_remarks, read_text, read_texts
from ra_portal.web.limits import AddressLimits
from ra_portal.web.person import Person

CSRF_HEADER = "X-PortSeal-Request"
"""Any value; its presence proves that no plain form sent the request."""

ACCESS_HEADER = "X-PortSeal-Access-Code"


def add_routes(
    blueprint: Blueprint, services: PortalServices, person: Person, limits: AddressLimits
) -> list[Callable[..., Answer]]:
    """Add the routes; returns the views, which are for programs."""
    views: list[Callable[..., Answer]] = []

    def route(method: str, rule: str) -> Callable[[Callable[..., Answer]], Callable[..., Answer]]:
        def add(view: Callable[..., Answer]) -> Callable[..., Answer]:
            blueprint.add_url_rule(f"/api/v1{rule}", f"api_{view.__name__}", view, methods=[method])
            views.append(view)
            return view

        return add

    _applicant_routes(route, services, limits)
    access_again.add_api(route, services, limits)
    _officer_routes(route, services, person)
    _enterprise_routes(route, services, person)
    card_api.add_routes(route, services, person)
    data_changes.add_api(route, services, person)
    mass.add_api(route, services, person)
    console_acts.add_api(route, services, person)
    officer_changes.add_api(route, services, person)
    recovery.add_api(route, services, person, limits.asking)
    without_card.add_api(route, services, limits)
    _seal_routes(route, services, person)
    return views


def _applicant_routes(route: Route, services: PortalServices, limits: AddressLimits) -> None:
    registration = services.registration

    @route("POST", "/applications")
    def apply() -> Answer:
        limits.saving()
        _require_form()
        limits.scans()
        submitted = registration.apply(
            request.form.to_dict(), uploaded("licence"), uploaded("attorney")
        )
        shown = _application(submitted.application)
        return jsonify(**shown, access_code=submitted.access_code), 201

    @route("GET", "/applications/<reference>")
    def application(reference: str) -> Answer:
        limits.saving()
        found = registration.open(reference, __access_code())
        card = registration.card_of(found.id)
        return jsonify(**_application(found), card=shown_card(card) if card else None)

    @route("PUT", "/applications/<reference>")
    def correct(reference: str) -> Answer:
        limits.saving()
        _require_form()
        limits.scans()
        found = registration.open(reference, __access_code())
        corrected = registration.resubmit(
            found.id, request.form.to_dict(), uploaded("licence"), uploaded("attorney")
        )
        return jsonify(_application(corrected))

    @route("POST", "/applications/<reference>/activation-code")
    def application_code(reference: str) -> Answer:
        limits.saving()
        read_body()
        found = registration.open(reference, __access_code())
        return offered_code(registration.new_activation_code(found.id))


def _officer_routes(route: Route, services: PortalServices, person: Person) -> None:
    registration = services.registration

    @route("POST", "/applications/<identifier>/registration")
    def register(identifier: str) -> Answer:
        by = person.required()
        read_body()
        return jsonify(_application(registration.register(by, identifier)))

    @route("POST", "/applications/<identifier>/approval")
    def approve(identifier: str) -> Answer:
        by = person.required()
        read_body()
        application, card = registration.approve(by, identifier)
        return jsonify(**_application(application), card=shown_card(card))

    @route("POST", "/applications/<identifier>/return")
    def send_back(identifier: str) -> Answer:
        by = person.required()
        body = read_body()
        remarks = read_remarks(body)
        reasons = read_text(body, "reasons") if "reasons" in body or not remarks else ""
        return jsonify(_application(registration.send_back(by, identifier, reasons, remarks)))

    @route("POST", "/applications/<identifier>/refusal")
    def refuse(identifier: str) -> Answer:
        by = person.required()
        reasons = read_text(read_body(), "reasons")
        return jsonify(_application(registration.refuse(by, identifier, reasons)))

    @route("POST", "/officers")
    def add_officer() -> Answer:
        by = person.required()
        body = read_body()
        added = services.officers.add(by, read_text(body, "name"), read_texts(body, "roles"))
        officer = added.officer
        shown = {"id": officer.id, "name": officer.name, "roles": sorted(officer.roles)}
        return jsonify(
            officer=shown, card=shown_card(added.card), activation_code=added.activation_code
        ), 201


def _enterprise_routes(route: Route, services: PortalServices, person: Person) -> None:
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
        view = operators.page(person.required(), after=request.args.get("after", ""))
        shown = [_operator(each) for each in view.operators]
        return jsonify(operators=shown, later=view.more_after or None)

    @route("POST", "/operators")
    def add_operator() -> Answer:
        by = person.required()
        body = read_body()
        added = operators.add(by, body, read_texts(body, "rights"))
        return jsonify(**_operator(added.view), activation_code=added.activation_code), 201

    @route("PUT", "/operators/<identifier>/rights")
    def set_rights(identifier: str) -> Answer:
        by = person.required()
        return jsonify(
            _operator(operators.set_rights(by, identifier, read_texts(read_body(), "rights")))
        )

    @route("POST", "/operators/<identifier>/activation-code")
    def operator_code(identifier: str) -> Answer:
        by = person.required()
        read_body()
        return offered_code(operators.new_activation_code(by, identifier))


def _seal_routes(route: Route, services: PortalServices, person: Person) -> None:
    seals = services.seals

    @route("GET", "/seals")
    def all_seals() -> Answer:
        return jsonify(seals=[_seal(each) for each in seals.visible(person.required())])

    @route("POST", "/seals")
    def request_seal() -> Answer:
        by = person.required()
        return jsonify(_seal(seals.request(by, read_text(read_body(), "name")))), 201

    @route("POST", "/seals/<number>/approval")
    def approve_seal(number: str) -> Answer:
        by = person.required()
        read_body()
        return jsonify(_seal(seals.approve(by, number)))

    @route("POST", "/seals/<number>/refusal")
    def refuse_seal(number: str) -> Answer:
        by = person.required()
        read_body()
        return jsonify(_seal(seals.refuse(by, number)))

    @route("POST", "/seals/<number>/revocation")
    def revoke_seal(number: str) -> Answer:
        by = person.required()
        return jsonify(_seal(seals.revoke(by, number, read_text(read_body(), "reason"))))


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
        "remarks": dict(application.remarks),
        "enterprise": application.enterprise_id,
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
        "card": shown_card(view.card) if view.card else None,
    }


# -- what comes in ---------------------------------------------------------------------------------


def _require_form() -> None:
    if request.mimetype != "multipart/form-data":
        raise Malformed("request.media-type", "send Content-Type: multipart/form-data")
    if CSRF_HEADER not in request.headers:
        raise Forbidden("request.foreign", "send the header {header}", header=CSRF_HEADER)
    try:
        _ = request.form  # reads the whole of it, never more than `limits` allows
    except RequestEntityTooLarge:
        raise TooLarge("licence.too-large", "the scan is larger than 5 MiB") from None


def __access_code() -> str:
    return request.headers.get(ACCESS_HEADER, "")[:100]
