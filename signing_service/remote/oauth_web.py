"""Pages of remote signing's authorization: the legal person sees what is asked, and decides."""

from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify, make_response, render_template, request
from werkzeug.datastructures import MultiDict

from kernel.refusals import Malformed, Refusal, Unavailable
from signing_service.remote.activation import Authorisation
from signing_service.remote.callers import CREDENTIAL, is_legal_person
from signing_service.remote.oauth import RemoteTokens, read_authorisation, require_good
from signing_service.remote.ports import Seal
from signing_service.remote.services import RemoteServices
from signing_service.sso import client_certificate
from signing_service.sso.browser import REMOTE_AUTHORIZE_PATH, current_session
from signing_service.sso.freshness import Freshness
from signing_service.sso.openid.errors import OAuthError, oauth_error
from signing_service.sso.openid.redirects import (
    answer_fields,
    error_fields,
    found,
    see_other,
    with_parameters,
)
from signing_service.sso.openid.token_endpoint import certificate_hash
from signing_service.sso.openid.web import require_once
from signing_service.sso.platforms import Platform
from signing_service.sso.sessions import SignedIn

FRESH_SECONDS = 300
"""How recently the card must have been proven before a seal is used."""
_MAX_TOKEN_REQUEST_OCTETS = 16_384
_MAX_DESCRIPTION = 500


class OAuthRoutes:
    """Parse, call, render."""

    def __init__(self, services: RemoteServices) -> None:
        self._services = services
        self._tokens = RemoteTokens(services)
        self._freshness = Freshness(services.sso.clock)

    def authorize(self) -> Response:
        """The question, or first the sign-in with the legal-person card."""
        return self._authorize(None)

    def decide(self) -> Response:
        """The answer: a form of our own, with its token against forgery."""
        return self._authorize(request.form.get("decision") == "allow")

    def _authorize(self, allowed: bool | None) -> Response:
        asked = request.args
        require_once(asked, request.query_string.decode("latin-1"))
        platform, redirect_uri = self._platform(asked)
        refused = _unsupported(asked)
        if refused is not None:
            return self._answer_error(redirect_uri, "invalid_request", refused)
        freshly = _fresh_terms(asked)
        signed_in = current_session()
        if signed_in is not None and not (
            is_legal_person(signed_in) and self._freshness.suffices(freshly, signed_in)
        ):
            signed_in = None
        try:
            require_good(platform, asked)
        except OAuthError as error:
            return self._answer_error(redirect_uri, error.error, error.description)
        if signed_in is None:
            back = f"{REMOTE_AUTHORIZE_PATH}?{self._freshness.remembered(freshly)}"
            return see_other("/sso/sign-in?" + urlencode({"next": back}))
        try:
            agreed, seal = self._asked_for(asked, platform, signed_in)
        except Unavailable:
            raise
        except Refusal as refusal:
            return self._answer_error(redirect_uri, "invalid_request", refusal.detail)
        if allowed is None:
            return self._question(asked, platform, signed_in, agreed, seal)
        if not allowed:
            return _onward(self._address(redirect_uri, error_fields("access_denied", None)))
        code = self._tokens.code(platform, asked, signed_in, agreed)
        return _onward(self._address(redirect_uri, [("code", code)]))

    def _platform(self, asked: MultiDict[str, str]) -> tuple[Platform, str]:
        """Until client and redirect URI are known, an error goes to the person, not anywhere."""
        platform = self._services.sso.platforms.find(asked.get("client_id", ""))
        if platform is None:
            raise Malformed("oidc.client-unknown", "no such platform is registered")
        redirect_uri = asked.get("redirect_uri", "")
        if not platform.check_redirect_uri(redirect_uri):
            raise Malformed("oidc.redirect-uri", "the platform did not register this redirect_uri")
        return platform, redirect_uri

    def _asked_for(
        self, asked: MultiDict[str, str], platform: Platform, signed_in: SignedIn
    ) -> tuple[Authorisation | None, Seal | None]:
        if asked.get("scope") != CREDENTIAL:
            return None, None
        agreed = read_authorisation(asked, platform.client_id, signed_in.session)
        seal = self._services.credentials.usable(signed_in.holder.subject, agreed.credential)
        return agreed, seal

    def _question(
        self,
        asked: MultiDict[str, str],
        platform: Platform,
        signed_in: SignedIn,
        agreed: Authorisation | None,
        seal: Seal | None,
    ) -> Response:
        page = render_template(
            "remote/consent.html",
            action=request.full_path,
            platform=platform.name,
            enterprise=signed_in.holder.enterprise_name or signed_in.holder.name,
            seal=seal,
            hashes=[each.hex() for each in agreed.hashes] if agreed else [],
            digest=agreed.digest.upper() if agreed else "",
            description=asked.get("description", ""),
        )
        return make_response(page)

    def _answer_error(self, redirect_uri: str, error: str, description: str | None) -> Response:
        address = self._address(redirect_uri, error_fields(error, description))
        if request.method == "POST":
            return _onward(address)
        return found(address)

    def _address(self, redirect_uri: str, told: list[tuple[str, str]]) -> str:
        issuer, state = self._services.sso.settings.origin, request.args.get("state")
        return with_parameters(redirect_uri, answer_fields(told, issuer, state))

    def token(self) -> Response:
        """RFC 6749, 3.2: parameters come in the body, each once."""
        request.max_content_length = _MAX_TOKEN_REQUEST_OCTETS
        form = request.form
        if request.args or any(len(form.getlist(name)) > 1 for name in form):
            return make_response(jsonify(error="invalid_request"), 400)
        sso = self._services.sso
        try:
            certificate = client_certificate.presented(sso.settings)
            platform = sso.client_authentication.authenticate(
                request.headers.get("Authorization"), form, certificate, secret_in_body=True
            )
            bound = certificate_hash(platform, certificate)
            return jsonify(self._tokens.answer(platform, form, bound))
        except OAuthError as error:
            return oauth_error(error)


def _unsupported(asked: MultiDict[str, str]) -> str | None:
    if asked.get("response_type") != "code":
        return "Only response_type=code is supported."
    if "request" in asked or "request_uri" in asked:
        return "Request objects are not supported."
    description = asked.get("description", "")
    if len(description) > _MAX_DESCRIPTION or not description.isprintable():
        return "The description is too long, or not printable."
    if not asked.get("max_age", "0").isdecimal() or len(asked.get("max_age", "")) > 9:
        return "max_age is a number of seconds."
    return None


def _fresh_terms(asked: MultiDict[str, str]) -> dict[str, Any]:
    """The request, with a fresh proof of the card where a seal shall be used."""
    terms: dict[str, Any] = asked.to_dict()
    if asked.get("scope") == CREDENTIAL:
        terms["max_age"] = str(min(FRESH_SECONDS, int(asked.get("max_age", FRESH_SECONDS))))
    return terms


def _onward(target: str) -> Response:
    """A page, not a redirect: a policy of `form-action 'self'` would forbid the form to lead on."""
    response = make_response(render_template("remote/onward.html", target=target))
    response.headers["Refresh"] = f"0; url={target}"
    return response
