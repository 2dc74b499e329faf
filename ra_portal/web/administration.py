"""Pages of officers and the journal, for administrators."""

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, Refusal
from ra_portal.fields import InvalidFields
from ra_portal.journal_rows import Asked
from ra_portal.services import PortalServices
from ra_portal.web.cards import card_page
from ra_portal.web.days import read_day
from ra_portal.web.journal_words import GROUPS, phrase
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    @blueprint.route("/admin/officers", methods=["GET", "POST"])
    def officers() -> Page:
        by = person.signed_in()
        name, roles = request.form.get("name", ""), request.form.getlist("roles")
        branch = request.form.get("branch", "")
        errors: dict[str, Refusal] = {}
        if request.method == "POST":
            try:
                added = services.officers.add(by, name, roles, branch=branch)
            except InvalidFields as invalid:
                errors = invalid.errors
            else:
                return card_page(services, by, added.card, code=added.activation_code), 201
        known, everybody = services.branches.all(), services.officers.all(by)
        page = render_template(
            "ra_portal/officers.html",
            here=[each for each in everybody if each[1] and each[1].is_live],
            gone=[each for each in everybody if not each[1] or not each[1].is_live],
            values={"name": name, "branch": branch},
            branches=known,
            branch_names={each.id: each.name for each in known},
            chosen=roles,
            errors=errors,
        )
        return page, 422 if errors else 200

    @blueprint.get("/admin/journal")
    def journal() -> Page:
        by = person.signed_in()
        verdict = services.journal.verify(by) if request.args.get("verify") else None
        kept = {name: request.args[name] for name in _KEPT if request.args.get(name)}
        page, refusal = None, None
        try:
            page = services.journal.page(by, _asked())
        except Malformed as refused:
            refusal = refused
        shown = render_template(
            "ra_portal/journal.html",
            page=page,
            kept=kept,
            actions=GROUPS,
            phrase=phrase,
            verdict=verdict,
            refusal=refusal,
        )
        return shown, refusal.status if refusal else 200


_KEPT = ("subject", "actor", "event", "first", "last")


def _asked() -> Asked:
    """Raises Malformed `field.date`."""
    subject, actor, event, first, last = (request.args.get(name, "") for name in _KEPT)
    below = request.args.get("below", type=int)
    return Asked(subject, actor, event, read_day(first), read_day(last), below)
