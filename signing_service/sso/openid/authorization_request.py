"""An authorization request (OpenID Connect Core, 3.1.2.1), read strictly before it is believed."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from signing_service.sso.claims import ACR_CARD_FRESH
from signing_service.sso.confirmation import Confirmation
from signing_service.sso.dpop.proofs import read_thumbprint
from signing_service.sso.freshness import ASKED, FRESH_PROMPTS
from signing_service.sso.openid.acts import confirmation_of, read_acts
from signing_service.sso.openid.errors import OAuthError, invalid_request
from signing_service.sso.openid.requested_claims import RequestedClaims, read_requested_claims
from signing_service.sso.platform import Platform

QUERY, FORM_POST = "query", "form_post"
RESPONSE_MODES = (QUERY, FORM_POST)
NO_PROMPT = "none"
_S256 = re.compile(r"[A-Za-z0-9_-]{43}")
"""32 octets in base64url (RFC 7636, 4.2)."""
_MAX_STATE_CHARACTERS = 4_000
_MAX_NONCE_CHARACTERS = 512
_MAX_HINT_CHARACTERS = 200
_MAX_NOTE_CHARACTERS = 300


@dataclass(frozen=True)
class AuthorizationRequest:
    """What a platform asks for; client and redirect URI are known to belong together."""

    platform: Platform
    redirect_uri: str
    scope: str
    state: str | None
    nonce: str | None
    code_challenge: str
    silent: bool
    """`prompt=none`: nothing is to be shown to the holder."""
    max_age: int | None
    acr_values: tuple[str, ...]
    login_hint: str | None
    id_token_hint: str | None
    claims: RequestedClaims
    acts: tuple[dict[str, Any], ...]
    dpop_key: bytes | None
    """Whose holder alone may redeem the code: `dpop_jkt` (RFC 9449, 10)."""
    digest: str
    """SHA-256 of the whole request, hexadecimal."""

    @property
    def purpose(self) -> str | None:
        """What a proof must be made for, when this request wants one for itself alone."""
        fresh = ACR_CARD_FRESH in self.acr_values or ACR_CARD_FRESH in self.claims.essential_acrs
        return self.digest if self.acts or fresh else None

    @property
    def confirmation(self) -> Confirmation | None:
        """What the holder is shown before the proof, and signs."""
        return confirmation_of(self.platform.name, self.acts)


def read_request(platform: Platform, asked: Mapping[str, str]) -> AuthorizationRequest:
    """`asked` with client_id and a redirect_uri that the platform registered.

    Raises OAuthError with the errors of RFC 6749 (4.1.2.1), OpenID Connect Core (3.1.2.6) and
    RFC 9396 (5).
    """
    _refuse_what_is_not_done(asked)
    scope = platform.granted_scope(asked.get("scope"))
    if scope is None:
        raise OAuthError("invalid_scope", "The scope holds openid and what was registered.")
    return AuthorizationRequest(
        platform=platform,
        redirect_uri=asked["redirect_uri"],
        scope=scope,
        state=asked.get("state"),
        nonce=_text(asked, "nonce", _MAX_NONCE_CHARACTERS),
        code_challenge=read_code_challenge(asked),
        silent=asked.get("prompt", "").split() == [NO_PROMPT],
        max_age=int(asked["max_age"]) if "max_age" in asked else None,
        acr_values=tuple(asked.get("acr_values", "").split()),
        login_hint=_text(asked, "login_hint", _MAX_HINT_CHARACTERS),
        id_token_hint=asked.get("id_token_hint"),
        claims=read_requested_claims(asked.get("claims")),
        acts=read_acts(asked.get("authorization_details")),
        dpop_key=_dpop_key(asked),
        digest=_digest(asked),
    )


def read_code_challenge(asked: Mapping[str, str]) -> str:
    """S256 alone, for every platform (RFC 7636; RFC 9700, 2.1.1). Raises OAuthError."""
    challenge = asked.get("code_challenge", "")
    if asked.get("code_challenge_method") != "S256" or not _S256.fullmatch(challenge):
        raise invalid_request("PKCE with code_challenge_method=S256 is required.")
    return challenge


def _refuse_what_is_not_done(asked: Mapping[str, str]) -> None:
    if "response_type" not in asked:
        raise invalid_request("The response_type is missing.")
    if asked["response_type"] != "code":
        raise OAuthError("unsupported_response_type", "Only response_type=code is supported.")
    if "request" in asked:
        raise OAuthError("request_not_supported", "Request objects are not supported.")
    if "request_uri" in asked:
        raise OAuthError("request_uri_not_supported", "Only requests pushed to us are taken.")
    if asked.get("response_mode", QUERY) not in RESPONSE_MODES:
        raise invalid_request("The response_mode is query or form_post.")
    prompts = set(asked.get("prompt", "").split())
    if not prompts <= {NO_PROMPT, *FRESH_PROMPTS} or (NO_PROMPT in prompts and len(prompts) > 1):
        raise invalid_request("prompt is none alone, or some of login, consent, select_account.")
    max_age = asked.get("max_age", "0")
    if not (max_age.isascii() and max_age.isdecimal()) or len(max_age) > 9:
        raise invalid_request("max_age is a number of seconds.")
    if len(asked.get("state", "")) > _MAX_STATE_CHARACTERS:
        raise invalid_request("The state is too long.")
    if len(asked.get(ASKED, "")) > _MAX_NOTE_CHARACTERS:
        raise invalid_request("The request is malformed.")


def _dpop_key(asked: Mapping[str, str]) -> bytes | None:
    if "dpop_jkt" not in asked:
        return None
    key = read_thumbprint(asked["dpop_jkt"])
    if key is None:
        raise invalid_request("dpop_jkt is the SHA-256 thumbprint of a key, in base64url.")
    return key


def _text(asked: Mapping[str, str], name: str, longest: int) -> str | None:
    value = asked.get(name)
    if value is not None and (len(value) > longest or not value.isprintable()):
        raise invalid_request(f"The {name} is too long, or not printable.")
    return value


def _digest(asked: Mapping[str, str]) -> str:
    query = urlencode(sorted((name, value) for name, value in asked.items() if name != ASKED))
    return hashlib.sha256(query.encode()).hexdigest()
