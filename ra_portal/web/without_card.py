"""Pages and interface for who has no card at hand: lost, frozen, unfrozen by a one-time code."""

from datetime import datetime

from flask import Blueprint, jsonify, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from kernel.refusals import Malformed, Refusal
from ra_portal.cards.card import Card
from ra_portal.cards.one_time_codes import Purpose
from ra_portal.notices.channels import Channel
from ra_portal.services import PortalServices
from ra_portal.web.json_bodies import Answer, Route, read_body, read_text
from ra_portal.web.limits import AddressLimits

Page = str | Response | tuple[str, int]

_ASKED, _DONE = "card-code", "card-done"
"""What this browser asked for last, and what came of it: its pages can be loaded again, and none
of it stands in an address."""


def add_pages(blueprint: Blueprint, services: PortalServices, limits: AddressLimits) -> None:
    """Each asking sends a message, if there is such a card: an address may ask a few times."""
    without_card = services.without_card

    @blueprint.route("/lost", methods=["GET", "POST"])
    def lost() -> Page:
        values = request.form.to_dict()
        if request.method == "GET":
            session.pop(_DONE, None)
            return _form({}, None)
        limits.asking()
        try:
            purpose, channel = _read(values.get("purpose", ""), values.get("channel", ""))
            if not (values.get("card", "").strip() or values.get("uscc", "").strip()):
                raise Malformed("card.unnamed", "say which card: its number, or the credit code")
            session[_ASKED] = without_card.request(
                purpose,
                channel,
                values.get("card", ""),
                values.get("uscc", ""),
                values.get("employee_number", ""),
            )
        except Refusal as refusal:
            return _form(values, refusal), refusal.status
        return redirect(url_for("portal.lost_code"))

    @blueprint.route("/lost/code", methods=["GET", "POST"])
    def lost_code() -> Page:
        if request.method == "GET":
            asked = session.get(_ASKED)
            if not isinstance(asked, str):
                return redirect(url_for("portal.lost"))
            return _code_form(asked, None)
        limits.saving()
        asked = request.form.get("request", "")
        try:
            card = without_card.act(asked, request.form.get("code", ""))
        except Refusal as refusal:
            return _code_form(asked, refusal), refusal.status
        session.pop(_ASKED, None)
        session[_DONE] = _shown(card)
        return redirect(url_for("portal.lost_done"))

    @blueprint.get("/lost/done")
    def lost_done() -> Page:
        done = session.get(_DONE)
        if not isinstance(done, dict):
            return redirect(url_for("portal.lost"))
        ended = done["ended_at"] and datetime.fromisoformat(done["ended_at"])
        return render_template("ra_portal/lost_done.html", card={**done, "ended_at": ended})


def _form(values: dict[str, str], refusal: Refusal | None) -> str:
    return render_template("ra_portal/lost.html", values=values, refusal=refusal)


def _code_form(asked: str, refusal: Refusal | None) -> str:
    return render_template("ra_portal/lost_code.html", asked=asked[:32], refusal=refusal)


def add_api(route: Route, services: PortalServices, limits: AddressLimits) -> None:
    without_card = services.without_card

    @route("POST", "/card-codes")
    def ask_code() -> Answer:
        limits.asking()
        body = read_body()
        purpose, channel = _read(read_text(body, "purpose"), read_text(body, "channel"))
        named = [
            read_text(body, name) if name in body else ""
            for name in ("card", "uscc", "employee_number")
        ]
        return jsonify(request=without_card.request(purpose, channel, *named)), 202

    @route("POST", "/card-codes/<identifier>")
    def use_code(identifier: str) -> Answer:
        limits.saving()
        return jsonify(_shown(without_card.act(identifier, read_text(read_body(), "code"))))


def _shown(card: Card) -> dict[str, object]:
    """Less than a signed-in holder sees."""
    ended = card.ended_at.isoformat() if card.ended_at else None
    return {"number": card.number, "state": card.state, "ended_at": ended}


def _read(purpose: str, channel: str) -> tuple[Purpose, Channel]:
    if purpose not in set(Purpose) or channel not in set(Channel):
        raise Malformed("code.request", "choose what to do and where the code is to go")
    return Purpose(purpose), Channel(channel)
