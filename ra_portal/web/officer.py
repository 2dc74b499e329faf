"""Pages for officers: the queue, the review, the decision, and on to the next one."""

from collections.abc import Mapping

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import format_timedelta, gettext
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, Refusal
from ra_portal.applications.application import OPEN, ApplicationState
from ra_portal.applications.queue import Asked, place_of
from ra_portal.exports import MOST_EXPORTED
from ra_portal.keyset import Place, read_place, write_place
from ra_portal.people.identity import Identity
from ra_portal.services import PortalServices
from ra_portal.web.applying import picture, read_kind
from ra_portal.web.decisions import given_reasons, given_remarks
from ra_portal.web.exports import queue_file
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    _add_queue_routes(blueprint, services, person)
    _add_decision_routes(blueprint, services, person)


def _add_queue_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    @blueprint.get("/officer/applications")
    def queue() -> Page:
        by, known = person.signed_in(), services.branches.all()
        return _queue(services, by, _asked({each.code: each.id for each in known}, request.args))

    @blueprint.post("/officer/applications/export")
    def export_queue() -> Page:
        by, known = person.signed_in(), services.branches.all()
        asked = _asked({each.code: each.id for each in known}, request.form)
        names = {each.id: each.name for each in known}
        return queue_file(services.exports, by, asked, names)

    @blueprint.post("/officer/applications/by-identity")
    def queue_by_identity() -> Page:
        """Sent in a form's body: an identity number stands in no address and in no log."""
        by, number = person.signed_in(), request.form.get("identity_number", "")
        try:
            return _queue(services, by, Asked(tuple(ApplicationState), identity=number))
        except Refusal as refusal:
            if refusal.status != 422:
                raise
            return _queue(services, by, _asked({}, request.args), refusal), refusal.status


def _add_decision_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    applications = services.queue

    @blueprint.post("/officer/applications/next")
    def take_next() -> Page:
        """The longest waiting one that this officer can move on, taken."""
        skipped = request.form.get("skipped", "")
        return _next(services, person.signed_in(), read_place(skipped) if skipped else None)

    @blueprint.get("/officer/applications/<identifier>")
    def review(identifier: str) -> Page:
        return _review(services, person.signed_in(), identifier)

    @blueprint.get("/officer/applications/<identifier>/papers/<kind>/<int:page>")
    def paper(identifier: str, kind: str, page: int) -> Page:
        return picture(applications.paper(person.signed_in(), identifier, read_kind(kind), page))

    @blueprint.post("/officer/applications/<identifier>/assignment")
    def assign(identifier: str) -> Page:
        by = person.signed_in()
        to = request.form.get("officer", "")
        services.assignments.assign(by, identifier, to or None)
        flash(gettext("Assigned.") if to else gettext("Laid back into the queue."), "good")
        return redirect(url_for("portal.review", identifier=identifier))

    @blueprint.post("/officer/applications/<identifier>/notes")
    def note(identifier: str) -> Page:
        by = person.signed_in()
        try:
            services.notes.add(by, identifier, request.form.get("note", ""))
        except Refusal as refusal:
            if refusal.status not in (400, 409):
                raise
            return _review(services, by, identifier, refusal), refusal.status
        flash(gettext("Noted."), "good")
        return redirect(url_for("portal.review", identifier=identifier))

    @blueprint.post("/officer/applications/<identifier>/decision")
    def decide(identifier: str) -> Page:
        by = person.signed_in()
        try:
            flash(_decide(services, by, identifier), "good")
        except Refusal as refusal:
            if refusal.status in (401, 404):
                raise
            return _review(services, by, identifier, refusal), refusal.status
        if request.form.get("then") == "next":
            return _next(services, by)
        return redirect(url_for("portal.review", identifier=identifier))


def _decide(services: PortalServices, by: Identity, identifier: str) -> str:
    """What was done, in words. Raises as the use case; Malformed `decision.unknown`."""
    registration = services.registration
    decision, reasons = request.form.get("decision", ""), request.form.get("reasons", "")
    if decision == "register":
        registration.register(by, identifier)
        return str(gettext("Registered. Another officer must approve it now."))
    if decision == "approve":
        registration.approve(by, identifier)
        return str(gettext("Approved. The enterprise can make its legal-person card."))
    if decision == "return":
        registration.send_back(by, identifier, reasons, given_remarks())
        return str(gettext("Returned to the applicant."))
    if decision == "refuse":
        registration.refuse(by, identifier, given_reasons(services.policy))
        return str(gettext("Refused."))
    raise Malformed("decision.unknown", "choose one of the decisions")


def _next(services: PortalServices, by: Identity, after: Place | None = None) -> Response:
    found = services.assignments.take_next(by, after)
    if found is None:
        flash(gettext("Nothing more waits for you."), "good")
        return redirect(url_for("portal.queue"))
    return redirect(url_for("portal.review", identifier=found.id, then="next"))


def _queue(
    services: PortalServices, by: Identity, asked: Asked, refusal: Refusal | None = None
) -> str:
    page, known = services.queue.page(by, asked), services.branches.all()
    kept = {name: request.args[name] for name in _KEPT if request.args.get(name)}

    def turn(name: str, place: Place | None) -> str:
        if place is None or asked.identity:
            return ""
        return url_for("portal.queue", **{**kept, name: write_place(place)})  # type: ignore[arg-type]

    return render_template(
        "ra_portal/queue.html",
        page=page,
        standing=services.queue.standing(by),
        asked=asked,
        state=request.args.get("state", "" if asked.identity else "open"),
        earlier=turn("before", page.earlier),
        later=turn("after", page.later),
        is_overdue=services.queue.is_overdue,
        waited=lambda since: format_timedelta(since - services.clock.now(), add_direction=False),
        branches=[] if by.branch else known,
        branch=request.args.get("branch", ""),
        branch_names={each.id: each.name for each in known},
        may_take=by.may("application.register") or by.may("application.approve"),
        refusal=refusal,
        kept={**kept, "state": request.args.get("state", "open")},
        most_exported=MOST_EXPORTED,
    )


_KEPT = ("state", "q", "mine", "unassigned", "overdue", "branch")


def _asked(branches: Mapping[str, str], values: Mapping[str, str]) -> Asked:
    state = values.get("state", "open")
    states: tuple[ApplicationState, ...] = OPEN
    if state in set(ApplicationState):
        states = (ApplicationState(state),)
    elif state == "":
        states = tuple(ApplicationState)
    after, before = values.get("after", ""), values.get("before", "")
    return Asked(
        states,
        values.get("q", "")[:80],
        mine=bool(values.get("mine")),
        unassigned=bool(values.get("unassigned")),
        overdue=bool(values.get("overdue")),
        branch=branches.get(values.get("branch", "")),
        after=read_place(after or before) if after or before else None,
        backwards=bool(before),
    )


def _review(
    services: PortalServices, by: Identity, identifier: str, refusal: Refusal | None = None
) -> str:
    found = services.queue.review(by, identifier)
    return render_template(
        "ra_portal/review.html",
        identity=by,
        review=found,
        then=request.values.get("then", ""),
        place=write_place(place_of(found.application)),
        known_branches={each.id: each.name for each in services.branches.all()},
        colleagues=services.assignments.colleagues(by) if by.may("application.assign") else [],
        overdue=services.queue.is_overdue,
        policy=services.policy,
        refusal=refusal,
        form=request.form,
    )
