"""The page of what an enterprise's cards did, and the file to take away."""

import json
from dataclasses import asdict
from datetime import datetime

from flask import Blueprint, make_response, render_template, request
from flask_babel import gettext, lazy_gettext
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, Refusal
from policies.rights import RightsCatalogue
from ra_portal.days import ZONE
from ra_portal.history import Deed, Period, What
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.services import PortalServices
from ra_portal.spreadsheets.writing import SheetFormat, write
from ra_portal.web.days import read_day
from ra_portal.web.history_words import DEEDS, told
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]

WHATS = {
    What.ALL: lazy_gettext("everything"),
    What.SIGNATURES: lazy_gettext("signatures alone"),
    What.SIGN_INS: lazy_gettext("sign-ins alone"),
}
_JSON = "json"


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    @blueprint.get("/enterprise/history")
    def history() -> Page:
        by = person.signed_in()
        operator, period = request.args.get("operator") or None, Period()
        refusal: Refusal | None = None
        page = None
        try:
            period = _period(request.args)
            below = request.args.get("below", type=int)
            page = services.history.page(by, below, operator, period)
        except Refusal as refused:
            if refused.status in (401, 403, 404):
                raise
            refusal = refused
        shown = render_template(
            "ra_portal/history.html",
            page=page,
            **_operators(services, by, operator),
            chosen=operator or "",
            what=period.what,
            choices=WHATS,
            first=request.args.get("first", ""),
            last=request.args.get("last", ""),
            deeds=DEEDS,
            facts=lambda deed: told(deed, services.catalogue, whole=False),
            signature=signature_of,
            refusal=refusal,
        )
        return shown, refusal.status if refusal else 200

    @blueprint.post("/enterprise/history/export")
    def export_history() -> Page:
        by, form = person.signed_in(), request.form
        asked = form.get("format", "")
        if asked not in {*SheetFormat, _JSON}:
            raise Malformed("sheet.format", "choose CSV, XLSX or JSON")
        found = services.history.export(by, form.get("operator") or None, _period(form), asked)
        if asked == _JSON:
            return _as_json(services, by, found)
        wanted = SheetFormat(asked)
        headings = [
            gettext("Time (UTC+8)"), gettext("What"), gettext("Who"), gettext("Card"),
            gettext("Details"), gettext("Record"), gettext("Signature"),
            gettext("SHA-256 of the record"),
        ]  # fmt: skip
        rows = (_row(deed, services.catalogue) for deed in found)
        response = make_response(write([headings, *rows], wanted))
        response.content_type = wanted.media_type
        response.headers["Content-Disposition"] = f'attachment; filename="history.{wanted}"'
        return response


def signature_of(deed: Deed) -> str:
    """The identifier of an accepted signature, under which it is kept; empty for other deeds."""
    return deed.subject if deed.event == "signature.accepted" else ""


def _row(deed: Deed, catalogue: RightsCatalogue) -> list[str]:
    what = DEEDS[deed.event][0]
    at = f"{datetime.fromisoformat(deed.at).astimezone(ZONE):%Y-%m-%d %H:%M:%S}"
    return [
        at, str(what), deed.name, deed.card, told(deed, catalogue, whole=True), str(deed.position),
        signature_of(deed), deed.record_sha256,
    ]  # fmt: skip


def _period(asked: MultiDict[str, str]) -> Period:
    wanted = asked.get("what", "")
    what = What(wanted) if wanted in set(What) else What.ALL
    return Period(read_day(asked.get("first", "")), read_day(asked.get("last", "")), what)


def _as_json(services: PortalServices, by: Identity, found: list[Deed]) -> Response:
    """For programs, with what each record of the journal is known by."""
    content = {
        "enterprise": by.name,
        "exported_at": services.clock.now().isoformat(timespec="seconds"),
        "deeds": [asdict(deed) for deed in found],
    }
    response = make_response(json.dumps(content, ensure_ascii=False, indent=1))
    response.content_type = "application/json"
    response.headers["Content-Disposition"] = 'attachment; filename="history.json"'
    return response


def _operators(services: PortalServices, by: Identity, chosen: str | None) -> dict[str, object]:
    """The first of them, and the one that was chosen; of more, each has the way on its page."""
    if by.kind is HolderKind.OPERATOR:
        return {"operators": None}  # reads the own deeds
    view = services.operators.page(by)
    found = {each.operator.id: each.operator.name for each in view.operators}
    if chosen and chosen not in found:
        found[chosen] = services.operators.show(by, chosen).operator.name
    return {"operators": list(found.items()), "more_operators": bool(view.more_after)}
