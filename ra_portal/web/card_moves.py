"""The buttons of a card's page that can be taken back: freeze, unfreeze, another contact."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Refusal
from ra_portal.people.identity import Identity
from ra_portal.services import PortalServices
from ra_portal.web.cards import card_page
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    cards = services.cards

    def moved(number: str, move: Callable[[Identity], object], told: str) -> Page:
        """Make a move and show the card again, with the refusal where there is one."""
        by = person.signed_in()
        try:
            move(by)
        except Refusal as refusal:
            if refusal.status in (401, 404, 503):
                raise
            return card_page(services, by, cards.show(by, number), refusal), refusal.status
        flash(told, "good")
        return redirect(url_for("portal.card", number=number))

    @blueprint.post("/cards/<number>/freeze")
    def freeze_card(number: str) -> Page:
        why = request.form.get("reason", "")
        told = gettext("The card is frozen. It can neither sign nor sign in.")
        return moved(number, lambda by: services.life.freeze(by, number, why), told)

    @blueprint.post("/cards/<number>/unfreeze")
    def unfreeze_card(number: str) -> Page:
        why = request.form.get("reason", "")
        told = gettext("The card is in use again.")
        return moved(number, lambda by: services.life.unfreeze(by, number, why), told)

    @blueprint.post("/cards/<number>/contact")
    def change_contact(number: str) -> Page:
        values = request.form.to_dict()
        told = gettext("Notices and one-time codes go there from now on.")
        return moved(number, lambda by: services.contacts.change(by, number, values), told)
