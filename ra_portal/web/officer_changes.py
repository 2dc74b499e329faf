"""Changes of officers: one administrator proposes on the officer's page, another confirms."""

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, Refusal
from ra_portal.fields import InvalidFields
from ra_portal.people.identity import Identity
from ra_portal.people.officer_change import OfficerChange
from ra_portal.services import PortalServices
from ra_portal.web.json_bodies import Answer, Route, read_body, read_text, read_texts
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]


def add_pages(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    changes = services.officer_changes

    @blueprint.route("/admin/officers/<identifier>", methods=["GET", "POST"])
    def one_officer(identifier: str) -> Page:
        by = person.signed_in()
        errors: dict[str, Refusal] = {}
        if request.method == "POST":
            try:
                _propose(services, by, identifier)
            except InvalidFields as invalid:
                errors = invalid.errors
            except Refusal as refusal:
                if refusal.status not in (409, 422):
                    raise
                errors = {"": refusal}
            else:
                flash(gettext("Proposed. Another officer must confirm it."), "good")
                return redirect(url_for("portal.officer_changes"))
        return _officer(services, by, identifier, errors), 422 if errors else 200

    @blueprint.get("/admin/officer-changes")
    def officer_changes() -> Page:
        by = person.signed_in()
        return render_template(
            "ra_portal/officer_changes.html",
            changes=changes.waiting(by),
            may_see_cards=by.may("officer.read"),
            branch_names={each.id: each.name for each in services.branches.all()},
        )

    @blueprint.post("/admin/officer-changes/<identifier>")
    def decide_officer_change(identifier: str) -> Page:
        by, decision = person.signed_in(), request.form.get("decision", "")
        if decision == "confirm":
            changes.confirm(by, identifier)
            flash(gettext("Done. It counts from the officer's next sign-in."), "good")
        elif decision == "refuse":
            changes.refuse(by, identifier)
            flash(gettext("Refused."), "good")
        else:
            raise Malformed("decision.unknown", "choose one of the decisions")
        return redirect(url_for("portal.officer_changes"))


def add_api(route: Route, services: PortalServices, person: Person) -> None:
    changes = services.officer_changes

    @route("GET", "/officer-changes")
    def waiting_officer_changes() -> Answer:
        return jsonify(
            changes=[shown_change(each.change) for each in changes.waiting(person.required())]
        )

    @route("POST", "/officers/<identifier>/changes")
    def propose_officer_change(identifier: str) -> Answer:
        by, body = person.required(), read_body()
        roles, why = read_texts(body, "roles"), read_text(body, "reason")
        branch = read_text(body, "branch") if "branch" in body else ""
        return jsonify(shown_change(changes.propose(by, identifier, roles, branch, why))), 201

    @route("POST", "/officers/<identifier>/retirement")
    def propose_officer_leaving(identifier: str) -> Answer:
        by, why = person.required(), read_text(read_body(), "reason")
        return jsonify(shown_change(changes.propose_leaving(by, identifier, why))), 201

    @route("POST", "/officer-changes/<identifier>/confirmation")
    def confirm_officer_change(identifier: str) -> Answer:
        by = person.required()
        read_body()
        return jsonify(shown_change(changes.confirm(by, identifier)))

    @route("POST", "/officer-changes/<identifier>/refusal")
    def refuse_officer_change(identifier: str) -> Answer:
        by = person.required()
        read_body()
        return jsonify(shown_change(changes.refuse(by, identifier)))


def _propose(services: PortalServices, by: Identity, identifier: str) -> None:
    form, changes = request.form, services.officer_changes
    why = form.get("why", "")
    if form.get("act") == "leave":
        changes.propose_leaving(by, identifier, why)
    else:
        changes.propose(by, identifier, form.getlist("roles"), form.get("branch", ""), why)


def _officer(
    services: PortalServices, by: Identity, identifier: str, errors: dict[str, Refusal]
) -> str:
    officer = services.officer_changes.show(by, identifier)
    known, form = services.branches.all(), request.form
    here = next((each.code for each in known if each.id == officer.branch_id), "")
    typed = bool(form)
    may = by.may(f"officer.{officer.family}.manage") and officer.id != by.subject
    return render_template(
        "ra_portal/officer.html",
        officer=officer,
        family=services.officer_changes.roles_like(officer),
        chosen=form.getlist("roles") if typed else officer.roles,
        values=form if typed else {"branch": here},
        leaving=form.get("act") == "leave",
        branches=known,
        branch_names={each.id: each.name for each in known},
        may_change=may and officer.retired_at is None,
        own=officer.id == by.subject,
        errors=errors,
    )


def shown_change(change: OfficerChange) -> dict[str, object]:
    return {
        "id": change.id,
        "officer": change.officer_id,
        "state": change.state,
        "retires": change.retires,
        "roles": sorted(change.roles),
        "branch": change.branch_id,
        "roles_before": sorted(change.roles_before),
        "branch_before": change.branch_before,
        "reason": change.why,
        "ends_card": change.ends_card,
        "end_reason": change.end_reason,
        "proposed_by": change.proposed_by,
        "proposed_at": change.proposed_at.isoformat(),
    }
