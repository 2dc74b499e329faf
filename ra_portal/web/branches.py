"""The page of branches."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Refusal
from ra_portal.fields import InvalidFields
from ra_portal.services import PortalServices
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    @blueprint.route("/admin/branches", methods=["GET", "POST"])
    def branches() -> Page:
        by = person.signed_in()
        by.require("branch.manage")
        values = request.form.to_dict()
        errors: dict[str, Refusal] = {}
        if request.method == "POST":
            typed = (values.get(name, "") for name in ("branch", "name", "region"))
            try:
                services.branches.add(by, *typed)
            except InvalidFields as invalid:
                errors = invalid.errors
            except Refusal as refusal:
                errors = {"": refusal}
            else:
                flash(gettext("The branch is there. Appoint its officers now."), "good")
                return redirect(url_for("portal.branches"))
        page = render_template(
            "ra_portal/branches.html",
            branches=services.branches.all(),
            values=values,
            errors=errors,
        )
        return page, 422 if errors else 200
