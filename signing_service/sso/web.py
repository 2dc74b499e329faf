"""Routes of sign-in: the page that works without JavaScript, the JSON interface, sign-out."""

import json
import shlex
from collections.abc import Callable

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from flask.blueprints import BlueprintSetupState

from kernel.refusals import Malformed, Refusal
from signing_service.sso.browser import (
    AUTHORIZE_PATH,
    EXTENSION,
    Cookies,
    asking_platform,
    current_session,
    json_object,
    require_own_origin,
    safe_next,
    set_current_session,
)
from signing_service.sso.openid_web import OpenIdRoutes
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import OpenedSession, SignedIn

__all__ = ["current_session", "sso_blueprint"]

_MAX_JSON_OCTETS = 32_768
_ANY_KEY = "YOUR-KEY"
_View = Callable[[], Response]


def sso_blueprint(services: SsoServices) -> Blueprint:
    """The sign-in and OpenID Connect routes, for an application with Flask-WTF's CSRFProtect.

    Set `CSRFProtect` up before registering this: the routes for programs are exempted from it
    then, for they take no cookie-bearing form (JSON by media type and origin, or a client's own
    authentication). Registering raises RuntimeError without it.
    """
    blueprint = Blueprint("sso", __name__, template_folder="templates")
    cookies = Cookies(services)
    pages, openid = SignInRoutes(services, cookies), OpenIdRoutes(services, cookies)

    def route(rule: str, view: _View, *methods: str) -> None:
        blueprint.add_url_rule(rule, view.__name__, view, methods=list(methods))

    route("/sso/sign-in", pages.sign_in_page, "GET")
    route("/sso/sign-in", pages.sign_in_form, "POST")
    route("/sso/sign-out", pages.sign_out_form, "POST")
    route("/sso/session", pages.session, "GET")
    route("/api/v1/sign-in/challenges", pages.api_challenge, "POST")
    route("/api/v1/sign-in", pages.api_sign_in, "POST")
    route("/api/v1/sign-in", pages.api_sign_out, "DELETE")
    route("/.well-known/openid-configuration", openid.configuration, "GET")
    route("/oidc/jwks", openid.jwks, "GET")
    route(AUTHORIZE_PATH, openid.authorize, "GET")
    route(AUTHORIZE_PATH, openid.authorize_post, "POST")
    route("/oidc/token", openid.token, "POST")
    route("/oidc/userinfo", openid.userinfo, "GET", "POST")
    route("/oidc/end-session", openid.end_session, "GET", "POST")
    for_programs = (
        pages.api_challenge,
        pages.api_sign_in,
        pages.api_sign_out,
        openid.authorize_post,
        openid.token,
        openid.userinfo,
        openid.end_session,
    )

    def install(state: BlueprintSetupState) -> None:
        protection = state.app.extensions.get("csrf")
        if protection is None:
            raise RuntimeError("set up CSRFProtect before the sign-in routes")
        for view in for_programs:
            protection.exempt(view)
        state.app.extensions[EXTENSION] = (services, cookies)

    blueprint.record_once(install)
    blueprint.after_request(guarded)
    return blueprint


class SignInRoutes:
    """Parse, call, render."""

    def __init__(self, services: SsoServices, cookies: Cookies) -> None:
        self._services = services
        self._cookies = cookies
        self._settings = services.settings

    def sign_in_page(self) -> Response:
        next_path = safe_next(request.args.get("next"), self._settings.home_path)
        return self._page(next_path, None)

    def sign_in_form(self) -> Response:
        next_path = safe_next(request.form.get("next"), self._settings.home_path)
        text = request.form.get("token", "").strip()
        try:
            opened = self._open(text, request.form.get("nonce"))
        except Refusal as refusal:
            if not refusal.code.startswith("signin."):
                raise
            return self._page(next_path, refusal)
        if next_path.partition("?")[0] == AUTHORIZE_PATH:
            # A page, not a redirect: a policy of `form-action 'self'` would forbid the form to
            # lead on to the platform.
            response = make_response(render_template("sso/continue.html", target=next_path))
            response.headers["Refresh"] = f"0; url={next_path}"
        else:
            response = _redirect(next_path)
        self._cookies.remember_session(response, opened.secret)
        return response

    def sign_out_form(self) -> Response:
        response = _redirect(self._settings.home_path)
        self._sign_out(response)
        return response

    def session(self) -> Response:
        signed_in = current_session()
        if signed_in is None:
            return jsonify({"signed_in": False})
        return jsonify({"signed_in": True, **_shown(signed_in)})

    def api_challenge(self) -> Response:
        require_own_origin(self._services)
        json_object(_MAX_JSON_OCTETS)
        browser = self._cookies.browser()
        known = browser or self._cookies.new_browser()
        challenge = self._services.challenges.issue(known)
        response = jsonify(
            nonce=challenge.nonce,
            origin=challenge.origin,
            expires_in=self._settings.challenge_seconds,
        )
        if browser is None:
            self._cookies.remember_browser(response, known)
        return response

    def api_sign_in(self) -> Response:
        require_own_origin(self._services)
        body = json_object(_MAX_JSON_OCTETS)
        token, nonce = body.get("token"), body.get("nonce")
        if not _is_flat(token) or not isinstance(nonce, str | None):
            raise Malformed("signin.json", "send {token: {...}} and perhaps {nonce}")
        opened = self._open(json.dumps(token), nonce)
        response = jsonify(_shown(opened.signed_in))
        self._cookies.remember_session(response, opened.secret)
        return response

    def api_sign_out(self) -> Response:
        require_own_origin(self._services)
        response = make_response("", 204)
        self._sign_out(response)
        return response

    def _open(self, text: str, nonce: str | None) -> OpenedSession:
        proven = self._services.card_login.prove(self._cookies.browser(), text, nonce)
        opened = self._services.sessions.open(proven, replacing=self._cookies.session())
        set_current_session(opened.signed_in)
        return opened

    def _sign_out(self, response: Response) -> None:
        signed_in = current_session()
        if signed_in is not None:
            self._services.sessions.end(
                signed_in.session, reason="signed-out", actor=signed_in.holder.subject
            )
            set_current_session(None)
        self._cookies.forget_session(response)

    def _page(self, next_path: str, refusal: Refusal | None) -> Response:
        browser = self._cookies.browser()
        known = browser or self._cookies.new_browser()
        challenge = self._services.challenges.issue(known)
        page = render_template(
            "sso/sign_in.html",
            asking=asking_platform(self._services, next_path) or self._settings.portal_name,
            challenge=challenge,
            command=_command(challenge.origin, challenge.nonce),
            minutes=self._settings.challenge_seconds // 60,
            next_path=next_path,
            refusal=refusal,
        )
        response = make_response(page, 200 if refusal is None else refusal.status)
        if browser is None:
            self._cookies.remember_browser(response, known)
        return response


def _is_flat(token: object) -> bool:
    """Whether a token is an object of texts, so that writing it out again cannot fail."""
    return isinstance(token, dict) and all(isinstance(value, str) for value in token.values())


def _command(origin: str, nonce: str) -> str:
    """Names a key, because several may be plugged in."""
    command = ["portseal", "card", "login", "--token", _ANY_KEY]
    return shlex.join([*command, "--origin", origin, "--nonce", nonce])


def _shown(signed_in: SignedIn) -> dict[str, object]:
    holder = signed_in.holder
    return {
        "session": signed_in.session,
        "auth_time": signed_in.auth_time.isoformat(),
        "subject": holder.subject,
        "holder_kind": str(holder.kind),
        "name": holder.name,
        "card": holder.card,
        "enterprise_name": holder.enterprise_name,
        "enterprise_uscc": holder.enterprise_uscc,
        "customs_code": holder.customs_code,
        "rights": list(holder.rights),
        "roles": list(holder.roles),
    }


def _redirect(path: str) -> Response:
    return make_response(redirect(path, 303))


def guarded(response: Response) -> Response:
    """Not stored, not framed (a click would sign out), no address with a code handed on."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Frame-Options", "DENY")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response
