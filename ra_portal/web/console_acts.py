"""Acts at the console without an officer's card: what the audit sees, and acknowledges."""

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from werkzeug.wrappers import Response

from ra_portal.console.act_rows import ActRecord
from ra_portal.services import PortalServices
from ra_portal.web.json_bodies import Answer, Route, read_body, read_texts
from ra_portal.web.person import Person

Page = str | Response

WHY = {
    "no-officer": lazy_gettext("No officer who may do it had a card"),
    "no-records": lazy_gettext("There were no records to ask"),
    "emergency": lazy_gettext("Emergency"),
}


def add_pages(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    acts = services.console_acts

    @blueprint.get("/admin/console-acts")
    def console_acts() -> Page:
        by = person.signed_in()
        return render_template(
            "ra_portal/console_acts.html",
            acts=acts.exceptions(by),
            why=WHY,
            may_acknowledge=by.may("journal.acknowledge"),
        )

    @blueprint.post("/admin/console-acts")
    def acknowledge_console_act() -> Page:
        acts.acknowledge(person.signed_in(), [request.form.get("act", "")])
        flash(gettext("Acknowledged. The journal tells it."), "good")
        return redirect(url_for("portal.console_acts"))


def add_api(route: Route, services: PortalServices, person: Person) -> None:
    acts = services.console_acts

    @route("GET", "/console-acts")
    def all_console_acts() -> Answer:
        found = acts.exceptions(person.required())
        return jsonify(items=[_shown(each) for each in found])

    @route("POST", "/console-acts/acknowledgements")
    def acknowledge_console_acts() -> Answer:
        by, named = person.required(), read_texts(read_body(), "acts")
        return jsonify(acknowledged=acts.acknowledge(by, named))


def _shown(record: ActRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "what": record.what,
        "on": record.subject,
        "account": record.account,
        "exception": record.exception,
        "reason": record.reason,
        "done_at": None if record.done_at is None else record.done_at.isoformat(),
        "statement": record.statement,
        "acknowledged": record.acknowledged_at is not None,
    }
