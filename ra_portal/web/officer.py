"""Pages for officers: the queue, the review, the decision."""

from urllib.parse import quote

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, Refusal
from ra_portal.application import ApplicationState
from ra_portal.identity import Identity
from ra_portal.services import PortalServices
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    registration = services.registration

    @blueprint.get("/officer/applications")
    def queue() -> Page:
        state, text = request.args.get("state", ""), request.args.get("q", "")
        states = (ApplicationState(state),) if state in set(ApplicationState) else ()
        found = registration.queue(
            person.signed_in(), states, text, request.args.get("page", 1, type=int)
        )
        return render_template("ra_portal/queue.html", queue=found, state=state, text=text)

    @blueprint.get("/officer/applications/<identifier>")
    def review(identifier: str) -> Page:
        return _review(services, person.signed_in(), identifier)

    @blueprint.get("/officer/applications/<identifier>/licence")
    def licence(identifier: str) -> Page:
        facts, content = registration.licence(person.signed_in(), identifier)
        response = make_response(content)
        response.content_type = facts.media_type
        name = quote(facts.file_name, safe="")
        response.headers["Content-Disposition"] = f"inline; filename*=UTF-8''{name}"  # RFC 6266
        # What an applicant uploaded must never act as a page of ours.
        response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @blueprint.post("/officer/applications/<identifier>/decision")
    def decide(identifier: str) -> Page:
        by = person.signed_in()
        decision, reasons = request.form.get("decision", ""), request.form.get("reasons", "")
        try:
            if decision == "register":
                registration.register(by, identifier)
                flash(gettext("Registered. Another officer must approve it now."), "good")
            elif decision == "approve":
                registration.approve(by, identifier)
                flash(gettext("Approved. The enterprise can make its legal-person card."), "good")
            elif decision == "return":
                registration.send_back(by, identifier, reasons)
                flash(gettext("Returned to the applicant."), "good")
            elif decision == "refuse":
                registration.refuse(by, identifier, reasons)
                flash(gettext("Refused."), "good")
            else:
                raise Malformed("decision.unknown", "choose one of the decisions")
        except Refusal as refusal:
            if refusal.status in (401, 404):
                raise
            return _review(services, by, identifier, refusal, reasons), refusal.status
        return redirect(url_for("portal.review", identifier=identifier))


def _review(
    services: PortalServices,
    by: Identity,
    identifier: str,
    refusal: Refusal | None = None,
    reasons: str = "",
) -> str:
    return render_template(
        "ra_portal/review.html",
        identity=by,
        review=services.registration.review(by, identifier),
        refusal=refusal,
        reasons=reasons,
    )
