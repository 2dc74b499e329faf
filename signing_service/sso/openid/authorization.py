"""What an authorization request gets: a code, an error, or the way to the sign-in page."""

from collections.abc import Mapping
from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from kernel.refusals import Malformed
from signing_service.sso.claims import ACR_CARD, ACR_CARD_FRESH, context_of
from signing_service.sso.freshness import ASKED, NOTE_LASTS, Freshness
from signing_service.sso.grants import CodeGrant, Terms
from signing_service.sso.openid.authorization_request import AuthorizationRequest, read_request
from signing_service.sso.openid.errors import OAuthError, invalid_request
from signing_service.sso.openid.pushed_requests import PREFIX
from signing_service.sso.platform import Platform
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import CARD, SignedIn, new_secret


@dataclass(frozen=True)
class Asked:
    """A request whose platform and redirect URI belong together; the rest is not looked at yet."""

    platform: Platform
    redirect_uri: str
    parameters: Mapping[str, str]
    """What is asked, whether it stood in the address or was pushed; with the note, if any."""
    query: Mapping[str, str]
    """What stood in the address, without the note."""
    pushed: str | None

    @property
    def state(self) -> str | None:
        return self.parameters.get("state")


@dataclass(frozen=True)
class SignInNeeded(Exception):
    """The holder must prove the card; `query` comes back afterwards."""

    query: Mapping[str, str]


class Authorization:
    """Answers authorization requests."""

    def __init__(self, services: SsoServices) -> None:
        self._services = services
        self._freshness = Freshness(services.clock)

    def recognise(self, query: MultiDict[str, str]) -> Asked:
        """Until platform and redirect URI are known, an error goes to the person, not anywhere.

        Raises Malformed `oidc.client-unknown`, `oidc.redirect-uri`, `oidc.request-uri`.
        """
        given = query.to_dict()
        plain = {name: value for name, value in given.items() if name != ASKED}
        platform = self._services.platforms.find(given.get("client_id", ""))
        if platform is None:
            raise Malformed("oidc.client-unknown", "no such platform is registered")
        pushed = given.get("request_uri", "")
        parameters = given
        if pushed.startswith(PREFIX):
            found = self._services.pushed_requests.find(pushed, platform.client_id)
            if found is None:
                raise Malformed("oidc.request-uri", "the pushed request is unknown or too old")
            parameters = found
            if ASKED in given:
                parameters = {**found, ASKED: given[ASKED]}
        redirect_uri = parameters.get("redirect_uri", "")
        if not platform.check_redirect_uri(redirect_uri):
            raise Malformed("oidc.redirect-uri", "the platform did not register this redirect_uri")
        name = pushed if pushed.startswith(PREFIX) else None
        return Asked(platform, redirect_uri, parameters, plain, name)

    def read(self, asked: Asked) -> AuthorizationRequest:
        """Raises OAuthError."""
        if asked.platform.terms.pushed_only and asked.pushed is None:
            raise invalid_request("This platform pushes its requests (RFC 9126).")
        return read_request(asked.platform, asked.parameters)

    def read_pushed(self, asked: Asked) -> None:
        """Whether a request that is being pushed is good. Raises OAuthError."""
        read_request(asked.platform, asked.parameters)

    def declined(self, asked: Asked) -> OAuthError:
        """What a platform is told whose holder will not sign in. A request that was pushed is over
        then; one that is answered already in this very moment gets no second answer."""
        try:
            self.read(asked)
            self._spend(asked)
        except OAuthError as error:
            return error
        return OAuthError("access_denied", "The holder declined.")

    def purpose(self, query: MultiDict[str, str]) -> AuthorizationRequest | None:
        """What the sign-in page is asked for: the request behind it, when there is a good one."""
        try:
            return self.read(self.recognise(query))
        except (Malformed, OAuthError):
            return None

    def code(self, asked: Asked, wanted: AuthorizationRequest, signed_in: SignedIn | None) -> str:
        """A code for the holder who is signed in.

        Raises SignInNeeded; OAuthError `login_required`, `unmet_authentication_requirements`.
        """
        expected = self._expected_subject(wanted)
        if signed_in is None or not self._suffices(asked, wanted, signed_in):
            raise self._ask(asked, wanted)
        if expected is not None and signed_in.holder.subject != expected:
            if self._freshness.answers(asked.parameters, signed_in):
                raise OAuthError("login_required", "Another holder signed in than was asked for.")
            raise self._ask(asked, wanted)
        terms = self._terms(wanted, signed_in)
        if wanted.claims.essential_acrs and terms.acr not in _satisfying(wanted):
            raise OAuthError("unmet_authentication_requirements", "This card cannot prove that.")
        if wanted.purpose is not None and not self._services.sessions.spend_purpose(
            signed_in.session, wanted.purpose
        ):
            raise self._ask(asked, wanted)
        self._spend(asked)
        code = new_secret(self._services.entropy)
        grant = CodeGrant(
            client_id=wanted.platform.client_id,
            sid=signed_in.session,
            redirect_uri=wanted.redirect_uri,
            scope=wanted.scope,
            nonce=wanted.nonce,
            code_challenge=wanted.code_challenge,
            terms=terms,
            dpop_key=wanted.dpop_key,
        )
        self._services.grants.save_code(code, grant)
        return code

    def _spend(self, asked: Asked) -> None:
        """Raises OAuthError `invalid_request`."""
        if asked.pushed is not None and not self._services.pushed_requests.spend(asked.pushed):
            raise invalid_request("The pushed request was answered before.")

    def _suffices(self, asked: Asked, wanted: AuthorizationRequest, signed_in: SignedIn) -> bool:
        if wanted.purpose is not None:
            recent = self._services.clock.now() - signed_in.auth_time <= NOTE_LASTS
            return recent and signed_in.purpose == wanted.purpose and signed_in.way == CARD
        return self._freshness.suffices(asked.parameters, signed_in)

    def _ask(self, asked: Asked, wanted: AuthorizationRequest) -> Exception:
        if wanted.silent:
            return OAuthError("login_required")
        return SignInNeeded({**asked.query, ASKED: self._freshness.note(asked.parameters)})

    def _expected_subject(self, wanted: AuthorizationRequest) -> str | None:
        """Whom the platform wants to see. Raises OAuthError `invalid_request`."""
        if wanted.id_token_hint is None:
            return wanted.claims.subject
        services = self._services
        try:
            hint = services.id_token_keys.read(wanted.id_token_hint, services.settings.origin)
        except Malformed:
            raise invalid_request("id_token_hint is not an ID token of ours.") from None
        return str(hint.get("sub"))

    def _terms(self, wanted: AuthorizationRequest, signed_in: SignedIn) -> Terms:
        acr, amr = context_of(signed_in)
        if wanted.purpose is not None and acr == ACR_CARD:
            acr = ACR_CARD_FRESH
        return Terms(
            acr=acr,
            amr=amr,
            auth_time=int(signed_in.auth_time.timestamp()),
            id_token_claims=tuple(wanted.claims.id_token),
            userinfo_claims=tuple(wanted.claims.userinfo),
            acts=wanted.acts,
        )


def _satisfying(wanted: AuthorizationRequest) -> set[str]:
    """The contexts that meet what is essential: what is surer meets it too."""
    essential = set(wanted.claims.essential_acrs)
    return essential | ({ACR_CARD_FRESH} if ACR_CARD in essential else set())
