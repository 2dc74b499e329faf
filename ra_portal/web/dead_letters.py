"""The page of messages that another system refused, for administrators."""

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from ra_portal.services import PortalServices
from ra_portal.web.person import Person

Page = str | Response


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    letters = services.dead_letters

    @blueprint.get("/admin/dead-letters")
    def dead_letters() -> Page:
        return render_template(
            "ra_portal/dead_letters.html", letters=letters.all(person.signed_in())
        )

    @blueprint.post("/admin/dead-letters/<int:identifier>/retry")
    def retry_letter(identifier: int) -> Page:
        letters.try_again(person.signed_in(), identifier)
        flash(gettext("The message is tried again."), "good")
        return redirect(url_for("portal.dead_letters"))

    @blueprint.post("/admin/dead-letters/<int:identifier>/discard")
    def discard_letter(identifier: int) -> Page:
        letters.discard(person.signed_in(), identifier)
        flash(gettext("The message is deleted."), "good")
        return redirect(url_for("portal.dead_letters"))
