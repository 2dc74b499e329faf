"""Pages on which administrators manage platforms, two for each change."""

from collections.abc import Callable, Sequence

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request
from flask_babel import gettext

from kernel.refusals import NotFound, Refusal, Unauthenticated
from signing_service.sso.administrator import CONFIRM, MANAGE, READ, require_officer
from signing_service.sso.cas.addresses import LostAddress
from signing_service.sso.claims import PERMITTABLE
from signing_service.sso.openid.redirects import see_other
from signing_service.sso.platform import AUTH_METHODS, SECRET, Platform
from signing_service.sso.platform_changes import entry_of
from signing_service.sso.platform_form import LISTS, draft_of, fields_of
from signing_service.sso.platforms import Registration
from signing_service.sso.proposals import Proposal
from signing_service.sso.services import SsoServices
from signing_service.sso.words import (
    action_words,
    actor_words,
    auth_method_words,
    claim_words,
)

_HOME = "/admin/platforms"


class PlatformPages:
    """Parse, call, render."""

    def __init__(self, services: SsoServices) -> None:
        self._services = services
        self._proposals = services.proposals

    def add_routes(self, blueprint: Blueprint) -> None:
        for rule, view, methods in (
            (_HOME, self.platforms_page, ["GET"]),
            (f"{_HOME}/new", self.new_platform, ["GET", "POST"]),
            (f"{_HOME}/<client_id>", self.platform_page, ["GET"]),
            (f"{_HOME}/<client_id>/change", self.change_platform, ["GET", "POST"]),
            (f"{_HOME}/<client_id>/secret", self.rotate_secret, ["POST"]),
            (f"{_HOME}/<client_id>/disabling", self.disable_platform, ["POST"]),
            (f"{_HOME}/proposals/<number>/decision", self.decide_proposal, ["POST"]),
        ):
            blueprint.add_url_rule(rule, view.__name__, view, methods=methods)

    def platforms_page(self) -> Response:
        by = self._officer(READ)
        if isinstance(by, Response):
            return by
        return self._list(by)

    def new_platform(self) -> Response:
        by = self._officer(MANAGE)
        if isinstance(by, Response):
            return by
        if request.method == "GET":
            return self._form({"claims": [], "auth_method": SECRET}, None, None)
        fields = _from_form()
        try:
            self._proposals.register(draft_of(fields), by=by)
        except Refusal as refusal:
            return self._form(fields, None, refusal)
        return _proposed()

    def platform_page(self, client_id: str) -> Response:
        by = self._officer(READ)
        if isinstance(by, Response):
            return by
        platform, proposals = self._platform(client_id), self._proposals.of_platform(client_id)
        page = render_template(
            "sso/platform.html",
            platform=platform,
            entry=entry_of(platform),
            proposals=proposals,
            actor=self._actors(proposals),
            lost=[each for each in self._lost() if each.client_id == client_id],
            **_words(),
        )
        return make_response(page)

    def change_platform(self, client_id: str) -> Response:
        by = self._officer(MANAGE)
        if isinstance(by, Response):
            return by
        platform = self._platform(client_id)
        if request.method == "GET":
            return self._form(fields_of(platform), platform, None)
        fields = {**_from_form(), "client_id": client_id}
        try:
            self._proposals.change(draft_of(fields), by=by)
        except Refusal as refusal:
            return self._form(fields, platform, refusal)
        return _proposed()

    def rotate_secret(self, client_id: str) -> Response:
        by = self._officer(MANAGE)
        if isinstance(by, Response):
            return by
        self._proposals.rotate_secret(client_id, by=by)
        return _proposed()

    def disable_platform(self, client_id: str) -> Response:
        by = self._officer(MANAGE)
        if isinstance(by, Response):
            return by
        self._services.platforms.disable(client_id, actor=by)
        flash(gettext("The platform is disabled: nobody can sign in there any more."), "good")
        return see_other(_HOME)

    def decide_proposal(self, number: str) -> Response:
        by = self._officer(CONFIRM)
        if isinstance(by, Response):
            return by
        if request.form.get("decision") != "confirm":
            self._proposals.refuse(number, by=by)
            flash(gettext("The proposal is refused."), "good")
            return see_other(_HOME)
        try:
            made = self._proposals.confirm(number, by=by)
        except Refusal as refusal:
            if refusal.status not in (403, 409):
                raise
            return self._list(by, refusal=refusal)
        flash(gettext("The proposal is carried out."), "good")
        return self._list(by, made) if made.secret else see_other(_HOME)

    def _list(
        self, by: str, made: Registration | None = None, refusal: Refusal | None = None
    ) -> Response:
        waiting = self._proposals.waiting()
        listed = self._services.platforms.all()
        standing = {each.platform.client_id: each.platform for each in listed}
        page = render_template(
            "sso/platforms.html",
            listed=listed,
            lost=self._lost(),
            waiting=[
                (each, each.draft and entry_of(each.draft, standing.get(each.client_id)))
                for each in waiting
            ],
            names={name: each.name for name, each in standing.items()},
            actor=self._actors(waiting),
            by=by,
            made=made,
            refusal=refusal,
            **_words(),
        )
        return make_response(page, 200 if refusal is None else refusal.status)

    def _form(
        self, fields: dict[str, object], platform: Platform | None, refusal: Refusal | None
    ) -> Response:
        page = render_template(
            "sso/platform_form.html",
            fields=fields,
            platform=platform,
            refusal=refusal,
            methods=AUTH_METHODS,
            claims=PERMITTABLE,
            **_words(),
        )
        return make_response(page, 200 if refusal is None else refusal.status)

    def _actors(self, proposals: Sequence[Proposal]) -> Callable[[str], str]:
        """How those who proposed and decided are called."""
        actors = {each.proposed_by for each in proposals} | {
            each.decided_by for each in proposals if each.decided_by
        }
        officers = {each.partition(":")[2] for each in actors if each.startswith("officer:")}
        names = self._services.officer_names(officers)
        return lambda actor: actor_words(actor, names)

    def _lost(self) -> list[LostAddress]:
        return self._services.platforms.lost_addresses()

    def _platform(self, client_id: str) -> Platform:
        platform = self._services.platforms.find(client_id)
        if platform is None:
            raise NotFound("platform.unknown", "no such platform")
        return platform

    @staticmethod
    def _officer(permission: str) -> str | Response:
        """Who acts; or the way to the sign-in page. Raises Forbidden `role.missing`."""
        try:
            return require_officer(permission)
        except Unauthenticated:
            here = request.path if request.method == "GET" else _HOME
            return make_response(redirect(f"/sso/sign-in?next={here}"))


def _from_form() -> dict[str, object]:
    fields: dict[str, object] = dict(request.form.items())
    fields.update({name: request.form.get(name, "").split() for name in LISTS if name != "claims"})
    fields["claims"] = request.form.getlist("claims")
    return fields


def _proposed() -> Response:
    flash(gettext("Proposed. Another administrator must confirm it."), "good")
    return see_other(_HOME)


def _words() -> dict[str, object]:
    return {
        "claim_words": claim_words(),
        "action_words": action_words(),
        "auth_method_words": auth_method_words(),
    }
