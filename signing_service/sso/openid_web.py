"""Routes of OpenID Connect: discovery, keys, authorization, token, userinfo, end of session."""

from datetime import timedelta
from urllib.parse import urlencode

from authlib.common.urls import add_params_to_uri
from authlib.oauth2 import OAuth2Error
from flask import Response, jsonify, make_response, redirect, render_template, request
from werkzeug.datastructures import MultiDict

from kernel.refusals import Malformed
from signing_service.sso.browser import (
    AUTHORIZE_PATH,
    Cookies,
    current_session,
    set_current_session,
)
from signing_service.sso.claims import holder_claims
from signing_service.sso.freshness import ASKED, Freshness
from signing_service.sso.openid import OpenIdServer, discovery
from signing_service.sso.platforms import Platform
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import SignedIn

_MAX_QUERY_CHARACTERS = 8_000
_MAX_NONCE_CHARACTERS = 512
_MAX_TOKEN_REQUEST_OCTETS = 16_384
_PUBLIC_FOR = timedelta(minutes=5)


class OpenIdRoutes:
    """Parse, call, render."""

    def __init__(self, services: SsoServices, cookies: Cookies) -> None:
        self._services = services
        self._cookies = cookies
        self._server = OpenIdServer(services)
        self._freshness = Freshness(services.clock)

    def configuration(self) -> Response:
        return _public(jsonify(discovery(self._services)))

    def jwks(self) -> Response:
        return _public(jsonify(self._services.id_token_keys.jwks()))

    # -- authorization (OpenID Connect Core, 3.1.2) ----------------------------------------------

    def authorize_post(self) -> Response:
        """As a GET: our cookies do not come with another site's form."""
        query = urlencode(list(request.form.items(multi=True)))
        require_once(request.form, query)
        return see_other(f"{AUTHORIZE_PATH}?{query}")

    def authorize(self) -> Response:
        asked = request.args
        require_once(asked, request.query_string.decode("latin-1"))
        redirect_uri = self._registered_redirect_uri(asked)
        refused = _unsupported(asked)
        if refused is not None:
            return self._answer_error(redirect_uri, *refused)
        signed_in = current_session()
        fresh = signed_in if signed_in and self._freshness.suffices(asked, signed_in) else None
        try:
            grant = self._server.get_consent_grant(end_user=fresh)
        except OAuth2Error as error:
            return self._answer_error(redirect_uri, error.error, error.description)
        if fresh is None:
            back = f"{AUTHORIZE_PATH}?{self._freshness.remembered(asked)}"
            return see_other("/sso/sign-in?" + urlencode({"next": back}))
        response: Response = self._server.create_authorization_response(
            grant=grant, grant_user=fresh
        )
        return response

    def _registered_redirect_uri(self, asked: MultiDict[str, str]) -> str:
        """Until client and redirect URI are known, an error goes to the person, not anywhere."""
        platform = self._services.platforms.find(asked.get("client_id", ""))
        if platform is None:
            raise Malformed("oidc.client-unknown", "no such platform is registered")
        redirect_uri = asked.get("redirect_uri", "")
        if not platform.check_redirect_uri(redirect_uri):
            raise Malformed("oidc.redirect-uri", "the platform did not register this redirect_uri")
        return redirect_uri

    def _answer_error(self, redirect_uri: str, error: str, description: str | None) -> Response:
        """RFC 6749, 4.1.2.1 with RFC 9207's `iss`."""
        parameters = [("error", error), ("iss", self._services.settings.origin)]
        if description:
            parameters.append(("error_description", description))
        if request.args.get("state"):
            parameters.append(("state", request.args["state"]))
        return make_response(redirect(add_params_to_uri(redirect_uri, parameters), 302))

    # -- token and userinfo ----------------------------------------------------------------------

    def token(self) -> Response:
        """RFC 6749, 3.2: parameters come in the body, each once."""
        request.max_content_length = _MAX_TOKEN_REQUEST_OCTETS
        if request.args or any(len(request.form.getlist(name)) > 1 for name in request.form):
            return _oauth_error(400, "invalid_request")
        try:
            response: Response = self._server.create_token_response()
        except UnicodeDecodeError:  # from an Authorization header that is not UTF-8 underneath
            return _oauth_error(401, "invalid_client", "Basic")
        return response

    def userinfo(self) -> Response:
        """OpenID Connect Core, 5.3. The token must be live and so must its session."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return _oauth_error(401, None, "Bearer")
        grant = self._services.grants.access(token.strip())
        if grant is None or self._services.platforms.find(grant.client_id) is None:
            return _oauth_error(401, "invalid_token", "Bearer")
        signed_in = self._services.sessions.by_name(grant.sid)
        if signed_in is None:
            return _oauth_error(401, "invalid_token", "Bearer")
        return jsonify(holder_claims(signed_in.holder, grant.scope))

    # -- end of session (OpenID Connect RP-Initiated Logout) -------------------------------------

    def end_session(self) -> Response:
        asked = request.form if request.method == "POST" else request.args
        require_once(asked, urlencode(list(asked.items(multi=True))))
        hint = asked.get("id_token_hint")
        signed_in = current_session()
        if not hint:
            return self._ask_before_ending(signed_in)
        claims = self._services.id_token_keys.read(hint, self._services.settings.origin)
        platform = self._platform_of(claims, asked.get("client_id"))
        target = _after_logout(platform, asked)
        sid = str(claims.get("sid"))
        if signed_in is not None and signed_in.session != sid:
            return self._ask_before_ending(signed_in)
        self._services.sessions.end(sid, reason="platform-logout", actor=platform.client_id)
        set_current_session(None)
        if target is None:
            response = make_response(render_template("sso/signed_out.html"))
        else:
            response = see_other(target)
        self._cookies.forget_session(response)
        return response

    def _platform_of(self, claims: dict[str, object], client_id: str | None) -> Platform:
        audience = claims.get("aud")
        if client_id is not None and client_id != audience:
            raise Malformed("oidc.client-unknown", "client_id is not the token's audience")
        platform = self._services.platforms.find(str(audience))
        if platform is None:
            raise Malformed("oidc.client-unknown", "no such platform is registered")
        return platform

    def _ask_before_ending(self, signed_in: SignedIn | None) -> Response:
        """Without a proof that the platform knows this session, the holder decides."""
        if signed_in is None:
            return make_response(render_template("sso/signed_out.html"))
        return make_response(render_template("sso/sign_out.html", holder=signed_in.holder))


def require_once(asked: MultiDict[str, str], query: str) -> None:
    """Raises Malformed `oidc.request-length`, `oidc.parameter-repeated` (RFC 6749, 3.1)."""
    if len(query) > _MAX_QUERY_CHARACTERS:
        raise Malformed("oidc.request-length", "the request is too long")
    if any(len(asked.getlist(name)) > 1 for name in asked):
        raise Malformed("oidc.parameter-repeated", "a parameter stands twice")


def _unsupported(asked: MultiDict[str, str]) -> tuple[str, str] | None:
    """The error and its description for what this provider does not do."""
    if asked.get("response_type") != "code":
        return "unsupported_response_type", "Only response_type=code is supported."
    if "request" in asked:
        return "request_not_supported", "Request objects are not supported."
    if "request_uri" in asked:
        return "request_uri_not_supported", "Request objects are not supported."
    if asked.get("response_mode", "query") != "query":
        return "invalid_request", "Only response_mode=query is supported."
    if asked.get("prompt", "none") not in {"none", "login"}:
        return "invalid_request", "Only prompt=none and prompt=login are supported."
    if not asked.get("max_age", "0").isdecimal() or len(asked.get("max_age", "")) > 9:
        return "invalid_request", "max_age is a number of seconds."
    nonce = asked.get("nonce", "")
    if len(nonce) > _MAX_NONCE_CHARACTERS or not nonce.isprintable():
        return "invalid_request", "The nonce is too long, or not printable."
    if ASKED in asked and len(asked[ASKED]) > 300:
        return "invalid_request", "The request is malformed."
    return None


def _after_logout(platform: Platform, asked: MultiDict[str, str]) -> str | None:
    target = asked.get("post_logout_redirect_uri")
    if target is None:
        return None
    if target not in platform.post_logout_redirect_uris:
        raise Malformed(
            "oidc.post-logout-redirect-uri", "the platform did not register this address"
        )
    state = asked.get("state")
    return str(add_params_to_uri(target, [("state", state)])) if state else target


def _oauth_error(status: int, error: str | None, challenge: str | None = None) -> Response:
    response = make_response(jsonify({"error": error} if error else {}), status)
    if challenge is not None:
        detail = f', error="{error}"' if error else ""
        response.headers["WWW-Authenticate"] = f'{challenge} realm="PortSeal"{detail}'
    return response


def see_other(target: str) -> Response:
    """303: the browser goes on with a GET."""
    return make_response(redirect(target, 303))


def _public(response: Response) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={int(_PUBLIC_FOR.total_seconds())}"
    return response
