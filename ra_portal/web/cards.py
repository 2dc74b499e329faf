"""Pages of cards: the list for officers; one card for its holder and who has charge of it."""

import base64
from collections.abc import Mapping
from types import MappingProxyType

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal, Unprocessable
from ra_portal.cards.card import Card, CardState
from ra_portal.cards.card_certificates import Use
from ra_portal.cards.cards import Cards
from ra_portal.cards.charge import is_own
from ra_portal.exports import MOST_EXPORTED
from ra_portal.keyset import Place, read_place, write_place
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.services import PortalServices
from ra_portal.web.exports import cards_file
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]


_BACK: dict[HolderKind | None, str] = {
    HolderKind.OFFICER: "portal.all_cards",
    HolderKind.LEGAL_PERSON: "portal.enterprise",
}


def card_page(
    services: PortalServices,
    by: Identity,
    card: Card,
    refusal: Refusal | None = None,
    code: str | None = None,
    errors: Mapping[str, Refusal] = MappingProxyType({}),
) -> str:
    manages, confirms = (services.cards.may(by, card, act) for act in ("manage", "confirm"))
    in_charge = _in_charge(by, card)
    proposed = card.state is CardState.REQUESTED and card.code_proposed_by is not None
    owns = is_own(by, card)
    certificates = services.cards.certificates(by, card.number)
    signing = [each.fingerprint for each in certificates if each.use is Use.SIGNING]
    unseen = card.state is CardState.ACTIVE and card.witnessed_at is None
    return render_template(
        "ra_portal/card.html",
        card=card,
        holder=services.directory.holder_name(card.number),
        refusal=refusal,
        errors=errors,
        values=request.form if errors else {},
        activation_code=code,
        officer=by.kind is HolderKind.OFFICER,
        proposed=proposed,
        may_confirm=proposed
        and confirms
        and by.subject not in (card.code_proposed_by, card.holder.id),
        may_offer=manages and card.state is CardState.REQUESTED,
        **_ended_by(services, card, manages or in_charge, owns),
        may_witness=by.may("card.witness") and unseen and card.holder.id != by.subject,
        may_renew=owns and card.state is CardState.ACTIVE and code is None,
        may_change_pin=owns and card.state is CardState.ACTIVE and code is None,
        renewal_due=services.renewal.is_due(card),
        **endings(services, by, card),
        may_unfreeze=card.state is CardState.FROZEN and (manages or in_charge),
        contact=services.contacts.show(by, card.number) if manages or in_charge or owns else None,
        moves=services.life.history(by, card.number),
        certificates=certificates,
        signing=" ".join(signing),
        may_fetch=owns and card.state is CardState.ACTIVE and by.kind is not HolderKind.OFFICER,
        newest=_newest(services, card) if owns and len(signing) > 1 else "",
        back=url_for(_BACK.get(by.kind, "portal.home")),
    )


def _ended_by(services: PortalServices, card: Card, manages: bool, owns: bool) -> dict[str, bool]:
    """Whether the page offers to revoke the card, or to propose its end to a second officer."""
    two = services.cards.takes_two(card)
    return {
        "takes_two": two,
        "may_revoke": card.is_live and manages and not two,
        "may_propose_end": two and manages and not owns,
    }


def endings(services: PortalServices, by: Identity, card: Card) -> dict[str, bool]:
    """What somebody who sees the card is offered to end it with, or to hold it: `may_freeze`,
    `may_report_loss`, `may_replace`."""
    manages, reports = (services.cards.may(by, card, act) for act in ("manage", "report"))
    in_charge, owns = _in_charge(by, card), is_own(by, card)
    two = services.cards.takes_two(card)
    holds = manages or in_charge or owns or (two and reports)
    loses = in_charge or (owns if two else reports and not owns)
    return {
        "may_freeze": card.state is CardState.ACTIVE and holds,
        "may_report_loss": card.is_made and loses,
        "may_replace": card.state is not CardState.REQUESTED and not two and (manages or in_charge),
    }


def _in_charge(by: Identity, card: Card) -> bool:
    """Whoever sees an operator's card as a legal person has charge of it (`Cards.show`)."""
    return by.kind is HolderKind.LEGAL_PERSON and card.holder.kind is HolderKind.OPERATOR


def _newest(services: PortalServices, card: Card) -> str:
    """What the card's certificate was re-issued as, base64."""
    newest = services.directory.newest_of(Certificate.parse(card.certificate or b""))
    return base64.b64encode(newest.der).decode("ascii")


def _list(cards: Cards, by: Identity) -> str:
    state, text = request.args.get("state", ""), request.args.get("q", "")
    after, before = request.args.get("after", ""), request.args.get("before", "")
    wanted = CardState(state) if state in set(CardState) else None
    place = read_place(after or before) if after or before else None
    found = cards.search(by, wanted, text, place, bool(before))
    kept = {name: value for name, value in (("state", state), ("q", text)) if value}

    def turn(name: str, to: Place | None) -> str:
        if to is None:
            return ""
        return url_for("portal.all_cards", **{**kept, name: write_place(to)})  # type: ignore[arg-type]

    return render_template(
        "ra_portal/cards.html",
        found=found,
        state=state,
        text=text,
        choices=list(CardState),
        earlier=turn("before", found.earlier),
        later=turn("after", found.later),
        kept=kept,
        most_exported=MOST_EXPORTED,
    )


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    _add_list_routes(blueprint, services, person)
    _add_card_routes(blueprint, services, person)


def _add_list_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    @blueprint.get("/admin/cards")
    def all_cards() -> Page:
        return _list(services.cards, person.signed_in())

    @blueprint.post("/admin/cards/export")
    def export_cards() -> Page:
        state, text = request.form.get("state", ""), request.form.get("q", "")
        wanted = CardState(state) if state in set(CardState) else None
        return cards_file(services.exports, person.signed_in(), wanted, text)


def _add_card_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    cards = services.cards

    @blueprint.get("/cards/<number>")
    def card(number: str) -> Page:
        by = person.signed_in()
        return card_page(services, by, cards.show(by, number))

    @blueprint.post("/cards/<number>/activation-code")
    def card_code(number: str) -> Page:
        by = person.signed_in()
        offered, code = cards.new_activation_code(by, number)
        return card_page(services, by, offered, code=code)

    @blueprint.post("/cards/<number>/activation-code/confirmation")
    def confirm_card_code(number: str) -> Page:
        by = person.signed_in()
        offered, code = cards.confirm_code(by, number)
        return card_page(services, by, offered, code=code)

    @blueprint.post("/cards/<number>/witness")
    def witness_card(number: str) -> Page:
        by = person.signed_in()
        model, serial = (request.form.get(name, "") for name in ("token_model", "token_serial"))
        try:
            cards.witness(by, number, model, serial)
        except Refusal as refusal:
            if refusal.status not in (409, 422):
                raise
            return card_page(services, by, cards.show(by, number), refusal), refusal.status
        flash(gettext("The making of the card is witnessed."), "good")
        return redirect(url_for("portal.card", number=number))

    @blueprint.post("/cards/<number>/revocation")
    def revoke_card(number: str) -> Page:
        by = person.signed_in()
        try:
            if request.form.get("confirmation", "").strip().upper() != number.upper():
                raise Unprocessable(
                    "card.confirmation", "type the card's number to confirm the revocation"
                )
            cards.revoke(by, number, request.form.get("reason", ""))
        except Refusal as refusal:
            if refusal.status not in (409, 422):
                raise
            return card_page(services, by, cards.show(by, number), refusal), refusal.status
        flash(gettext("The card is revoked. It can no longer sign or sign in."), "good")
        return redirect(url_for("portal.card", number=number))
