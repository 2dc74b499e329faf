"""The OpenID provider: Authlib's grant machinery on our storage, keys and clock.

Authlib is told everything that it would otherwise take from a message or a default: the address
of the request (from our own origin, not the Host header), S256 as the only PKCE method, the
algorithm and key of ID tokens, times from our clock.
"""

import re
from typing import Any, ClassVar

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.flask_oauth2.requests import FlaskOAuth2Payload, FlaskOAuth2Request
from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc9207 import IssuerParameter
from authlib.oidc.core.grants import OpenIDCode
from flask import request as flask_request

from signing_service.sso.claims import (
    ACR_CARD,
    ACR_CERTIFICATE,
    CLAIMS,
    SCOPES,
    authentication_claims,
    holder_claims,
)
from signing_service.sso.grants import CodeGrant
from signing_service.sso.platforms import Platform
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import SignedIn, new_secret

_S256 = re.compile(r"[A-Za-z0-9_-]{43}")
"""32 octets in base64url (RFC 7636, 4.2)."""


class OpenIdServer(AuthorizationServer):
    """Authlib's server with one grant: authorization code, PKCE S256, OpenID Connect."""

    def __init__(self, services: SsoServices) -> None:
        super().__init__()
        self.services = services
        lifetime = services.settings.access_token_seconds
        self.register_token_generator(
            "default",
            BearerTokenGenerator(
                access_token_generator=lambda **_: new_secret(services.entropy),
                expires_generator=lambda client, grant_type: lifetime,
            ),
        )
        self.register_grant(CodeFlow, [S256Only(required=True), _OpenIdCode(services)])
        self.register_extension(issuer_parameter(services.settings.origin))

    def query_client(self, client_id: str) -> Platform | None:
        return self.services.platforms.find(client_id)

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        grant: CodeGrant = request.authorization_code
        signed_in: SignedIn = request.user
        saved = self.services.grants.save_access_token(
            token["access_token"], grant, signed_in.holder.subject
        )
        if not saved:
            raise InvalidGrantError("The code was used twice.")

    def create_oauth2_request(self, request: object) -> OAuth2Request:
        return OwnRequest(self.services.settings.origin)

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens; the journal is written where the facts are."""


class OwnRequest(FlaskOAuth2Request):
    """The present request under our own origin, whatever a proxy or a client says."""

    def __init__(self, origin: str) -> None:
        uri = origin + flask_request.full_path
        OAuth2Request.__init__(self, flask_request.method, uri, headers=flask_request.headers)
        self._request = flask_request
        self.payload = FlaskOAuth2Payload(flask_request)


class CodeFlow(AuthorizationCodeGrant):
    """The authorization code grant on our storage (RFC 6749, 4.1)."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[tuple[str, ...]] = ("client_secret_basic", "none")

    def generate_authorization_code(self) -> str:
        return new_secret(self.server.services.entropy)

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        payload = request.payload
        self.server.services.grants.save_code(
            code,
            client_id=request.client.client_id,
            sid=request.user.session,
            redirect_uri=payload.redirect_uri,
            scope=request.scope,
            nonce=payload.data.get("nonce"),
            code_challenge=payload.data["code_challenge"],
        )

    def query_authorization_code(self, code: str, client: Platform) -> CodeGrant | None:
        grant: CodeGrant | None = self.server.services.grants.redeem_code(code, client.client_id)
        return grant

    def delete_authorization_code(self, authorization_code: CodeGrant) -> None:
        """Nothing: it was taken when it was looked up, and stays so that a reuse is seen."""

    def authenticate_user(self, authorization_code: CodeGrant) -> SignedIn | None:
        signed_in: SignedIn | None = self.server.services.sessions.by_name(authorization_code.sid)
        return signed_in


class S256Only(CodeChallenge):
    """RFC 7636 with S256 alone, for every client (RFC 9700, 2.1.1)."""

    DEFAULT_CODE_CHALLENGE_METHOD = "S256"
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: AuthorizationCodeGrant, redirect_uri: str) -> None:
        data = grant.request.payload.data
        challenge = data.get("code_challenge", "")
        if data.get("code_challenge_method") != "S256" or not _S256.fullmatch(challenge):
            raise InvalidRequestError("PKCE with code_challenge_method=S256 is required.")
        super().validate_code_challenge(grant, redirect_uri)


class _OpenIdCode(OpenIDCode):
    def __init__(self, services: SsoServices) -> None:
        super().__init__(require_nonce=False)
        self._services = services

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:
        """False: PKCE stops replays here; the nonce is for the platform to compare, and the
        same request comes twice when the holder signs in between."""
        return False

    def encode_id_token(self, token: dict[str, Any], request: OAuth2Request) -> str:
        return id_token(
            self._services,
            request.user,
            client_id=request.client.client_id,
            scope=token["scope"],
            nonce=request.authorization_code.nonce,
            access_token=token["access_token"],
        )


def id_token(
    services: SsoServices,
    signed_in: SignedIn,
    *,
    client_id: str,
    scope: str,
    nonce: str | None,
    access_token: str,
) -> str:
    """An ID token (OpenID Connect Core, 2)."""
    now = int(services.clock.now().timestamp())
    claims: dict[str, object] = {
        "iss": services.settings.origin,
        "aud": client_id,
        "iat": now,
        "exp": now + services.settings.id_token_seconds,
        "at_hash": services.id_token_keys.access_token_hash(access_token),
        **authentication_claims(signed_in),
        **holder_claims(signed_in.holder, scope),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    return services.id_token_keys.sign(claims)


def issuer_parameter(origin: str) -> IssuerParameter:
    """RFC 9207: the issuer in every authorization response, against mix-up."""

    class Issuer(IssuerParameter):
        def get_issuer(self) -> str:
            return origin

    return Issuer()


def discovery(services: SsoServices) -> dict[str, object]:
    """Provider metadata (OpenID Connect Discovery, 3)."""
    origin = services.settings.origin
    return {
        "issuer": origin,
        "authorization_endpoint": f"{origin}/oidc/authorize",
        "token_endpoint": f"{origin}/oidc/token",
        "userinfo_endpoint": f"{origin}/oidc/userinfo",
        "jwks_uri": f"{origin}/oidc/jwks",
        "end_session_endpoint": f"{origin}/oidc/end-session",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [services.id_token_keys.algorithm],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "none"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login"],
        "acr_values_supported": [ACR_CARD, ACR_CERTIFICATE],
        "claim_types_supported": ["normal"],
        "claims_supported": list(CLAIMS),
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["zh-CN", "en"],
    }
