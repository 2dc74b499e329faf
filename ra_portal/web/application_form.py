"""The form of an application, its draft and its correction: what stands in it and what its script
is told."""

from flask import jsonify, render_template, request, url_for
from flask_babel import format_time, gettext
from werkzeug.wrappers import Response

from kernel.refusals import Refusal
from ra_portal.applications.application import Application
from ra_portal.applications.draft_rows import Draft
from ra_portal.papers.document_rows import StoredDocument
from ra_portal.papers.documents import DocumentKind
from ra_portal.services import PortalServices
from ra_portal.web.words import explain


def first_values(services: PortalServices, found: Application) -> dict[str, str]:
    """What the form says at first: all but the identity number, which is not sent back."""
    details = found.details
    values = {name: getattr(details, name) or "" for name in details.__dataclass_fields__}
    contact = services.registration.contact_of(found)
    values |= {"phone": contact.phone or "", "email": contact.email or ""}
    of_branch = (each.code for each in services.branches.all() if each.id == details.branch_id)
    return {**values, "branch": next(of_branch, "")}


def form(
    services: PortalServices,
    values: dict[str, str],
    errors: dict[str, Refusal],
    *,
    returned: Application | None = None,
    draft: Draft | None = None,
) -> str:
    """With `values` in it. Where a save was refused since another version stands, that one's
    differing fields beside them."""
    if returned is not None:
        kept = services.registration.papers_of(returned)
    else:
        kept = services.drafts.papers(draft) if draft else {}
    endpoint = "portal.own_paper" if returned else "portal.draft_paper"
    return render_template(
        "ra_portal/apply.html",
        values=values,
        errors=errors,
        returned=returned,
        draft=draft,
        standing=_standing(services, values, errors.get(""), draft),
        kept=kept,
        paper_endpoint=endpoint,
        masked=services.registration.masked_identity(returned) if returned else None,
        branches=services.branches.all(),
        policy=services.policy,
    )


def shown(services: PortalServices, kind: DocumentKind, paper: StoredDocument) -> dict[str, object]:
    address = url_for("portal.draft_paper", kind=kind, page=1, version=paper.id[:8])
    return {"file_name": paper.file_name, "pages": paper.pages, "address": address}


def saved_at(draft: Draft) -> str:
    return str(gettext("Saved at %(time)s", time=format_time(draft.changed_at, "medium")))


def _standing(
    services: PortalServices, typed: dict[str, str], refusal: Refusal | None, draft: Draft | None
) -> dict[str, str] | None:
    if refusal is None or refusal.code != "draft.changed" or draft is None:
        return None
    stands = services.drafts.values(draft)
    return {name: value for name, value in stands.items() if value != typed.get(name, "")}


def by_script() -> bool:
    """Whether the page's script sent it (`static/draft.js`)."""
    return request.accept_mimetypes.best == "application/json"


def typed_version() -> int:
    """Of the draft that the form was typed into; 0: there was none."""
    text = request.form.get("draft_version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def said_to_script(refusal: Refusal) -> tuple[Response, int]:
    return jsonify(code=refusal.code, detail=explain(refusal)), refusal.status
