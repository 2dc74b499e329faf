"""The page of what an enterprise's cards did, and the file to take away."""

from flask import Blueprint, make_response, render_template, request
from flask_babel import get_locale, gettext, lazy_gettext
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, Refusal
from policies.rights import RightsCatalogue
from ra_portal.history import Deed, Period
from ra_portal.people.identity import Identity
from ra_portal.services import PortalServices
from ra_portal.spreadsheets.writing import SheetFormat, write
from ra_portal.web.days import read_day
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]

DEEDS = {
    "signature.accepted": (lazy_gettext("Signed"), "good"),
    "signature.refused": (lazy_gettext("Signature refused"), "bad"),
    "signin.succeeded": (lazy_gettext("Signed in"), "info"),
    "session.ended": (lazy_gettext("Signed out"), ""),
}
_SHOWN = (
    "kind", "format", "document_sha256", "digest_sha256", "digest_sha384", "digest_sha512", "code",
    "reason", "serial",
)  # fmt: skip
"""Facts that say something to the enterprise."""


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    @blueprint.get("/enterprise/history")
    def history() -> Page:
        by = person.signed_in()
        operator, period = request.args.get("operator") or None, Period()
        refusal: Refusal | None = None
        page = None
        try:
            period = _period(request.args.get("first", ""), request.args.get("last", ""))
            below = request.args.get("below", type=int)
            page = services.history.page(by, below, operator, period)
        except Refusal as refused:
            if refused.status in (401, 403, 404):
                raise
            refusal = refused
        shown = render_template(
            "ra_portal/history.html",
            page=page,
            operators=_operators(services, by),
            chosen=operator or "",
            first=request.args.get("first", ""),
            last=request.args.get("last", ""),
            deeds=DEEDS,
            facts=lambda deed: told(deed, services.catalogue),
            signature=signature_of,
            refusal=refusal,
        )
        return shown, refusal.status if refusal else 200

    @blueprint.post("/enterprise/history/export")
    def export_history() -> Page:
        by, form = person.signed_in(), request.form
        if form.get("format") not in set(SheetFormat):
            raise Malformed("sheet.format", "choose CSV or XLSX")
        wanted = SheetFormat(form["format"])
        period = _period(form.get("first", ""), form.get("last", ""))
        found = services.history.export(by, form.get("operator") or None, period, wanted)
        headings = [
            gettext("Time"), gettext("What"), gettext("Who"), gettext("Card"), gettext("Details"),
            gettext("Record"), gettext("Signature"),
        ]  # fmt: skip
        rows = (_row(deed, services.catalogue) for deed in found)
        response = make_response(write([headings, *rows], wanted))
        response.content_type = wanted.media_type
        response.headers["Content-Disposition"] = f'attachment; filename="history.{wanted}"'
        return response


def told(deed: Deed, catalogue: RightsCatalogue) -> str:
    """The facts of a deed in one line, the kind of a declaration in the reader's words."""
    facts = dict(deed.facts)
    kind = catalogue.kind(str(facts.get("kind", "")))
    if kind is not None:
        facts["kind"] = kind.name_en if str(get_locale()).startswith("en") else kind.name_zh
    return " · ".join(str(facts[name]) for name in _SHOWN if facts.get(name))


def signature_of(deed: Deed) -> str:
    """The identifier of an accepted signature, under which it is kept; empty for other deeds."""
    return deed.subject if deed.event == "signature.accepted" else ""


def _row(deed: Deed, catalogue: RightsCatalogue) -> list[str]:
    what = DEEDS[deed.event][0]
    return [
        deed.at, str(what), deed.name, deed.card, told(deed, catalogue), str(deed.position),
        signature_of(deed),
    ]  # fmt: skip


def _period(first: str, last: str) -> Period:
    return Period(read_day(first), read_day(last))


def _operators(services: PortalServices, by: Identity) -> list[tuple[str, str]]:
    view = services.operators.home(by)
    return [(each.operator.id, each.operator.name) for each in view.operators]
