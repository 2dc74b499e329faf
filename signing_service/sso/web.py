"""Routes of sign-in: the page that works without JavaScript, the JSON interface, sign-out."""

import json
import shlex
from collections.abc import Callable
from dataclasses import asdict
from urllib.parse import parse_qsl, urlsplit

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from flask.blueprints import BlueprintSetupState
from flask_babel import format_datetime, gettext
from werkzeug.datastructures import MultiDict

from kernel.refusals import Malformed, Refusal
from signing_service.sso.browser import (
    AUTHORIZE_PATH,
    CAS_LOGIN_PATH,
    DECLINE_PATH,
    END_SESSION_PATH,
    EXTENSION,
    Cookies,
    asking_platform,
    current_session,
    json_object,
    leads_to_a_platform,
    require_own_origin,
    safe_next,
    set_current_session,
)
from signing_service.sso.cas.web import CasRoutes
from signing_service.sso.certificate_login import ARRIVED_PATH, CertificateRoutes
from signing_service.sso.confirmation import Confirmation
from signing_service.sso.openid.authorization import Authorization
from signing_service.sso.openid.authorization_request import AuthorizationRequest
from signing_service.sso.openid.logout import Logout
from signing_service.sso.openid.web import OpenIdRoutes, continue_page, signed_out_page
from signing_service.sso.platform_api import PlatformApi
from signing_service.sso.platform_pages import PlatformPages
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import OpenedSession, SignedIn

__all__ = ["current_session", "sso_blueprint"]

_MAX_JSON_OCTETS = 32_768
_ANY_KEY = "YOUR-KEY"
_View = Callable[[], Response]


def sso_blueprint(
    services: SsoServices, limit_challenges: Callable[[], None] = lambda: None
) -> Blueprint:
    """The sign-in and OpenID Connect routes, for an application with Flask-WTF's CSRFProtect.

    `limit_challenges` raises TooMany when the request's address was given too many challenges,
    or has pushed too many requests as a platform without a secret: each is a row of the database,
    for somebody whom nobody has seen before.

    Set `CSRFProtect` up before registering this: the routes for programs are exempted from it
    then, for they take no cookie-bearing form (JSON by media type and origin, or a client's own
    authentication). Registering raises RuntimeError without it.
    """
    blueprint = Blueprint("sso", __name__, template_folder="templates")
    cookies = Cookies(services)
    pages = SignInRoutes(services, cookies, limit_challenges)
    openid = OpenIdRoutes(services, cookies, limit_challenges)
    cas, certificate = CasRoutes(services, cookies), CertificateRoutes(services, cookies)

    def route(rule: str, view: _View, *methods: str) -> None:
        blueprint.add_url_rule(rule, view.__name__, view, methods=list(methods))

    route("/sso/sign-in", pages.sign_in_page, "GET")
    route("/sso/sign-in", pages.sign_in_form, "POST")
    route("/sso/sign-out", pages.sign_out_form, "POST")
    route("/sso/session", pages.session, "GET")
    route("/sso/session/standing", pages.session_standing, "GET")
    route("/api/v1/sign-in/challenges", pages.api_challenge, "POST")
    route("/api/v1/sign-in", pages.api_sign_in, "POST")
    route("/api/v1/sign-in", pages.api_sign_out, "DELETE")
    route("/api/v1/sign-in/presence", pages.api_presence, "POST")
    route("/sso/certificate", certificate.sign_in, "POST")
    route(ARRIVED_PATH, pages.arrived, "GET")
    route("/.well-known/openid-configuration", openid.configuration, "GET")
    route("/.well-known/oauth-authorization-server", openid.metadata, "GET")
    route("/oidc/jwks", openid.jwks, "GET")
    route(AUTHORIZE_PATH, openid.authorize, "GET")
    route(AUTHORIZE_PATH, openid.authorize_post, "POST")
    route(DECLINE_PATH, openid.decline, "POST")
    route("/oidc/token", openid.token, "POST")
    route("/oidc/par", openid.pushed_authorization, "POST")
    route("/oidc/introspect", openid.introspect, "POST")
    route("/oidc/revoke", openid.revoke, "POST")
    route("/oidc/userinfo", openid.userinfo, "GET", "POST")
    route(END_SESSION_PATH, openid.end_session, "GET")
    route(END_SESSION_PATH, openid.end_session_post, "POST")
    route(CAS_LOGIN_PATH, cas.login, "GET")
    route("/cas/logout", cas.logout, "GET")
    route("/cas/validate", cas.validate, "GET")
    route("/cas/serviceValidate", cas.service_validate, "GET")
    route("/cas/p3/serviceValidate", cas.p3_service_validate, "GET")
    route("/cas/proxyValidate", cas.proxy_validate, "GET")
    route("/cas/p3/proxyValidate", cas.p3_proxy_validate, "GET")
    route("/cas/proxy", cas.proxy, "GET")
    PlatformPages(services).add_routes(blueprint)
    for_programs = (
        *PlatformApi(services).add_routes(blueprint),
        certificate.sign_in,
        pages.api_presence,
        openid.pushed_authorization,
        openid.introspect,
        openid.revoke,
        pages.api_challenge,
        pages.api_sign_in,
        pages.api_sign_out,
        openid.authorize_post,
        openid.token,
        openid.userinfo,
        openid.end_session_post,
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

    def __init__(
        self, services: SsoServices, cookies: Cookies, limit_challenges: Callable[[], None]
    ) -> None:
        self._services = services
        self._cookies = cookies
        self._limit_challenges = limit_challenges
        self._settings = services.settings
        self._authorization = Authorization(services)
        self._logout = Logout(services)

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
        response = onward(next_path)
        self._cookies.remember_session(response, opened.secret)
        return response

    def arrived(self) -> Response:
        """Back from the port that asks for certificates."""
        return onward(safe_next(request.args.get("next"), self._settings.home_path))

    def sign_out_form(self) -> Response:
        """Platforms that can be told through the browser alone are told by the next page."""
        signed_in = current_session()
        frames = [] if signed_in is None else self._logout.frames(signed_in.session)
        self._end_session()
        home = self._settings.home_path
        response = signed_out_page(frames, None) if frames else _redirect(home)
        self._cookies.forget_session(response)
        return response

    def session(self) -> Response:
        signed_in = current_session()
        if signed_in is None:
            return jsonify({"signed_in": False})
        return jsonify({"signed_in": True, **_shown(signed_in)})

    def session_standing(self) -> Response:
        """For an open page (`portseal/web/static/page.js`): asking keeps no session awake."""
        standing = self._services.sessions.standing(self._cookies.session())
        signed_in = standing.signed_in
        if signed_in is None:
            return jsonify(signed_in=False, reason=standing.end_reason)
        return jsonify(signed_in=True, subject=signed_in.holder.subject)

    def api_challenge(self) -> Response:
        """`next`, if given, is where the holder goes afterwards: a request there may want a proof
        for itself alone, and then the answer tells what the card signs with it (`confirm`)."""
        require_own_origin(self._services)
        body = json_object(_MAX_JSON_OCTETS)
        next_path = body.get("next", "/")
        if not isinstance(next_path, str):
            raise Malformed("request.malformed", "next is a path of ours")
        self._limit_challenges()
        browser = self._cookies.browser()
        known = browser or self._cookies.new_browser()
        wanted = self._wanted(safe_next(next_path, "/"))
        confirm = _confirmation(wanted)
        challenge = self._services.challenges.issue(
            known, _purpose(wanted), _digest(confirm), new_browser=browser is None
        )
        response = jsonify(
            nonce=challenge.nonce,
            origin=challenge.origin,
            expires_in=self._settings.challenge_seconds,
            confirm=None if confirm is None else asdict(confirm),
        )
        if browser is None:
            self._cookies.remember_browser(response, known)
        return response

    def api_sign_in(self) -> Response:
        require_own_origin(self._services)
        body = json_object(_MAX_JSON_OCTETS)
        token, nonce = body.get("token"), body.get("nonce")
        if not _is_flat(token) or not isinstance(nonce, str | None):
            raise Malformed("request.malformed", "send {token: {...}} and perhaps {nonce}")
        watched = body.get("presence", False)
        opened = self._open(json.dumps(token), nonce)
        told = _shown(opened.signed_in)
        if watched is True:
            secret = self._services.presence.start(opened.signed_in.session)
            told["presence"] = {
                "secret": secret,
                "every_seconds": self._settings.presence_seconds // 3,
            }
        response = jsonify(told)
        self._cookies.remember_session(response, opened.secret)
        return response

    def api_presence(self) -> Response:
        """The key agent tells whether the token is plugged in; it has no cookies of ours."""
        body = json_object(_MAX_JSON_OCTETS)
        secret, present = body.get("secret"), body.get("present")
        if not isinstance(secret, str) or not isinstance(present, bool):
            raise Malformed("request.malformed", "send {secret, present}")
        if present:
            self._services.presence.beat(secret)
        else:
            self._services.presence.gone(secret)
        return make_response("", 204)

    def api_sign_out(self) -> Response:
        require_own_origin(self._services)
        self._end_session()
        response = make_response("", 204)
        self._cookies.forget_session(response)
        return response

    def _open(self, text: str, nonce: str | None) -> OpenedSession:
        proven = self._services.card_login.prove(self._cookies.browser(), text, nonce)
        opened = self._services.sessions.open(proven, replacing=self._cookies.session())
        set_current_session(opened.signed_in)
        return opened

    def _end_session(self) -> None:
        signed_in = current_session()
        if signed_in is not None:
            self._services.sessions.end(
                signed_in.session, reason="signed-out", actor=signed_in.holder.subject
            )
            set_current_session(None)

    def _wanted(self, next_path: str) -> AuthorizationRequest | None:
        """The authorization request that the holder is on the way to."""
        parts = urlsplit(next_path)
        if parts.path != AUTHORIZE_PATH:
            return None
        return self._authorization.purpose(MultiDict(parse_qsl(parts.query)))

    def _page(self, next_path: str, refusal: Refusal | None) -> Response:
        self._limit_challenges()
        browser = self._cookies.browser()
        known = browser or self._cookies.new_browser()
        wanted = self._wanted(next_path)
        purpose = _purpose(wanted)
        confirm = _confirmation(wanted)
        challenge = self._services.challenges.issue(
            known, purpose, _digest(confirm), new_browser=browser is None
        )
        by_certificate = None if purpose else self._settings.certificate_origin
        page = render_template(
            "sso/sign_in.html",
            asking=asking_platform(self._services, next_path) or self._settings.portal_name,
            challenge=challenge,
            command=_command(challenge.origin, challenge.nonce, confirm),
            minutes=self._settings.challenge_seconds // 60,
            next_path=next_path,
            refusal=refusal,
            why=None if refusal is None else refusal.said(gettext, format_datetime),
            confirm=confirm,
            login_hint=wanted.login_hint if wanted else None,
            decline=_decline(next_path) if wanted else None,
            by_certificate=by_certificate,
        )
        response = make_response(page, 200 if refusal is None else refusal.status)
        if by_certificate is not None:
            connect = " ".join(filter(None, ("'self'", self._settings.agent_source)))
            response.headers["Content-Security-Policy"] = (
                "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
                f"font-src 'self'; connect-src {connect}; form-action 'self' {by_certificate}; "
                "base-uri 'none'; frame-ancestors 'none'"
            )
        if browser is None:
            self._cookies.remember_browser(response, known)
        return response


def _decline(next_path: str) -> str:
    """Where the form of a holder goes who does not want to sign in there."""
    return f"{DECLINE_PATH}?{next_path.partition('?')[2]}"


def _purpose(wanted: AuthorizationRequest | None) -> str | None:
    return None if wanted is None else wanted.purpose


def _confirmation(wanted: AuthorizationRequest | None) -> Confirmation | None:
    return None if wanted is None else wanted.confirmation


def _digest(confirmation: Confirmation | None) -> str | None:
    return None if confirmation is None else confirmation.digest


def onward(next_path: str) -> Response:
    """After a sign-in. A platform is reached over a page, not a redirect: a policy of
    `form-action 'self'` would forbid the form to lead on to the platform."""
    if not leads_to_a_platform(next_path):
        return _redirect(next_path)
    return continue_page(next_path, is_signed_in=True)


def _is_flat(token: object) -> bool:
    """Whether a token is an object of texts, so that writing it out again cannot fail."""
    return isinstance(token, dict) and all(isinstance(value, str) for value in token.values())


def _command(origin: str, nonce: str, confirm: Confirmation | None) -> str:
    """Names a key, because several may be plugged in."""
    command = ["portseal", "card", "login", "--token", _ANY_KEY]
    command += ["--origin", origin, "--nonce", nonce]
    if confirm is not None:
        command += ["--confirm-for", confirm.platform]
        for act in confirm.acts:
            command += ["--act", act]
    return shlex.join(command)


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
