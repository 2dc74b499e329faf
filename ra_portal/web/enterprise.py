"""Pages for the legal-person card: operators, their rights, their cards."""

from datetime import date, timedelta

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Refusal
from ra_portal.cards.card_batches import CardToMake, Slip
from ra_portal.days import begins
from ra_portal.fields import InvalidFields
from ra_portal.people.operators import AddedOperator, OperatorView
from ra_portal.services import PortalServices
from ra_portal.web.days import read_day
from ra_portal.web.fresh_card import fresh_certificate
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
        text, after = request.args.get("q", "").strip(), request.args.get("after", "")
        view = operators.page(person.signed_in(), text, after)
        return render_template(
            "ra_portal/enterprise.html",
            view=view,
            catalogue=services.catalogue,
            text=text,
            first=url_for("portal.enterprise", q=text or None) if after else "",
            following=url_for("portal.enterprise", q=text or None, after=view.more_after)
            if view.more_after
            else "",
        )

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
        return _operator(services, view)

    @blueprint.post("/enterprise/operators/<identifier>/rights")
    def operator_rights(identifier: str) -> Page:
        operators.set_rights(person.signed_in(), identifier, request.form.getlist("rights"))
        flash(gettext("The rights are changed, from this moment."), "good")
        return redirect(url_for("portal.operator", identifier=identifier))

    _add_grant_routes(blueprint, services, person)

    @blueprint.post("/enterprise/activation-codes")
    def many_codes() -> Page:
        """Slips for the operators that were ticked, to be printed and cut."""
        offered = operators.offer_codes(person.signed_in(), request.form.getlist("operator"))
        if not offered:
            flash(gettext("Choose operators whose cards are still to be made."), "warn")
            return redirect(url_for("portal.enterprise"))
        return render_template(
            "ra_portal/codes.html",
            slips=[_slip(each) for each in offered],
            back=url_for("portal.enterprise"),
            back_label=gettext("Operators and cards"),
        )

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


def _slip(added: AddedOperator) -> Slip:
    operator, card = added.view.operator, added.view.card
    assert card is not None
    return Slip(CardToMake(card, operator.name, operator.employee_number), added.activation_code)


def _add_grant_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    operators = services.operators

    @blueprint.post("/enterprise/operators/<identifier>/grants")
    def grant(identifier: str) -> Page:
        by, form = person.signed_in(), request.form
        try:
            first = read_day(form.get("first", "")) or date(2000, 1, 1)  # from now on
            last = read_day(form.get("last", ""))
            until = None if last is None else begins(last + timedelta(days=1))
            operators.grant(by, identifier, form.get("right", ""), begins(first), until)
        except Refusal as refusal:
            if refusal.status in (401, 403, 404):
                raise
            return _operator(services, operators.show(by, identifier), refusal), refusal.status
        flash(gettext("The right is granted for this period."), "good")
        return redirect(url_for("portal.operator", identifier=identifier))

    @blueprint.post("/enterprise/operators/<identifier>/grants/<grant_id>/withdrawal")
    def withdraw_grant(identifier: str, grant_id: str) -> Page:
        operators.withdraw(person.signed_in(), identifier, grant_id)
        flash(gettext("The grant is withdrawn, from this moment."), "good")
        return redirect(url_for("portal.operator", identifier=identifier))


def _operator(services: PortalServices, view: OperatorView, refusal: Refusal | None = None) -> str:
    return render_template(
        "ra_portal/operator.html",
        view=view,
        catalogue=services.catalogue,
        identity_number=services.operators.masked_identity(view.operator),
        refusal=refusal,
        values=request.form,
        now=services.clock.now(),
        certificate=fresh_certificate(view.card, services.clock.now()),
    )
