"""What ends a card for good asks once more: a page between, with the card's number to be typed.

Freezing, which can be taken back, is offered there first. Nothing of it needs a script.
"""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Refusal, Unprocessable
from ra_portal.cards.card import Card
from ra_portal.fields import InvalidFields
from ra_portal.people.identity import Identity
from ra_portal.services import PortalServices
from ra_portal.web.card_api import loss_channel
from ra_portal.web.cards import card_page, endings
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]
_LOSS, _REPLACEMENT = "loss", "replacement"


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    cards = services.cards

    @blueprint.get("/cards/<number>/loss-report")
    def ask_report_loss(number: str) -> Page:
        by = person.signed_in()
        return _asked(services, by, cards.show(by, number), _LOSS)

    @blueprint.post("/cards/<number>/loss-report")
    def report_loss(number: str) -> Page:
        by = person.signed_in()
        try:
            _require_number(number)
            channel = loss_channel(by, cards.show(by, number))
            services.life.report_loss(by, number, channel)
        except Refusal as refusal:
            return _refused(services, by, number, _LOSS, refusal)
        told = gettext("The loss is recorded and timestamped; the card is revoked for good.")
        flash(told, "good")
        return redirect(url_for("portal.card", number=number))

    @blueprint.post("/cards/<number>/end-proposal")
    def propose_card_end(number: str) -> Page:
        by, form = person.signed_in(), request.form
        try:
            services.officer_changes.propose_card_end(
                by, number, form.get("reason", ""), form.get("why", "")
            )
        except InvalidFields as invalid:
            card = cards.show(by, number)
            return card_page(services, by, card, errors=invalid.errors), invalid.status
        except Refusal as refusal:
            return _refused(services, by, number, _LOSS, refusal)
        flash(gettext("Proposed. Another officer must confirm it."), "good")
        return redirect(url_for("portal.officer_changes"))

    @blueprint.get("/cards/<number>/replacement")
    def ask_replace_card(number: str) -> Page:
        by = person.signed_in()
        return _asked(services, by, cards.show(by, number), _REPLACEMENT)

    @blueprint.post("/cards/<number>/replacement")
    def replace_card(number: str) -> Page:
        by = person.signed_in()
        try:
            if cards.show(by, number).is_live:  # else nothing is revoked
                _require_number(number)
            following, code = cards.replace(by, number)
        except Refusal as refusal:
            return _refused(services, by, number, _REPLACEMENT, refusal)
        return card_page(services, by, following, code=code), 201


def _asked(
    services: PortalServices, by: Identity, card: Card, ending: str, refusal: Refusal | None = None
) -> str | Response:
    """The page between; the card's own, where it offers no such end."""
    may = endings(services, by, card)
    if not may["may_report_loss" if ending == _LOSS else "may_replace"]:
        return redirect(url_for("portal.card", number=card.number))
    return render_template(
        "ra_portal/card_ending.html",
        card=card,
        holder=services.directory.holder_name(card.number),
        ending=ending,
        refusal=refusal,
        **may,
    )


def _refused(
    services: PortalServices, by: Identity, number: str, ending: str, refusal: Refusal
) -> Page:
    """The question again, or the card, with the refusal."""
    if refusal.status in (401, 404, 503):
        raise refusal
    card = services.cards.show(by, number)
    if refusal.code != "card.confirmation":
        return card_page(services, by, card, refusal), refusal.status
    page = _asked(services, by, card, ending, refusal)
    return page if isinstance(page, Response) else (page, refusal.status)


def _require_number(number: str) -> None:
    """Raises Unprocessable `card.confirmation`."""
    if request.form.get("confirmation", "").strip().upper() != number.upper():
        raise Unprocessable("card.confirmation", "type the card's number to confirm")
