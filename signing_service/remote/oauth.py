"""The authorization server of remote signing: sign-in's grant machinery with two scopes.

`service` gives an access token to look at an enterprise's seals; `credential` gives a token that
is itself the signature activation data of one seal for the digests that the legal person agreed
to (CSC API 2.0.0.2, 8.4). PKCE with S256, our own origin and our own storage: as in
`signing_service.sso.openid`.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Request
from authlib.oauth2.rfc6749 import InvalidGrantError
from authlib.oauth2.rfc6750 import BearerTokenGenerator

from kernel.refusals import Malformed
from signing_service.remote.activation import (
    MOST_SIGNATURES,
    SAD_SECONDS,
    Authorisation,
    new_sad,
)
from signing_service.remote.algorithms import digest_named, require_length
from signing_service.remote.callers import CREDENTIAL, SERVICE
from signing_service.remote.services import RemoteServices
from signing_service.sso.grants import CodeGrant
from signing_service.sso.openid import CodeFlow, OwnRequest, S256Only, issuer_parameter
from signing_service.sso.platforms import Platform
from signing_service.sso.sessions import SignedIn, new_secret

_CREDENTIAL = re.compile(r"[A-Za-z0-9-]{1,64}")
_NUMBER = re.compile(r"[1-9]\d{0,3}")
_SCOPES = (SERVICE, CREDENTIAL)


class RemoteClient(Platform):
    """A platform as a client of remote signing (RFC 6749, 2)."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """One of the two scopes, alone, that the platform was registered for."""
        return scope if scope in _SCOPES and scope in self.scopes else None

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """The standard lets the secret come in the body, too (CSC API 2.0.0.2, 8.4.3)."""
        return method == "none" if self.secret_digest is None else method in _SECRET_METHODS


_SECRET_METHODS = ("client_secret_basic", "client_secret_post")


@dataclass(frozen=True)
class Consent:
    """A legal person's answer; what the grant machinery takes for its user."""

    signed_in: SignedIn
    agreed: Authorisation | None

    @property
    def session(self) -> str:
        return self.signed_in.session


class RemoteServer(AuthorizationServer):
    """Authlib's server with one grant: authorization code, PKCE S256."""

    def __init__(self, services: RemoteServices) -> None:
        super().__init__()
        self.services = services.sso
        self._remote = services
        self.register_token_generator(
            "default",
            BearerTokenGenerator(
                access_token_generator=self._new_token, expires_generator=self._lifetime
            ),
        )
        self.register_grant(_RemoteFlow, [S256Only(required=True)])
        self.register_extension(issuer_parameter(services.sso.settings.origin))

    def query_client(self, client_id: str) -> RemoteClient | None:
        platform = self.services.platforms.find(client_id)
        return None if platform is None else RemoteClient(**vars(platform))

    def save_token(self, token: dict[str, Any], request: OAuth2Request) -> None:
        grant: CodeGrant = request.authorization_code
        signed_in: SignedIn = request.user
        if grant.scope == CREDENTIAL:
            saved = self._save_activation(token, grant, signed_in)
        else:
            saved = self.services.grants.save_access_token(
                token["access_token"], grant, signed_in.holder.subject
            )
        if not saved:
            raise InvalidGrantError("The code was used twice.")

    def _save_activation(
        self, token: dict[str, Any], grant: CodeGrant, signed_in: SignedIn
    ) -> bool:
        if grant.details is None:
            return False
        agreed = Authorisation.from_json(grant.details, grant.client_id, grant.sid)
        token["token_type"] = "SAD"
        token["expires_in"] = SAD_SECONDS
        token["credentialID"] = agreed.credential
        return self._remote.activations.save(
            token["access_token"],
            agreed,
            actor=signed_in.holder.card,
            code_hash=grant.code_hash,
        )

    def _new_token(self, *, scope: str, **_: object) -> str:
        make = new_sad if scope == CREDENTIAL else new_secret
        return make(self.services.entropy)

    def _lifetime(self, client: RemoteClient, grant_type: str) -> int:
        return self.services.settings.access_token_seconds

    def create_oauth2_request(self, request: object) -> OAuth2Request:
        return OwnRequest(self.services.settings.origin)

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens; the journal is written where the facts are."""


class _RemoteFlow(CodeFlow):
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[tuple[str, ...]] = (*_SECRET_METHODS, "none")

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        consent: Consent = request.user
        payload = request.payload
        self.server.services.grants.save_code(
            code,
            client_id=request.client.client_id,
            sid=consent.session,
            redirect_uri=payload.redirect_uri,
            scope=request.scope,
            nonce=None,
            code_challenge=payload.data["code_challenge"],
            details=None if consent.agreed is None else consent.agreed.to_json(),
        )

    def query_authorization_code(self, code: str, client: Platform) -> CodeGrant | None:
        grant = super().query_authorization_code(code, client)
        return grant if grant is not None and grant.scope in _SCOPES else None


def read_authorisation(asked: Mapping[str, str], client_id: str, sid: str) -> Authorisation:
    """What a request with scope `credential` asks for (CSC API 2.0.0.2, 8.4.2).

    `hashes` are base64url (base64 is taken, too), separated by commas; `numSignatures` is their
    number. Raises Malformed `remote.request`, `remote.hash`; Unprocessable `remote.algorithm`,
    `remote.hash-length`.
    """
    credential, number = asked.get("credentialID", ""), asked.get("numSignatures", "")
    if not _CREDENTIAL.fullmatch(credential) or not _NUMBER.fullmatch(number):
        raise Malformed("remote.request", "Missing or invalid credentialID or numSignatures")
    texts = asked.get("hashes", "").split(",")
    if len(texts) > MOST_SIGNATURES or len(texts) != int(number):
        raise Malformed("remote.request", "numSignatures is not the number of hashes")
    hashes = tuple(_hash(text) for text in texts)
    digest = digest_named(asked.get("hashAlgorithmOID", ""))
    require_length(digest, hashes)
    return Authorisation(client_id, sid, credential, digest, hashes)


def _hash(text: str) -> bytes:
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("remote.hash", "Invalid Base64 hash string parameter") from None
