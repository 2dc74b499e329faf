"""Recovery of legal-person cards: asked for by anybody, decided by several officers."""

from collections.abc import Callable

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, Refusal
from ra_portal import fields
from ra_portal.cards.card_moves import LONGEST_REASON
from ra_portal.cards.recovery_rows import RecoveryCase
from ra_portal.services import PortalServices
from ra_portal.web.json_bodies import Answer, Route, read_body, read_text
from ra_portal.web.person import Person
from ra_portal.web.turning import asked_place, following, neighbours

Page = str | Response | tuple[str, int]


def add_pages(
    blueprint: Blueprint, services: PortalServices, person: Person, limit: Callable[[], None]
) -> None:
    """`limit` raises TooMany when an address asks too often: each asking waits for officers."""
    recovery = services.recovery

    @blueprint.route("/recover", methods=["GET", "POST"])
    def recover() -> Page:
        values, errors = request.form.to_dict(), dict[str, Refusal]()
        if request.method == "POST":
            limit()
            if not values.get("uscc", "").strip():
                errors["uscc"] = Malformed("field.missing", "this field must be filled in")
            try:
                fields.paragraph(values.get("why", ""), LONGEST_REASON)
                if not errors:
                    services.recoveries_asked.ask(values["uscc"], values["why"])
                    return redirect(url_for("portal.recovery_asked"))
            except Refusal as refused:
                errors["why"] = refused
        page = render_template("ra_portal/recover.html", asked=False, values=values, errors=errors)
        return page, 422 if errors else 200

    @blueprint.get("/recover/asked")
    def recovery_asked() -> Page:
        """What comes next; it says nothing of any enterprise, so anybody may read it."""
        return render_template("ra_portal/recover.html", asked=True, values={}, errors={})

    @blueprint.get("/officer/recoveries")
    def recoveries() -> Page:
        by = person.signed_in()
        page = recovery.waiting(by, *asked_place())
        return render_template(
            "ra_portal/recoveries.html",
            cases=page.shown,
            me=by,
            **neighbours("portal.recoveries", page),
        )

    @blueprint.post("/officer/recoveries/<identifier>")
    def decide_recovery(identifier: str) -> Page:
        by, note = person.signed_in(), request.form.get("note", "")
        decision = request.form.get("decision", "")
        if decision == "approve":
            case = recovery.approve(by, identifier, note)
            if case.state == "granted":
                told = gettext("Granted. The two halves of the secret are on their way.")
            else:
                told = gettext("Recorded. Another officer must agree as well.")
            flash(told, "good")
        elif decision == "refuse":
            recovery.refuse(by, identifier, note)
            flash(gettext("Refused."), "good")
        else:
            raise Malformed("decision.unknown", "choose one of the decisions")
        return redirect(url_for("portal.recoveries"))


def add_api(
    route: Route, services: PortalServices, person: Person, limit: Callable[[], None]
) -> None:
    recovery = services.recovery

    @route("POST", "/recoveries")
    def ask_recovery() -> Answer:
        limit()
        body = read_body()
        services.recoveries_asked.ask(read_text(body, "uscc"), read_text(body, "reason"))
        return jsonify({}), 202

    @route("GET", "/recoveries")
    def waiting_recoveries() -> Answer:
        page = recovery.waiting(person.required(), *asked_place())
        return jsonify(recoveries=[_shown(each) for each in page.shown], later=following(page))

    @route("POST", "/recoveries/<identifier>/approval")
    def approve_recovery(identifier: str) -> Answer:
        by = person.required()
        return jsonify(_shown(recovery.approve(by, identifier, read_text(read_body(), "reason"))))

    @route("POST", "/recoveries/<identifier>/refusal")
    def refuse_recovery(identifier: str) -> Answer:
        by = person.required()
        return jsonify(_shown(recovery.refuse(by, identifier, read_text(read_body(), "reason"))))


def _shown(case: RecoveryCase) -> dict[str, object]:
    return {
        "id": case.id,
        "card": case.card,
        "enterprise": case.enterprise_id,
        "state": case.state,
        "reason": case.why,
        "asked_at": case.asked_at.isoformat(),
        "approvals": len(case.approvals),
        "needed": case.needed,
    }
