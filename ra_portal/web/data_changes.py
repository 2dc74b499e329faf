"""Changes of data: proposed by the enterprise or an officer, decided by another officer."""

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, Refusal
from ra_portal.applications.data_changes import DataChange
from ra_portal.cards.card import Holder
from ra_portal.fields import InvalidFields
from ra_portal.people.identity import HolderKind
from ra_portal.services import PortalServices
from ra_portal.web.json_bodies import Answer, Route, read_body, read_text
from ra_portal.web.person import Person
from ra_portal.web.turning import asked_place, following, neighbours

Page = str | Response | tuple[str, int]


def add_pages(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    changes = services.data_changes

    @blueprint.route("/enterprise/data", methods=["GET", "POST"])
    def enterprise_data() -> Page:
        by = person.signed_in()
        holder = Holder(HolderKind.LEGAL_PERSON, by.require_legal_person())
        values, errors = request.form.to_dict(), dict[str, Refusal]()
        if request.method == "POST":
            try:
                changes.propose(by, holder, values, values.get("why", ""))
            except InvalidFields as invalid:
                errors = invalid.errors
            except Refusal as refusal:
                # What is wrong with the proposed values is InvalidFields; else it is the reason.
                errors = {"why" if refusal.code.startswith("field.") else "": refusal}
            else:
                flash(gettext("The change is on its way to an officer."), "good")
                return redirect(url_for("portal.enterprise"))
        enterprise = services.operators.enterprise(by)
        page = render_template(
            "ra_portal/enterprise_data.html", enterprise=enterprise, values=values, errors=errors
        )
        return page, 422 if errors else 200

    @blueprint.get("/officer/changes")
    def data_changes() -> Page:
        page = changes.waiting(person.signed_in(), *asked_place())
        return render_template(
            "ra_portal/data_changes.html",
            changes=page.shown,
            **neighbours("portal.data_changes", page),
        )

    @blueprint.post("/officer/changes/<identifier>")
    def decide_change(identifier: str) -> Page:
        by, decision = person.signed_in(), request.form.get("decision", "")
        if decision == "approve":
            changes.approve(by, identifier)
            flash(gettext("Changed. The cards concerned are to be renewed."), "good")
        elif decision == "refuse":
            changes.refuse(by, identifier)
            flash(gettext("Refused."), "good")
        else:
            raise Malformed("decision.unknown", "choose one of the decisions")
        return redirect(url_for("portal.data_changes"))


def add_api(route: Route, services: PortalServices, person: Person) -> None:
    changes = services.data_changes

    @route("GET", "/data-changes")
    def waiting_changes() -> Answer:
        page = changes.waiting(person.required(), *asked_place())
        return jsonify(changes=[_shown(each) for each in page.shown], later=following(page))

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
        read_body()
        return jsonify(_shown(changes.refuse(by, identifier)))


def _shown(change: DataChange) -> dict[str, object]:
    return {
        "id": change.id,
        "holder_kind": change.holder.kind,
        "holder": change.holder.id,
        "changes": dict(change.changes),
        "before": dict(change.before),
        "reason": change.why,
        "proposed_by": change.proposed_by,
        "proposed_at": change.proposed_at.isoformat(),
    }
