"""Pages for everybody: home, and the way back to an application."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Refusal, Unauthenticated
from ra_portal.people.identity import HolderKind
from ra_portal.services import PortalServices
from ra_portal.web.limits import AddressLimits
from ra_portal.web.person import Person, remember_application

Page = str | Response | tuple[str, int]


def add_routes(
    blueprint: Blueprint, services: PortalServices, person: Person, limits: AddressLimits
) -> None:
    """`limits` raise TooMany when an address tries access codes, or asks for references, too
    often."""

    @blueprint.get("/")
    def home() -> Page:
        by = person.identify()
        standing = services.queue.standing(by) if by and by.may("application.read") else None
        holds = by is not None and by.kind in (HolderKind.LEGAL_PERSON, HolderKind.OPERATOR)
        return render_template(
            "ra_portal/home.html",
            identity=by,
            standing=standing,
            home=services.homes.of(by) if by and holds else None,
            catalogue=services.catalogue,
            now=services.clock.now(),
        )

    @blueprint.get("/make-card")
    def make_card() -> Page:
        """For whoever was handed an activation code."""
        return render_template("ra_portal/make_card.html")

    @blueprint.get("/recover/finish")
    def finish_recovery() -> Page:
        """For whoever has both halves of a recovery's secret: they leave the page in the body of
        an enrolment alone."""
        return render_template("ra_portal/recover_finish.html")

    @blueprint.route("/status", methods=["GET", "POST"])
    def status() -> Page:
        if request.method == "GET":
            return render_template("ra_portal/status.html", refusal=None, reference="")
        limits.saving()
        reference = request.form.get("reference", "")[:40]
        try:
            found = services.registration.open(reference, request.form.get("access_code", ""))
        except Unauthenticated as refusal:
            page = render_template("ra_portal/status.html", refusal=refusal, reference=reference)
            return page, refusal.status
        remember_application(found)
        return redirect(url_for("portal.application"))

    @blueprint.route("/status/reference", methods=["GET", "POST"])
    def reference_again() -> Page:
        """For whoever has lost it: it goes to the address that was left with the application."""
        values, errors = request.form.to_dict(), dict[str, Refusal]()
        if request.method == "POST":
            limits.asking()
            try:
                services.reference_again.ask(values.get("uscc", ""))
            except Refusal as refusal:
                errors["uscc"] = refusal
            else:
                flash(
                    gettext(
                        "If an application of this enterprise is on its way, its reference goes "
                        "to the mail address or telephone that was left with it."
                    ),
                    "good",
                )
                return redirect(url_for("portal.status"))
        page = render_template("ra_portal/reference_again.html", values=values, errors=errors)
        return page, 422 if errors else 200
