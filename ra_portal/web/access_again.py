"""Pages and interface for an applicant who has lost the access code."""

from flask import Blueprint, jsonify, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from kernel.refusals import Refusal
from ra_portal.fields import InvalidFields
from ra_portal.services import PortalServices
from ra_portal.web.json_bodies import Answer, Route, read_body, read_text
from ra_portal.web.limits import AddressLimits
from ra_portal.web.person import remember_application

Page = str | Response | tuple[str, int]

_ASKED = "access-asked"
"""What this browser asked for last: the page of the codes can be loaded again."""


def add_pages(blueprint: Blueprint, services: PortalServices, limits: AddressLimits) -> None:
    """Each asking sends messages, if there is such an application: an address may ask a few
    times."""
    again = services.access_again

    @blueprint.route("/status/access-code", methods=["GET", "POST"])
    def access_again() -> Page:
        values, errors = request.form.to_dict(), dict[str, Refusal]()
        if request.method == "POST":
            limits.asking()
            try:
                session[_ASKED] = again.ask(values)
            except InvalidFields as invalid:
                errors.update(invalid.errors)
            else:
                return redirect(url_for("portal.access_codes"))
        page = render_template("ra_portal/access_again.html", values=values, errors=errors)
        return page, 422 if errors else 200

    @blueprint.route("/status/access-code/codes", methods=["GET", "POST"])
    def access_codes() -> Page:
        if request.method == "GET":
            asked = session.get(_ASKED)
            if not isinstance(asked, str):
                return redirect(url_for("portal.access_again"))
            return _codes_form(asked, None)
        limits.saving()
        asked = request.form.get("request", "")
        try:
            renewed = again.renew(asked, request.form.get("sms", ""), request.form.get("mail", ""))
        except Refusal as refusal:
            return _codes_form(asked, refusal), refusal.status
        session.pop(_ASKED, None)
        remember_application(renewed.application)
        # Rendered at once: the access code is stored nowhere in clear (`answers.py`).
        return render_template("ra_portal/access_renewed.html", renewed=renewed), 201


def _codes_form(asked: str, refusal: Refusal | None) -> str:
    return render_template("ra_portal/access_codes.html", asked=asked[:32], refusal=refusal)


def add_api(route: Route, services: PortalServices, limits: AddressLimits) -> None:
    again = services.access_again

    @route("POST", "/access-codes")
    def ask_access() -> Answer:
        limits.asking()
        return jsonify(request=again.ask(read_body())), 202

    @route("POST", "/access-codes/<identifier>")
    def renew_access(identifier: str) -> Answer:
        limits.saving()
        body = read_body()
        renewed = again.renew(identifier, read_text(body, "sms"), read_text(body, "mail"))
        return jsonify(
            reference=renewed.application.reference, access_code=renewed.access_code
        ), 201
