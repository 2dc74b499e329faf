"""Changes of data: proposed by the enterprise or an officer, decided by another officer."""

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, Refusal
from ra_portal.cards.card import Holder
from ra_portal.data_changes.change import DataChange
from ra_portal.fields import InvalidFields
from ra_portal.papers.documents import Upload
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.services import PortalServices
from ra_portal.web.applying import picture, uploaded
from ra_portal.web.decisions import given_reasons, given_remarks
from ra_portal.web.json_bodies import Answer, Route, read_body, read_remarks, read_text
from ra_portal.web.person import Person
from ra_portal.web.turning import asked_place, following, neighbours

Page = str | Response | tuple[str, int]


def add_pages(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    _add_enterprise_pages(blueprint, services, person)
    _add_officer_pages(blueprint, services, person)


def _add_enterprise_pages(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    changes = services.data_changes

    @blueprint.route("/enterprise/data", methods=["GET", "POST"])
    def enterprise_data() -> Page:
        by = person.signed_in()
        holder = Holder(HolderKind.LEGAL_PERSON, by.require_legal_person())
        errors = dict[str, Refusal]()
        if request.method == "POST":
            errors = _propose(services, by, holder, uploaded())
            if not errors:
                return redirect(url_for("portal.enterprise_data"))
        page = render_template(
            "ra_portal/enterprise_data.html",
            enterprise=services.operators.enterprise(by),
            proposed=changes.own(by),
            policy=services.policy,
            values=request.form,
            errors=errors,
        )
        return page, 422 if errors else 200

    @blueprint.route("/enterprise/operators/<identifier>/data", methods=["GET", "POST"])
    def operator_data(identifier: str) -> Page:
        by = person.signed_in()
        operator = services.operators.show(by, identifier).operator
        errors = dict[str, Refusal]()
        if request.method == "POST":
            errors = _propose(services, by, operator.holder)
            if not errors:
                return redirect(url_for("portal.operator_data", identifier=operator.id))
        page = render_template(
            "ra_portal/operator_data.html",
            operator=operator,
            proposed=changes.own(by, operator.id),
            policy=services.policy,
            values=request.form,
            errors=errors,
        )
        return page, 422 if errors else 200


def _propose(
    services: PortalServices, by: Identity, holder: Holder, licence: Upload | None = None
) -> dict[str, Refusal]:
    """Propose what the form says; what is wrong with it, by field, "" for the whole."""
    values = request.form.to_dict()
    try:
        services.data_changes.propose(by, holder, values, values.get("why", ""), licence)
    except InvalidFields as invalid:
        return invalid.errors
    except Refusal as refusal:
        return {"": refusal}
    flash(gettext("The change is on its way to an officer."), "good")
    return {}


def _add_officer_pages(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    reviews = services.change_reviews

    @blueprint.get("/officer/changes")
    def data_changes() -> Page:
        page = reviews.waiting(person.signed_in(), *asked_place())
        return render_template(
            "ra_portal/data_changes.html",
            waiting=page.shown,
            **neighbours("portal.data_changes", page),
        )

    @blueprint.get("/officer/changes/<identifier>")
    def data_change(identifier: str) -> Page:
        return _review(services, person.signed_in(), identifier)

    @blueprint.get("/officer/changes/<identifier>/licence/<int:page>")
    def change_paper(identifier: str, page: int) -> Page:
        return picture(reviews.paper(person.signed_in(), identifier, page))

    @blueprint.post("/officer/changes/<identifier>")
    def decide_change(identifier: str) -> Page:
        by = person.signed_in()
        try:
            flash(_decide(services, by, identifier), "good")
        except Refusal as refusal:
            if refusal.status not in (400, 409, 422):
                raise
            return _review(services, by, identifier, refusal), refusal.status
        return redirect(url_for("portal.data_changes"))


def _decide(services: PortalServices, by: Identity, identifier: str) -> str:
    """What was done, in words. Raises as the use case; Malformed `decision.unknown`."""
    changes, decision = services.data_changes, request.form.get("decision", "")
    if decision == "approve":
        if changes.approve(by, identifier).is_certified:
            return str(gettext("Changed. The cards concerned are to be renewed."))
        return str(gettext("Changed. No card need be renewed for it."))
    if decision == "refuse":
        changes.refuse(by, identifier, given_reasons(services.policy), given_remarks())
        return str(gettext("Refused."))
    raise Malformed("decision.unknown", "choose one of the decisions")


def _review(
    services: PortalServices, by: Identity, identifier: str, refusal: Refusal | None = None
) -> str:
    return render_template(
        "ra_portal/data_change.html",
        review=services.change_reviews.show(by, identifier),
        policy=services.policy,
        refusal=refusal,
        form=request.form,
    )


def add_api(route: Route, services: PortalServices, person: Person) -> None:
    changes = services.data_changes

    @route("GET", "/data-changes")
    def waiting_changes() -> Answer:
        page = services.change_reviews.waiting(person.required(), *asked_place())
        shown = [_shown(each.change) for each in page.shown]
        return jsonify(changes=shown, later=following(page))

    @route("POST", "/data-changes")
    def propose_change() -> Answer:
        by, body = person.required(), read_body()
        kind = read_text(body, "holder_kind")
        if kind not in set(HolderKind):
            raise Malformed("request.malformed", "whose data?", field="holder_kind")
        values = body.get("changes")
        if not isinstance(values, dict):
            raise Malformed("request.malformed", "changes is an object", field="changes")
        holder = Holder(HolderKind(kind), read_text(body, "holder"))
        return jsonify(_shown(changes.propose(by, holder, values, read_text(body, "reason")))), 201

    @route("POST", "/data-changes/<identifier>/approval")
    def approve_change(identifier: str) -> Answer:
        by = person.required()
        read_body()
        return jsonify(_shown(changes.approve(by, identifier)))

    @route("POST", "/data-changes/<identifier>/refusal")
    def refuse_change(identifier: str) -> Answer:
        by = person.required()
        body = read_body()
        remarks = read_remarks(body)
        reasons = read_text(body, "reasons") if "reasons" in body or not remarks else ""
        return jsonify(_shown(changes.refuse(by, identifier, reasons, remarks)))


def _shown(change: DataChange) -> dict[str, object]:
    return {
        "id": change.id,
        "reference": change.reference,
        "state": change.state,
        "holder_kind": change.holder.kind,
        "holder": change.holder.id,
        "changes": dict(change.changes),
        "before": dict(change.before),
        "reason": change.why,
        "with_licence": change.licence_id is not None,
        "proposed_by": change.proposed_by,
        "proposed_at": change.proposed_at.isoformat(),
        "reasons": change.reasons,
        "remarks": dict(change.remarks),
    }
