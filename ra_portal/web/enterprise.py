"""Pages for the legal-person card: operators, their rights, their cards."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Refusal
from ra_portal.fields import InvalidFields
from ra_portal.services import PortalServices
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    operators = services.operators

    def form(values: dict[str, str], rights: list[str], errors: dict[str, Refusal]) -> str:
        return render_template(
            "ra_portal/operator_form.html",
            values=values,
            chosen=rights,
            errors=errors,
            rights=services.catalogue.rights,
        )

    @blueprint.get("/enterprise")
    def enterprise() -> Page:
        view = operators.home(person.signed_in())
        return render_template("ra_portal/enterprise.html", view=view, catalogue=services.catalogue)

    @blueprint.route("/enterprise/operators/new", methods=["GET", "POST"])
    def new_operator() -> Page:
        by = person.signed_in()
        by.require_legal_person()
        if request.method == "GET":
            return form({}, [], {})
        values, rights = request.form.to_dict(), request.form.getlist("rights")
        try:
            added = operators.add(by, values, rights)
        except InvalidFields as invalid:
            return form(values, rights, invalid.errors), 422
        except Refusal as refusal:
            return form(values, rights, {"": refusal}), refusal.status
        card = added.view.card
        assert card is not None
        page = render_template(
            "ra_portal/card.html",
            card=card,
            holder=added.view.operator.name,
            activation_code=added.activation_code,
            may_offer=True,
            may_revoke=False,
            back=url_for("portal.operator", identifier=added.view.operator.id),
        )
        return page, 201

    @blueprint.get("/enterprise/operators/<identifier>")
    def operator(identifier: str) -> Page:
        view = operators.show(person.signed_in(), identifier)
        return render_template("ra_portal/operator.html", view=view, catalogue=services.catalogue)

    @blueprint.post("/enterprise/operators/<identifier>/rights")
    def operator_rights(identifier: str) -> Page:
        operators.set_rights(person.signed_in(), identifier, request.form.getlist("rights"))
        flash(gettext("The rights are changed, from this moment."), "good")
        return redirect(url_for("portal.operator", identifier=identifier))

    @blueprint.post("/enterprise/operators/<identifier>/activation-code")
    def operator_code(identifier: str) -> Page:
        by = person.signed_in()
        card, code = operators.new_activation_code(by, identifier)
        return render_template(
            "ra_portal/card.html",
            card=card,
            holder=operators.show(by, identifier).operator.name,
            activation_code=code,
            may_offer=True,
            may_revoke=False,
            back=url_for("portal.operator", identifier=identifier),
        )
