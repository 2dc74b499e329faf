"""The page of seals: an enterprise asks for them and ends them, an officer approves or refuses."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext, lazy_gettext
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, Refusal
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.services import PortalServices
from ra_portal.web.person import Person

STATES = {
    "requested": (lazy_gettext("Waiting for approval"), "warn"),
    "approved": (lazy_gettext("To be made"), "warn"),
    "active": (lazy_gettext("In use"), "good"),
    "refused": (lazy_gettext("Refused"), "bad"),
    "revoked": (lazy_gettext("Revoked"), "bad"),
}

Page = str | Response | tuple[str, int]


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    seals = services.seals

    def page(by: Identity, refusal: Refusal | None = None) -> str:
        found = seals.visible(by)
        return render_template(
            "ra_portal/seals.html",
            seals=found,
            names=seals.enterprise_names(found),
            owner=by.kind is HolderKind.LEGAL_PERSON,
            seal_states=STATES,
            refusal=refusal,
            name=request.form.get("name", "") if refusal else "",
        )

    @blueprint.get("/seals", endpoint="seals")
    def show() -> Page:
        return page(person.signed_in())

    @blueprint.post("/seals", endpoint="request_seal")
    def ask() -> Page:
        by = person.signed_in()
        by.require_legal_person()
        try:
            seals.request(by, request.form.get("name", ""))
        except Refusal as refusal:
            return page(by, refusal), refusal.status
        flash(gettext("The seal is asked for. An officer decides."), "good")
        return redirect(url_for("portal.seals"))

    @blueprint.post("/seals/<number>", endpoint="decide_seal")
    def decide(number: str) -> Page:
        by = person.signed_in()
        decision = request.form.get("decision", "")
        if decision == "approve":
            seals.approve(by, number)
            flash(gettext("Approved. The seal's key is in the authority's token."), "good")
        elif decision == "refuse":
            seals.refuse(by, number)
            flash(gettext("Refused."), "good")
        elif decision == "revoke":
            seals.revoke(by, number, request.form.get("reason", ""))
            flash(gettext("The seal is revoked."), "good")
        else:
            raise Malformed("decision.unknown", "choose one of the decisions")
        return redirect(url_for("portal.seals"))
