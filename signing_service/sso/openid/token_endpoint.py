"""Tokens for codes and refresh tokens (RFC 6749, 4.1.3 and 6; OpenID Connect Core, 3.1.3, 12)."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from signing_service.sso.claims import holder_claims
from signing_service.sso.client_certificate import ClientCertificate
from signing_service.sso.dpop.proofs import Proof, proof_missing
from signing_service.sso.grants import CodeGrant, NewTokens, Terms, TokenGrant
from signing_service.sso.openid.errors import OAuthError, invalid_grant, invalid_request
from signing_service.sso.platform import NONE, SELF_SIGNED_TLS, TLS, Platform
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import Arrival, SignedIn, new_secret

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""RFC 7636, 4.1."""
_MAX_TOKEN_CHARACTERS = 200
GRANT_TYPES = ("authorization_code", "refresh_token")


@dataclass(frozen=True)
class Bound:
    """What a request's tokens are for."""

    certificate: bytes | None
    """SHA-256 of the platform's certificate (RFC 8705, 3)."""
    proof: Proof | None

    @property
    def key(self) -> bytes | None:
        return None if self.proof is None else self.proof.key


class TokenEndpoint:
    """Gives tokens to a platform that has proven who it is."""

    def __init__(self, services: SsoServices) -> None:
        self._services = services

    def answer(
        self,
        platform: Platform,
        form: Mapping[str, str],
        certificate: ClientCertificate | None,
        proof: Proof | None,
    ) -> dict[str, object]:
        """The token response; for the key of `proof`, where there is one. Raises OAuthError."""
        if platform.terms.dpop_bound and proof is None:
            raise proof_missing()
        bound = Bound(certificate_hash(platform, certificate), proof)
        kind = form.get("grant_type")
        if kind == "authorization_code":
            return self._by_code(platform, form, bound)
        if kind == "refresh_token":
            return self._by_refresh(platform, form, bound)
        raise OAuthError("unsupported_grant_type")

    def _by_code(
        self, platform: Platform, form: Mapping[str, str], bound: Bound
    ) -> dict[str, object]:
        grant = redeemed_code(self._services, platform, form)
        if grant.terms is None:  # a code of remote signing
            raise invalid_grant("The code is not for this.")
        self._require_key(grant.dpop_key, platform, bound)
        signed_in = self._services.sessions.by_name(grant.sid)
        if signed_in is None:
            raise invalid_grant("The session is over.")
        new = self._new_tokens(platform, bound)
        answer = self._response(
            platform, signed_in, grant.scope, grant.terms, new, nonce=grant.nonce
        )
        if not self._services.grants.save_tokens(new, grant, Arrival.of(signed_in, platform.name)):
            raise invalid_grant("The code was used twice.")
        return answer

    def _by_refresh(
        self, platform: Platform, form: Mapping[str, str], bound: Bound
    ) -> dict[str, object]:
        token = form.get("refresh_token")
        if not token:
            raise invalid_request("refresh_token is missing.")
        if not platform.terms.refresh:
            raise OAuthError("unauthorized_client", "No refresh tokens for this platform.")
        grants = self._services.grants
        grant = None
        if len(token) <= _MAX_TOKEN_CHARACTERS:
            grant = grants.take_refresh(token, platform.client_id)
        if grant is None or grant.terms is None or grant.certificate_hash != bound.certificate:
            raise invalid_grant("The refresh token is not good, or was used before.")
        self._require_key(grant.dpop_key, platform, bound)
        scope = _narrowed(grant, platform, form.get("scope"))
        signed_in = self._services.sessions.by_name(grant.sid)
        if signed_in is None:
            raise invalid_grant("The session is over.")
        new = self._new_tokens(platform, bound)
        answer = self._response(platform, signed_in, scope, grant.terms, new)
        if not grants.save_refreshed(new, grant, scope, Arrival.of(signed_in, platform.name)):
            raise invalid_grant("The refresh token was used twice.")
        return answer

    def _require_key(self, wanted: bytes | None, platform: Platform, bound: Bound) -> None:
        """The proof is of the key that was `wanted`, and new. It is looked at only now that the
        grant is known to be good, so that nobody else fills the store of used proofs."""
        if wanted is not None and bound.key != wanted:
            raise invalid_grant("This was granted for the holder of another key.")
        if bound.proof is not None:
            self._services.dpop.spend(bound.proof, platform.client_id)

    def _new_tokens(self, platform: Platform, bound: Bound) -> NewTokens:
        """A refresh token is bound to a key where nothing else tells its platform from others
        (RFC 9449, 5)."""
        entropy, key = self._services.entropy, bound.key
        refresh = new_secret(entropy) if platform.terms.refresh else None
        of_refresh = key if platform.auth_method == NONE else None
        return NewTokens(new_secret(entropy), refresh, bound.certificate, key, of_refresh)

    def _response(
        self,
        platform: Platform,
        signed_in: SignedIn,
        scope: str,
        terms: Terms,
        new: NewTokens,
        nonce: str | None = None,
    ) -> dict[str, object]:
        answer: dict[str, object] = {
            "access_token": new.access,
            "token_type": token_type(new.dpop_key),
            "expires_in": self._services.settings.access_token_seconds,
            "scope": scope,
            "id_token": self._id_token(platform, signed_in, scope, terms, new.access, nonce),
        }
        if new.refresh is not None:
            answer["refresh_token"] = new.refresh
        if terms.acts:
            answer["authorization_details"] = list(terms.acts)
        return answer

    def _id_token(
        self,
        platform: Platform,
        signed_in: SignedIn,
        scope: str,
        terms: Terms,
        access_token: str,
        nonce: str | None,
    ) -> str:
        """OpenID Connect Core, 2."""
        services = self._services
        keys = services.id_token_keys
        now = int(services.clock.now().timestamp())
        claims: dict[str, object] = {
            "iss": services.settings.origin,
            "aud": platform.client_id,
            "iat": now,
            "exp": now + services.settings.id_token_seconds,
            "at_hash": keys.access_token_hash(access_token),
            "auth_time": terms.auth_time,
            "sid": signed_in.session,
            "acr": terms.acr,
            "amr": list(terms.amr),
            **holder_claims(
                signed_in.holder,
                scope,
                requested=terms.id_token_claims,
                permitted=platform.claims,
            ),
        }
        if nonce is not None:
            claims["nonce"] = nonce
        if terms.acts:
            claims["authorization_details"] = list(terms.acts)
        return keys.sign(claims)


def token_type(dpop_key: bytes | None) -> str:
    """Of an access token that is bound to this key (RFC 9449, 5), or to none."""
    return "Bearer" if dpop_key is None else "DPoP"


def redeemed_code(services: SsoServices, platform: Platform, form: Mapping[str, str]) -> CodeGrant:
    """The code of this request, spent: whatever is wrong with the request, it is not good again.

    Raises OAuthError `invalid_request`, `invalid_grant`.
    """
    code, verifier = form.get("code"), form.get("code_verifier", "")
    if not code:
        raise invalid_request("code is missing.")
    grant = None
    if len(code) <= _MAX_TOKEN_CHARACTERS:
        grant = services.grants.take_code(code, platform.client_id)
    if not _VERIFIER.fullmatch(verifier):
        raise invalid_request("code_verifier is missing or malformed.")
    if grant is None:
        raise invalid_grant("The code is not good, or was used before.")
    if form.get("redirect_uri") != grant.redirect_uri:
        raise invalid_grant("redirect_uri is not that of the authorization request.")
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest())
    if not hmac.compare_digest(digest.rstrip(b"="), grant.code_challenge.encode("ascii")):
        raise invalid_grant("code_verifier is not that of the authorization request.")
    return grant


def certificate_hash(platform: Platform, certificate: ClientCertificate | None) -> bytes | None:
    """What the tokens of a platform known by its certificate are bound to (RFC 8705, 3)."""
    if platform.auth_method not in (TLS, SELF_SIGNED_TLS) or certificate is None:
        return None
    return bytes.fromhex(certificate.certificate.fingerprint)


def _narrowed(grant: TokenGrant, platform: Platform, asked: str | None) -> str:
    """The scope of a refreshed token: never more than was granted, nor than is permitted now."""
    granted = [each for each in grant.scope.split() if each in platform.scopes]
    if asked is None:
        return " ".join(granted)
    wanted = asked.split()
    if not set(wanted) <= set(granted) or "openid" not in wanted:
        raise OAuthError("invalid_scope", "A refresh token gives no more than was granted.")
    return " ".join(dict.fromkeys(wanted))
