"""Pages for everybody: home, application, where it stands."""

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from kernel.refusals import Refusal, Unauthenticated
from ra_portal.application import Application, ApplicationState
from ra_portal.card import CardState
from ra_portal.documents import LARGEST_LICENCE
from ra_portal.fields import InvalidFields
from ra_portal.registration import Upload
from ra_portal.services import PortalServices
from ra_portal.web.person import (
    Person,
    forget_application,
    remember_application,
    remembered_application,
)

Page = str | Response | tuple[str, int]


def add_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    _add_entry_routes(blueprint, services, person)
    _add_own_routes(blueprint, services)


def _add_entry_routes(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    registration = services.registration

    @blueprint.get("/")
    def home() -> Page:
        return render_template("ra_portal/home.html", identity=person.identify())

    @blueprint.route("/apply", methods=["GET", "POST"])
    def apply() -> Page:
        if request.method == "GET":
            return _form({}, {})
        values = request.form.to_dict()
        try:
            submitted = registration.apply(values, uploaded())
        except InvalidFields as invalid:
            return _form(values, invalid.errors), 422
        except Refusal as refusal:
            return _form(values, {"": refusal}), refusal.status
        remember_application(submitted.application.id)
        # Rendered at once, not after a redirect: the access code is stored nowhere.
        return render_template("ra_portal/submitted.html", submitted=submitted), 201

    @blueprint.route("/status", methods=["GET", "POST"])
    def status() -> Page:
        if request.method == "GET":
            return render_template("ra_portal/status.html", refusal=None, reference="")
        reference = request.form.get("reference", "")[:40]
        try:
            found = registration.open(reference, request.form.get("access_code", ""))
        except Unauthenticated as refusal:
            page = render_template("ra_portal/status.html", refusal=refusal, reference=reference)
            return page, refusal.status
        remember_application(found.id)
        return redirect(url_for("portal.application"))


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

    @blueprint.route("/application/correction", methods=["GET", "POST"])
    def correction() -> Page:
        found = _own(services)
        if found is None:
            return _to_status()
        if found.state is not ApplicationState.RETURNED:
            return redirect(url_for("portal.application"))
        if request.method == "GET":
            details = found.details
            values = {name: getattr(details, name) or "" for name in details.__dataclass_fields__}
            return _form(values, {}, found)
        values = request.form.to_dict()
        try:
            registration.resubmit(found.id, values, uploaded())
        except InvalidFields as invalid:
            return _form(values, invalid.errors, found), 422
        except Refusal as refusal:
            return _form(values, {"": refusal}, found), refusal.status
        return redirect(url_for("portal.application"))

    @blueprint.post("/application/leave")
    def leave() -> Page:
        forget_application()
        return redirect(url_for("portal.home"))


def uploaded() -> Upload | None:
    """The licence of a multipart request; None when no file was chosen."""
    file = request.files.get("licence")
    if file is None or not file.filename:
        return None
    with file.stream as stream:
        # One octet too many suffices to refuse it; more need not be in memory.
        return Upload(stream.read(LARGEST_LICENCE + 1), file.filename)


def _own(services: PortalServices) -> Application | None:
    identifier = remembered_application()
    return None if identifier is None else services.registration.standing(identifier)


def _to_status() -> Response:
    return redirect(url_for("portal.status"))


def _standing(services: PortalServices, found: Application, code: str | None = None) -> str:
    card = services.registration.card_of(found.id)
    if card is not None and card.state is not CardState.REQUESTED:
        forget_application()  # said once more; from here on the card speaks for the enterprise
    return render_template(
        "ra_portal/application.html", application=found, card=card, activation_code=code
    )


def _form(
    values: dict[str, str], errors: dict[str, Refusal], returned: Application | None = None
) -> str:
    return render_template("ra_portal/apply.html", values=values, errors=errors, returned=returned)
