"""Routes of OpenID Connect: discovery, keys, authorization, tokens, userinfo, end of session."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

from flask import Response, jsonify, make_response, render_template, request
from werkzeug.datastructures import MultiDict

from kernel.refusals import Malformed
from signing_service.sso import client_certificate
from signing_service.sso.browser import (
    AUTHORIZE_PATH,
    END_SESSION_PATH,
    Cookies,
    current_session,
    set_current_session,
)
from signing_service.sso.client_certificate import ClientCertificate
from signing_service.sso.dpop.proofs import Proof, thumbprint_text
from signing_service.sso.dpop.web import proof_of_request, with_nonce
from signing_service.sso.openid.authorization import Asked, Authorization, SignInNeeded
from signing_service.sso.openid.authorization_request import FORM_POST
from signing_service.sso.openid.discovery import discovery
from signing_service.sso.openid.errors import OAuthError, invalid_request, oauth_error
from signing_service.sso.openid.logout import Logout, frame_sources
from signing_service.sso.openid.redirects import (
    answer_fields,
    error_fields,
    found,
    see_other,
    with_parameters,
)
from signing_service.sso.openid.token_endpoint import TokenEndpoint
from signing_service.sso.openid.token_status import TokenStatus
from signing_service.sso.openid.userinfo import MAX_FORM_OCTETS, UserInfo
from signing_service.sso.platform import NONE, Platform
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import SignedIn

_MAX_QUERY_CHARACTERS = 8_000
_PUBLIC_FOR = timedelta(minutes=5)


class OpenIdRoutes:
    """Parse, call, render."""

    def __init__(
        self, services: SsoServices, cookies: Cookies, limit_strangers: Callable[[], None]
    ) -> None:
        """`limit_strangers` raises TooMany."""
        self._limit_strangers = limit_strangers
        self._services = services
        self._cookies = cookies
        self._authorization = Authorization(services)
        self._tokens = TokenEndpoint(services)
        self._status = TokenStatus(services)
        self._userinfo = UserInfo(services)
        self._logout = Logout(services)

    def configuration(self) -> Response:
        return _public(jsonify(discovery(self._services)))

    def metadata(self) -> Response:
        """The same under RFC 8414's address."""
        return self.configuration()

    def jwks(self) -> Response:
        return _public(jsonify(self._services.id_token_keys.jwks()))

    # -- authorization (OpenID Connect Core, 3.1.2; RFC 9126) ------------------------------------

    def authorize_post(self) -> Response:
        """As a GET: our cookies do not come with another site's form."""
        query = urlencode(list(request.form.items(multi=True)))
        require_once(request.form, query)
        return see_other(f"{AUTHORIZE_PATH}?{query}")

    def authorize(self) -> Response:
        require_once(request.args, request.query_string.decode("latin-1"))
        asked = self._authorization.recognise(request.args)
        try:
            wanted = self._authorization.read(asked)
            code = self._authorization.code(asked, wanted, current_session())
        except OAuthError as error:
            return self._answer_error(asked, error)
        except SignInNeeded as needed:
            back = f"{AUTHORIZE_PATH}?{urlencode(needed.query)}"
            return see_other("/sso/sign-in?" + urlencode({"next": back, **_language(asked)}))
        return self._answer(asked, [("code", code)])

    def decline(self) -> Response:
        """The holder does not sign in, and the platform is told (RFC 6749, 4.1.2.1).

        The form of the sign-in page alone does this: no link, picture or foreign page can.
        """
        require_once(request.args, request.query_string.decode("latin-1"))
        asked = self._authorization.recognise(request.args)
        error = self._authorization.declined(asked)
        fields = self._fields(asked, error_fields(error.error, error.description))
        if _is_form_post(asked):
            return _posting_page(asked.redirect_uri, fields)
        return continue_page(with_parameters(asked.redirect_uri, fields), is_signed_in=False)

    def _answer_error(self, asked: Asked, error: OAuthError) -> Response:
        return self._answer(asked, error_fields(error.error, error.description))

    def _answer(self, asked: Asked, told: list[tuple[str, str]]) -> Response:
        """In the way that was asked for."""
        fields = self._fields(asked, told)
        if _is_form_post(asked):
            return _posting_page(asked.redirect_uri, fields)
        return found(with_parameters(asked.redirect_uri, fields))

    def _fields(self, asked: Asked, told: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return answer_fields(told, self._services.settings.origin, asked.state)

    def pushed_authorization(self) -> Response:
        """RFC 9126, 2. Anybody may speak for a platform without a secret, whose name is public:
        so many requests from one address, each of which is kept."""

        def answer(platform: Platform, form: MultiDict[str, str]) -> Response:
            if platform.auth_method == NONE:
                self._limit_strangers()
            query = urlencode(list(form.items()))
            require_once(form, query)
            if "request_uri" in form:
                raise invalid_request("A pushed request refers to no other.")
            given = {name: value for name, value in form.items() if name not in _CREDENTIALS}
            given["client_id"] = platform.client_id
            proof = proof_of_request(self._services)
            if proof is not None:
                given["dpop_jkt"] = _same_key(given, proof)
            try:
                asked = self._authorization.recognise(MultiDict(given))
            except Malformed as refusal:
                raise invalid_request(refusal.detail) from None
            self._authorization.read_pushed(asked)
            if proof is not None:
                self._services.dpop.spend(proof, platform.client_id)
            name = self._services.pushed_requests.keep(platform.client_id, asked.parameters)
            lasts = self._services.settings.pushed_request_seconds
            return make_response(jsonify(request_uri=name, expires_in=lasts), 201)

        return self._for_platform(answer)

    # -- tokens ----------------------------------------------------------------------------------

    def token(self) -> Response:
        """RFC 6749, 3.2."""
        return self._for_platform(
            lambda platform, form: jsonify(
                self._tokens.answer(
                    platform, form, self._certificate(), proof_of_request(self._services)
                )
            )
        )

    def introspect(self) -> Response:
        """RFC 7662, 2: never for whoever merely knows a name."""

        def answer(platform: Platform, form: MultiDict[str, str]) -> Response:
            if platform.auth_method == NONE:
                raise OAuthError("invalid_client", status=401)
            return jsonify(self._status.introspection(platform, form))

        return self._for_platform(answer)

    def revoke(self) -> Response:
        """RFC 7009, 2.2."""

        def answer(platform: Platform, form: MultiDict[str, str]) -> Response:
            self._status.revocation(platform, form)
            return make_response("", 200)

        return self._for_platform(answer)

    def _for_platform(
        self, answer: Callable[[Platform, MultiDict[str, str]], Response]
    ) -> Response:
        """Parameters come in the body, each once, from a platform that proves who it is."""
        request.max_content_length = MAX_FORM_OCTETS
        form = request.form
        if request.args or any(len(form.getlist(name)) > 1 for name in form):
            return oauth_error(invalid_request("Parameters come in the body, each once."))
        try:
            platform = self._services.client_authentication.authenticate(
                request.headers.get("Authorization"), form, self._certificate()
            )
            response = answer(platform, form)
        except OAuthError as error:
            response = oauth_error(error)
        return with_nonce(self._services, response)

    def _certificate(self) -> ClientCertificate | None:
        return client_certificate.presented(self._services.settings)

    def userinfo(self) -> Response:
        """OpenID Connect Core, 5.3."""
        return self._userinfo.answer()

    # -- end of session --------------------------------------------------------------------------

    def end_session_post(self) -> Response:
        """As a GET (RP-Initiated Logout, 2): our cookies do not come with another site's form,
        and without them neither the holder nor the other platforms would hear of the end."""
        query = urlencode(list(request.form.items(multi=True)))
        require_once(request.form, query)
        return see_other(f"{END_SESSION_PATH}?{query}")

    def end_session(self) -> Response:
        asked = request.args
        require_once(asked, request.query_string.decode("latin-1"))
        signed_in = current_session()
        wanted = self._logout.read(asked)
        if wanted is None or (signed_in is not None and signed_in.session != wanted.sid):
            return self._ask_before_ending(signed_in)
        frames = self._logout.end(wanted, signed_in)
        set_current_session(None)
        if wanted.target is not None and not frames:
            response = see_other(wanted.target)
        else:
            response = signed_out_page(frames, wanted.target)
        self._cookies.forget_session(response)
        return response

    def _ask_before_ending(self, signed_in: SignedIn | None) -> Response:
        """Without a proof that the platform knows this session, the holder decides."""
        if signed_in is None:
            return make_response(render_template("sso/signed_out.html"))
        return make_response(render_template("sso/sign_out.html", holder=signed_in.holder))


def _language(asked: Asked) -> dict[str, str]:
    """The first of the holder's preferred languages that we speak (`ui_locales`)."""
    for each in asked.parameters.get("ui_locales", "").split()[:10]:
        language = each.partition("-")[0].lower()
        if language in ("zh", "en"):
            return {"lang": language}
    return {}


def _same_key(given: dict[str, str], proof: Proof) -> str:
    """The key that the code will be for: the proof's, which `dpop_jkt` may name, too (10.1)."""
    key = thumbprint_text(proof.key)
    if given.get("dpop_jkt", key) != key:
        raise OAuthError("invalid_dpop_proof", "dpop_jkt names another key than the proof's.")
    return key


_CREDENTIALS = frozenset({"client_assertion", "client_assertion_type", "client_secret"})


def signed_out_page(frames: list[str], target: str | None) -> Response:
    """Tells the platforms through the browser, each in a frame, then goes on."""
    page = render_template("sso/signed_out.html", frames=frames, target=target)
    response = make_response(page)
    if frames:
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; "
            f"frame-src {frame_sources(frames)}; base-uri 'none'; form-action 'self'; "
            "frame-ancestors 'none'"
        )
    if target is not None:
        response.headers["Refresh"] = f"3; url={target}"
    return response


def continue_page(target: str, *, is_signed_in: bool) -> Response:
    """What follows a form of ours: Chromium holds redirects after a form to `form-action`, too."""
    page = render_template("sso/continue.html", target=target, is_signed_in=is_signed_in)
    response = make_response(page)
    response.headers["Refresh"] = f"0; url={target}"
    return response


def _is_form_post(asked: Asked) -> bool:
    return asked.parameters.get("response_mode") == FORM_POST


def _posting_page(target: str, fields: list[tuple[str, str]]) -> Response:
    """A form that the browser sends on to the platform (Form Post Response Mode, 2).

    Where forms may lead is left open on this page: Chromium holds the redirects after a form to
    it as well, and the platform's callback may go on to another origin.
    """
    is_code = "code" in dict(fields)
    page = render_template("sso/form_post.html", target=target, fields=fields, is_code=is_code)
    response = make_response(page)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; "
        "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return response


def require_once(asked: MultiDict[str, str], query: str) -> None:
    """Raises Malformed `oidc.request-length`, `oidc.parameter-repeated` (RFC 6749, 3.1)."""
    if len(query) > _MAX_QUERY_CHARACTERS:
        raise Malformed("oidc.request-length", "the request is too long")
    if any(len(asked.getlist(name)) > 1 for name in asked):
        raise Malformed("oidc.parameter-repeated", "a parameter stands twice")


def _public(response: Response) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={int(_PUBLIC_FOR.total_seconds())}"
    return response
