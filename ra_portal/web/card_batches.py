"""Pages of batch card making: what is to be made together, the proposal, the slips."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, NotFound, Refusal
from ra_portal.cards.card_batches import CardToMake, Origin, Slip
from ra_portal.people.identity import Identity
from ra_portal.services import PortalServices
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    batches = services.card_batches

    def page(by: Identity, origin: str, identifier: str, refusal: Refusal | None = None) -> str:
        found = batches.show(by, _origin(origin), identifier)
        return render_template(
            "ra_portal/card_batch.html",
            found=found,
            origin=origin,
            identifier=identifier,
            fetchable=[each for each in found if _fetchable(by, each)],
            proposable=[each for each in found if each.card.code_proposed_by is None],
            refusal=refusal,
        )

    @blueprint.get("/admin/card-making")
    def card_making() -> Page:
        sources = batches.sources(person.signed_in())
        return render_template("ra_portal/card_making.html", sources=sources)

    @blueprint.get("/admin/card-making/<origin>/<identifier>")
    def card_batch(origin: str, identifier: str) -> Page:
        return page(person.signed_in(), origin, identifier)

    @blueprint.post("/admin/card-making/<origin>/<identifier>")
    def move_card_batch(origin: str, identifier: str) -> Page:
        """Propose codes for the cards that were ticked, or fetch those that were proposed."""
        by, numbers = person.signed_in(), request.form.getlist("card")
        try:
            slips = _act(services, by, request.form.get("act", ""), numbers)
        except Refusal as refusal:
            if refusal.status not in (409, 413, 422) and refusal.code != "approval.same-officer":
                raise
            return page(by, origin, identifier, refusal), refusal.status
        if slips is None:
            said = ngettext(
                "%(num)s code is proposed.", "%(num)s codes are proposed.", len(numbers)
            )
            then = gettext("Another officer fetches them now.")
            flash(f"{said} {then}", "good")
            return redirect(url_for("portal.card_batch", origin=origin, identifier=identifier))
        return render_template(
            "ra_portal/codes.html",
            slips=slips,
            back=url_for("portal.card_making"),
            back_label=gettext("Card making"),
        )


def _act(services: PortalServices, by: Identity, act: str, numbers: list[str]) -> list[Slip] | None:
    """The slips; None when codes were only proposed."""
    if act == "propose":
        services.card_batches.propose(by, numbers)
        return None
    if act == "confirm":
        return services.card_batches.confirm(by, numbers)
    raise Malformed("decision.unknown", "choose one of the decisions")


def _origin(text: str) -> Origin:
    if text not in set(Origin):
        raise NotFound("batch.unknown", "there is no such batch of cards")
    return Origin(text)


def _fetchable(by: Identity, each: CardToMake) -> bool:
    return each.card.code_proposed_by not in (None, by.subject)
