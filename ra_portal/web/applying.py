"""Pages of applying: the form, its draft, where an application stands, its correction."""

from flask import (
    Blueprint,
    flash,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Conflict, NotFound, Refusal, Unauthenticated
from ra_portal.applications.application import Application, ApplicationState
from ra_portal.applications.draft_rows import Draft, require_version
from ra_portal.cards.card import CardState
from ra_portal.fields import InvalidFields
from ra_portal.papers.documents import LARGEST_LICENCE, DocumentKind, Upload
from ra_portal.papers.page_pictures import PICTURE_TYPE
from ra_portal.services import PortalServices
from ra_portal.web.answers import forget_answers
from ra_portal.web.application_form import (
    by_script,
    first_values,
    form,
    said_to_script,
    saved_at,
    shown,
    typed_version,
)
from ra_portal.web.fresh_card import fresh_certificate
from ra_portal.web.limits import AddressLimits
from ra_portal.web.person import forget_application, remember_application, remembered_application
from ra_portal.web.words import explain

Page = str | Response | tuple[str, int] | tuple[Response, int]

_DRAFT = "draft"


def add_routes(blueprint: Blueprint, services: PortalServices, limits: AddressLimits) -> None:
    _add_form_routes(blueprint, services, limits)
    _add_draft_routes(blueprint, services, limits)
    _add_continuation_routes(blueprint, services, limits)
    _add_own_routes(blueprint, services)
    _add_correction_routes(blueprint, services, limits)
    _add_saved_correction_routes(blueprint, services, limits)


def _add_form_routes(blueprint: Blueprint, services: PortalServices, limits: AddressLimits) -> None:
    @blueprint.route("/apply", methods=["GET", "POST"])
    def apply() -> Page:
        draft = _own_draft(services)
        if request.method == "GET":
            values = services.drafts.values(draft) if draft else {}
            return form(services, values, {}, draft=draft)
        limits.saving()
        limits.scans()
        values, version = request.form.to_dict(), typed_version()
        try:
            require_version(draft, version)  # first of all; and once more when nobody else saves
            submitted = services.registration.apply(
                values, uploaded("licence"), uploaded("attorney"), draft, version
            )
        except InvalidFields as invalid:
            return form(services, values, invalid.errors, draft=draft), 422
        except Refusal as refusal:
            if refusal.code == "draft.changed":
                draft = _own_draft(services)
            return form(services, values, {"": refusal}, draft=draft), refusal.status
        session.pop(_DRAFT, None)
        remember_application(submitted.application)
        # Rendered at once: the access code is stored nowhere in clear (`answers.py`).
        return render_template("ra_portal/submitted.html", submitted=submitted), 201


def _add_draft_routes(
    blueprint: Blueprint, services: PortalServices, limits: AddressLimits
) -> None:
    drafts = services.drafts

    @blueprint.post("/apply/draft")
    def save_draft() -> Page:
        """Saved by the page's script as somebody types, or by the button."""
        limits.saving()
        limits.scans()
        draft = _own_draft(services)
        values = request.form.to_dict()
        uploads = {kind: uploaded(str(kind)) for kind in DocumentKind}
        try:
            draft = drafts.save(draft.id if draft else None, values, uploads, typed_version())
        except Conflict as refusal:
            if by_script():
                return said_to_script(refusal)
            page = form(services, values, {"": refusal}, draft=_own_draft(services))
            return page, refusal.status
        except InvalidFields as invalid:
            if not by_script():
                return form(services, values, invalid.errors, draft=draft), 422
            errors = {name: explain(refusal) for name, refusal in invalid.errors.items()}
            return jsonify(errors=errors), 422
        session[_DRAFT] = draft.id
        if not by_script():
            flash(gettext("The draft is saved. It waits for you in this browser."), "good")
            return redirect(url_for("portal.apply"))
        papers = {str(k): shown(services, k, p) for k, p in drafts.papers(draft).items()}
        return jsonify(saved=saved_at(draft), version=draft.version, papers=papers)

    @blueprint.get("/apply/papers/<kind>/<int:page>")
    def draft_paper(kind: str, page: int) -> Page:
        draft = _own_draft(services)
        if draft is None:
            raise NotFound("licence.unknown", "there is no such document")
        return picture(drafts.page(draft, read_kind(kind), page))


def _add_continuation_routes(
    blueprint: Blueprint, services: PortalServices, limits: AddressLimits
) -> None:
    drafts = services.drafts

    @blueprint.post("/apply/draft/code")
    def draft_code() -> Page:
        draft = _own_draft(services)
        if draft is None:
            return redirect(url_for("portal.apply"))
        code = drafts.offer_code(draft)
        return render_template("ra_portal/draft_code.html", code=code, policy=services.policy)

    @blueprint.route("/apply/continue", methods=["GET", "POST"])
    def continue_draft() -> Page:
        if request.method == "GET":
            return render_template("ra_portal/draft_continue.html", refusal=None)
        limits.saving()
        try:
            session[_DRAFT] = drafts.open(request.form.get("code", "")).id
        except Unauthenticated as refusal:
            page = render_template("ra_portal/draft_continue.html", refusal=refusal)
            return page, refusal.status
        flash(gettext("The draft is here. Go on where you stopped."), "good")
        return redirect(url_for("portal.apply"))

    @blueprint.post("/apply/draft/erasure")
    def erase_draft() -> Page:
        draft = _own_draft(services)
        if draft is not None:
            drafts.discard(draft)
            session.pop(_DRAFT, None)
            flash(gettext("The draft and its scans are erased."), "good")
        return redirect(url_for("portal.apply"))


def _add_own_routes(blueprint: Blueprint, services: PortalServices) -> None:
    """Pages of the application whose access code this browser has shown."""
    registration = services.registration

    @blueprint.get("/application")
    def application() -> Page:
        found = _own(services)
        return _to_status() if found is None else _standing(services, found)

    @blueprint.post("/application/activation-code")
    def application_code() -> Page:
        found = _own(services)
        if found is None:
            return _to_status()
        _, code = registration.new_activation_code(found.id)
        return _standing(services, found, code)

    @blueprint.get("/application/papers/<kind>/<int:page>")
    def own_paper(kind: str, page: int) -> Page:
        found = _own(services)
        if found is None:
            raise NotFound("licence.unknown", "there is no such document")
        return picture(registration.paper(found.id, read_kind(kind), page))


def _add_correction_routes(
    blueprint: Blueprint, services: PortalServices, limits: AddressLimits
) -> None:
    registration = services.registration

    @blueprint.route("/application/correction", methods=["GET", "POST"])
    def correction() -> Page:
        found = _own(services)
        if found is None:
            return _to_status()
        if found.state is not ApplicationState.RETURNED:
            return redirect(url_for("portal.application"))
        draft = services.drafts.correction(found.id)
        if request.method == "GET":
            values = services.drafts.values(draft) if draft else first_values(services, found)
            return form(services, values, {}, returned=found, draft=draft)
        limits.scans()
        values, version = request.form.to_dict(), typed_version()
        try:
            require_version(draft, version)
            registration.resubmit(
                found.id, values, uploaded("licence"), uploaded("attorney"), version
            )
        except InvalidFields as invalid:
            return form(services, values, invalid.errors, returned=found, draft=draft), 422
        except Refusal as refusal:
            if refusal.code == "draft.changed":
                draft = services.drafts.correction(found.id)
            page = form(services, values, {"": refusal}, returned=found, draft=draft)
            return page, refusal.status
        flash(gettext("Handed in again. What you corrected is marked for the officer."), "good")
        return redirect(url_for("portal.application"))

    @blueprint.post("/application/leave")
    def leave() -> Page:
        forget_application()
        forget_answers()
        flash(gettext("The application is closed on this computer."), "good")
        return redirect(url_for("portal.home"))


def _add_saved_correction_routes(
    blueprint: Blueprint, services: PortalServices, limits: AddressLimits
) -> None:
    @blueprint.post("/application/correction/draft")
    def save_correction() -> Page:
        """As `save_draft`, of what is typed into a correction."""
        limits.saving()
        found = _own(services)
        if found is None or found.state is not ApplicationState.RETURNED:
            return _to_status()
        values = request.form.to_dict()
        try:
            draft = services.drafts.save_correction(found.id, values, typed_version())
        except Conflict as refusal:
            if by_script():
                return said_to_script(refusal)
            stands = services.drafts.correction(found.id)
            page = form(services, values, {"": refusal}, returned=found, draft=stands)
            return page, refusal.status
        if by_script():
            return jsonify(saved=saved_at(draft), version=draft.version, papers={})
        flash(
            gettext("The correction is saved. It waits wherever the application is opened."), "good"
        )
        return redirect(url_for("portal.correction"))


def uploaded(name: str = "licence") -> Upload | None:
    """A scan of a multipart request; None when no file was chosen."""
    file = request.files.get(name)
    if file is None or not file.filename:
        return None
    with file.stream as stream:
        # One octet too many suffices to refuse it; more need not be in memory.
        return Upload(stream.read(LARGEST_LICENCE + 1), file.filename)


def read_kind(text: str) -> DocumentKind:
    """Raises NotFound `licence.unknown`."""
    if text not in set(DocumentKind):
        raise NotFound("licence.unknown", "there is no such document")
    return DocumentKind(text)


def picture(content: bytes) -> Response:
    """A page that we pictured; what was uploaded itself is never sent to anybody."""
    response = make_response(content)
    response.content_type = PICTURE_TYPE
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _own_draft(services: PortalServices) -> Draft | None:
    found = session.get(_DRAFT)
    return services.drafts.find(found) if isinstance(found, str) else None


def _own(services: PortalServices) -> Application | None:
    return remembered_application(services.registration.standing)


def _to_status() -> Response:
    return redirect(url_for("portal.status"))


def _standing(services: PortalServices, found: Application, code: str | None = None) -> str:
    card = services.registration.card_of(found.id)
    certificate = fresh_certificate(card, services.clock.now())
    if card is not None and card.state is not CardState.REQUESTED and not certificate:
        forget_application()  # said once more; from here on the card speaks for the enterprise
    return render_template(
        "ra_portal/application.html",
        application=found,
        identity_number=services.registration.masked_identity(found),
        branch=next((b for b in services.branches.all() if b.id == found.details.branch_id), None),
        policy=services.policy,
        card=card,
        certificate=certificate,
        activation_code=code,
    )
