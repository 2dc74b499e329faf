"""JSON interface of the register of platforms, for administrators' programs."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, make_response

from signing_service.sso.administrator import CONFIRM, MANAGE, READ, require_officer
from signing_service.sso.browser import json_object, require_own_origin
from signing_service.sso.platform_form import draft_of, fields_of
from signing_service.sso.platforms import Registration
from signing_service.sso.proposals import Proposal
from signing_service.sso.services import SsoServices

_MAX_OCTETS = 65_536
_PREFIX = "/api/v1/platforms"
_View = Callable[..., Response]


class PlatformApi:
    """Parse, call, render."""

    def __init__(self, services: SsoServices) -> None:
        self._services = services
        self._proposals = services.proposals

    def add_routes(self, blueprint: Blueprint) -> tuple[_View, ...]:
        """The views that programs call without a form's token."""
        views: tuple[tuple[str, _View, str], ...] = (
            ("", self.api_platforms, "GET"),
            ("/proposals", self.api_proposals, "GET"),
            ("/proposals", self.api_propose, "POST"),
            ("/<client_id>/change", self.api_propose_change, "POST"),
            ("/<client_id>/secret", self.api_propose_rotation, "POST"),
            ("/<client_id>/disabling", self.api_disable, "POST"),
            ("/proposals/<number>/confirmation", self.api_confirm, "POST"),
            ("/proposals/<number>/refusal", self.api_refuse, "POST"),
        )
        for rule, view, method in views:
            blueprint.add_url_rule(_PREFIX + rule, view.__name__, view, methods=[method])
        return tuple(view for _, view, method in views if method == "POST")

    def api_platforms(self) -> Response:
        require_officer(READ)
        listed = self._services.platforms.all()
        return jsonify(
            platforms=[{**fields_of(each.platform), "disabled": each.disabled} for each in listed],
            lost_cas_services=[vars(each) for each in self._services.platforms.lost_addresses()],
        )

    def api_proposals(self) -> Response:
        require_officer(READ)
        return jsonify(proposals=[_shown(each) for each in self._proposals.waiting()])

    def api_propose(self) -> Response:
        by, body = self._acting()
        return _created(self._proposals.register(draft_of(body), by=by))

    def api_propose_change(self, client_id: str) -> Response:
        by, body = self._acting()
        draft = draft_of({**body, "client_id": client_id})
        return _created(self._proposals.change(draft, by=by))

    def api_propose_rotation(self, client_id: str) -> Response:
        by, _ = self._acting()
        return _created(self._proposals.rotate_secret(client_id, by=by))

    def api_disable(self, client_id: str) -> Response:
        by, _ = self._acting()
        self._services.platforms.disable(client_id, actor=by)
        return make_response("", 204)

    def api_confirm(self, number: str) -> Response:
        by, _ = self._acting(CONFIRM)
        return jsonify(registered(self._proposals.confirm(number, by=by)))

    def api_refuse(self, number: str) -> Response:
        by, _ = self._acting(CONFIRM)
        self._proposals.refuse(number, by=by)
        return make_response("", 204)

    def _acting(self, permission: str = MANAGE) -> tuple[str, dict[str, Any]]:
        require_own_origin(self._services)
        return require_officer(permission), json_object(_MAX_OCTETS)


def registered(made: Registration) -> dict[str, object]:
    """What comes of a confirmation; the secret is in this answer alone."""
    return {"client_id": made.platform.client_id, "client_secret": made.secret}


def _created(proposal: Proposal) -> Response:
    return make_response(jsonify(_shown(proposal)), 201)


def _shown(proposal: Proposal) -> dict[str, object]:
    return {
        "id": proposal.id,
        "action": proposal.action,
        "client_id": proposal.client_id,
        "platform": None if proposal.draft is None else fields_of(proposal.draft),
        "proposed_by": proposal.proposed_by,
        "proposed_at": proposal.proposed_at.isoformat(),
    }
