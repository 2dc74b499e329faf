"""Pages for everybody: home, and the way back to an application."""

from collections.abc import Callable

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from kernel.refusals import Unauthenticated
from ra_portal.people.identity import HolderKind
from ra_portal.services import PortalServices
from ra_portal.web.person import Person, remember_application

Page = str | Response | tuple[str, int]


def add_routes(
    blueprint: Blueprint, services: PortalServices, person: Person, limit: Callable[[], None]
) -> None:
    """`limit` raises TooMany when an address tries access codes too often."""

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

    @blueprint.route("/status", methods=["GET", "POST"])
    def status() -> Page:
        if request.method == "GET":
            return render_template("ra_portal/status.html", refusal=None, reference="")
        limit()
        reference = request.form.get("reference", "")[:40]
        try:
            found = services.registration.open(reference, request.form.get("access_code", ""))
        except Unauthenticated as refusal:
            page = render_template("ra_portal/status.html", refusal=refusal, reference=reference)
            return page, refusal.status
        remember_application(found.id)
        return redirect(url_for("portal.application"))
