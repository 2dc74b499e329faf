"""One act on many cards: the preview, the proposal, the second officer."""

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from kernel.refusals import Conflict, Malformed, Refusal
from ra_portal.mass_actions.mass_actions import MassAction
from ra_portal.mass_actions.mass_filter import Act, CardFilter
from ra_portal.mass_actions.mass_preview import Preview
from ra_portal.people.identity import Identity
from ra_portal.services import PortalServices
from ra_portal.web.json_bodies import Answer, Route, read_body, read_text
from ra_portal.web.person import Person

Page = str | Response | tuple[str, int]


def add_pages(blueprint: Blueprint, services: PortalServices, person: Person) -> None:
    actions = services.mass_actions

    @blueprint.route("/admin/mass", methods=["GET", "POST"])
    def mass() -> Page:
        """POST shows what would happen, or with `propose` puts it before another officer."""
        by, values = person.signed_in(), _values()
        preview: Preview | None = None
        refusal: Refusal | None = None
        if request.method == "POST":
            try:
                act, wanted = _act(values.get("act", "")), CardFilter.read(values)
                if "propose" in values:
                    seen = request.form.get("seen", type=int)
                    made = actions.propose(by, act, wanted, values.get("reason", ""), seen)
                    flash(gettext("Proposed. Another officer must confirm it now."), "good")
                    return redirect(url_for("portal.mass_file", identifier=made.id))
                preview = actions.preview(by, act, wanted)
            except Refusal as refused:
                if refused.status in (401, 403, 503):
                    raise
                refusal = refused
        every = actions.all(by)
        page = render_template(
            "ra_portal/mass.html",
            actions=every,
            values=values,
            preview=preview,
            refusal=refusal,
            may_propose=by.may("card.manage"),
            freezes=[each for each in every if each.act is Act.FREEZE and each.moved],
        )
        return page, refusal.status if refusal else 200

    @blueprint.get("/admin/mass/<identifier>")
    def mass_file(identifier: str) -> Page:
        by = person.signed_in()
        return _file(services, by, identifier)

    @blueprint.post("/admin/mass/<identifier>")
    def decide_mass(identifier: str) -> Page:
        by, decision = person.signed_in(), request.form.get("decision", "")
        if decision == "confirm":
            try:
                actions.confirm(by, identifier)
            except Conflict as refusal:
                return _file(services, by, identifier, refusal), refusal.status
            flash(gettext("Confirmed. It is being done."), "good")
        elif decision == "withdraw":
            actions.withdraw(by, identifier)
            flash(gettext("Withdrawn."), "good")
        else:
            raise Malformed("decision.unknown", "choose one of the decisions")
        return redirect(url_for("portal.mass_file", identifier=identifier))


def _file(
    services: PortalServices, by: Identity, identifier: str, refusal: Refusal | None = None
) -> str:
    file = services.mass_actions.file(by, identifier)
    return render_template("ra_portal/mass_file.html", file=file, by=by, refusal=refusal)


def _values() -> dict[str, str]:
    """The form; a file's lines stand behind those that were pasted."""
    values, file = request.form.to_dict(), request.files.get("list")
    if file is not None and file.filename:
        lines = file.read().decode("utf-8-sig", "replace")
        values["numbers"] = f"{values.get('numbers', '')}\n{lines}".strip()
    return values


def add_api(route: Route, services: PortalServices, person: Person) -> None:
    actions = services.mass_actions

    @route("POST", "/mass-actions/preview")
    def preview_mass() -> Answer:
        by, body = person.required(), read_body()
        seen = actions.preview(by, _act(read_text(body, "act")), CardFilter.read(body))
        return jsonify(
            total=seen.total,
            by_kind=dict(seen.by_kind),
            by_region=[{"region": name, "cards": count} for name, count in seen.by_region],
            sample=[card.number for card in seen.sample],
            left_out=[{"entry": each.entry, "state": each.state} for each in seen.left_out],
        )

    @route("GET", "/mass-actions")
    def all_mass() -> Answer:
        return jsonify(actions=[_shown(each) for each in actions.all(person.required())])

    @route("POST", "/mass-actions")
    def propose_mass() -> Answer:
        by, body = person.required(), read_body()
        act, wanted = _act(read_text(body, "act")), CardFilter.read(body)
        return jsonify(_shown(actions.propose(by, act, wanted, read_text(body, "reason")))), 201

    @route("POST", "/mass-actions/<identifier>/confirmation")
    def confirm_mass(identifier: str) -> Answer:
        by = person.required()
        read_body()
        return jsonify(_shown(actions.confirm(by, identifier)))

    @route("POST", "/mass-actions/<identifier>/withdrawal")
    def withdraw_mass(identifier: str) -> Answer:
        by = person.required()
        read_body()
        return jsonify(_shown(actions.withdraw(by, identifier)))


def _act(text: str) -> Act:
    if text not in set(Act):
        raise Malformed("mass.act", "revoke, freeze or unfreeze?")
    return Act(text)


def _shown(action: MassAction) -> dict[str, object]:
    return {
        "id": action.id,
        "act": action.act,
        "reason": action.reason,
        "total": action.total,
        "state": action.state,
        "moved": action.moved,
        "proposed_at": action.proposed_at.isoformat(),
    }
