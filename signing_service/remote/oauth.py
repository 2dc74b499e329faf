"""The authorization server of remote signing: sign-in's codes and tokens with two scopes.

`service` gives an access token to look at an enterprise's seals; `credential` gives a token that
is itself the signature activation data of one seal for the digests that the legal person agreed
to (CSC API 2.0.0.2, 8.4). PKCE with S256 as in `signing_service.sso.openid`.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

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
from signing_service.sso.grants import CodeGrant, NewTokens
from signing_service.sso.openid.authorization_request import read_code_challenge
from signing_service.sso.openid.errors import OAuthError, invalid_grant
from signing_service.sso.openid.token_endpoint import redeemed_code
from signing_service.sso.platform import Platform
from signing_service.sso.sessions import Arrival, SignedIn, new_secret

_CREDENTIAL = re.compile(r"[A-Za-z0-9-]{1,64}")
_NUMBER = re.compile(r"[1-9]\d{0,3}")
_SCOPES = (SERVICE, CREDENTIAL)


@dataclass(frozen=True)
class RemoteTokens:
    """Gives codes and tokens of remote signing."""

    services: RemoteServices

    def code(
        self,
        platform: Platform,
        asked: Mapping[str, str],
        signed_in: SignedIn,
        agreed: Authorisation | None,
    ) -> str:
        """A code for what the legal person agreed to. Raises as `require_good`."""
        sso = self.services.sso
        code = new_secret(sso.entropy)
        grant = CodeGrant(
            client_id=platform.client_id,
            sid=signed_in.session,
            redirect_uri=asked["redirect_uri"],
            scope=asked["scope"],
            nonce=None,
            code_challenge=read_code_challenge(asked),
            details=None if agreed is None else agreed.to_json(),
        )
        sso.grants.save_code(code, grant)
        return code

    def answer(
        self, platform: Platform, form: Mapping[str, str], bound: bytes | None
    ) -> dict[str, object]:
        """The token response (CSC API 2.0.0.2, 8.4.3). `bound`: SHA-256 of the certificate that
        the token will be good with (RFC 8705, 3). Raises OAuthError."""
        if form.get("grant_type") != "authorization_code":
            raise OAuthError("unsupported_grant_type")
        sso = self.services.sso
        grant = redeemed_code(sso, platform, form)
        if grant.scope not in _SCOPES:  # a code of sign-in
            raise invalid_grant("The code is not for this.")
        signed_in = sso.sessions.by_name(grant.sid)
        if signed_in is None:
            raise invalid_grant("The session is over.")
        if grant.scope == CREDENTIAL:
            return self._activation(grant, signed_in, bound)
        new = NewTokens(new_secret(sso.entropy), certificate_hash=bound)
        if not sso.grants.save_tokens(new, grant, Arrival.of(signed_in, platform.name)):
            raise invalid_grant("The code was used twice.")
        return {
            "access_token": new.access,
            "token_type": "Bearer",
            "expires_in": sso.settings.access_token_seconds,
            "scope": grant.scope,
        }

    def _activation(
        self, grant: CodeGrant, signed_in: SignedIn, bound: bytes | None
    ) -> dict[str, object]:
        if grant.details is None:
            raise invalid_grant("Nothing was agreed to.")
        agreed = Authorisation.from_json(grant.details, grant.client_id, grant.sid)
        sad = new_sad(self.services.sso.entropy)
        saved = self.services.activations.save(
            sad,
            agreed,
            actor=signed_in.holder.card,
            code_hash=grant.code_hash,
            certificate_hash=bound,
        )
        if not saved:
            raise invalid_grant("The code was used twice.")
        return {
            "access_token": sad,
            "token_type": "SAD",
            "expires_in": SAD_SECONDS,
            "scope": grant.scope,
            "credentialID": agreed.credential,
        }


def require_good(platform: Platform, asked: Mapping[str, str]) -> None:
    """Raises OAuthError `invalid_scope`, `invalid_request`: one of the two scopes, alone, that
    the platform was registered for, and PKCE."""
    scope = asked.get("scope")
    if scope not in _SCOPES or scope not in platform.scopes:
        raise OAuthError("invalid_scope", "One scope that was registered for this platform.")
    read_code_challenge(asked)


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
