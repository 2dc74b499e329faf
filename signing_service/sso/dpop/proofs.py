"""Proofs that a request's sender holds a key (RFC 9449, 4), read strictly.

The key comes in the proof itself, so it proves nothing but that whoever sends this request holds
it; what that is worth is decided where a code or token is bound to its thumbprint.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, urlsplit

from joserfc.jwk import ECKey, RSAKey

from kernel.clock import Clock
from kernel.refusals import Unprocessable
from signing_service.sso.client_keys import read_public_key
from signing_service.sso.compact_jwt import header_of, verified_claims
from signing_service.sso.dpop.nonces import is_good_nonce
from signing_service.sso.openid.errors import OAuthError
from signing_service.sso.settings import SsoSettings
from signing_service.sso.used_once import UsedOnce

TYPE = "dpop+jwt"
_MAX_CHARACTERS = 4_096
_LARGEST_RSA_BITS = 4_096
_HEADERS = frozenset({"typ", "alg", "jwk", "kid"})
_LONGEST_AGE = timedelta(seconds=60)
_SKEW = timedelta(seconds=30)
_JTI = re.compile(r"[\x21-\x7e]{8,255}")
_UNRESERVED = re.compile(r"%(2[de]|3\d|[46][1-9a-f]|[57][\da]|5f|7e)", re.IGNORECASE)
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Proof:
    """A good proof; whether it comes for the first time is not known before `spend`."""

    key: bytes
    """SHA-256 thumbprint of the key (RFC 7638)."""
    jti: str
    made_at: datetime


class Proofs:
    """Checks the proofs of requests to our own addresses."""

    def __init__(self, used: UsedOnce, clock: Clock, settings: SsoSettings) -> None:
        self._used = used
        self._clock = clock
        self._settings = settings

    def read(self, text: str, method: str, path: str, *, token: str | None = None) -> Proof:
        """The proof of a request with `method` to `path` of ours.

        `token`: the access token that comes along. Raises OAuthError `invalid_dpop_proof`,
        `use_dpop_nonce` (RFC 9449, 4.3, 8).
        """
        key, claims = _signed(text)
        if claims.get("htm") != method:
            raise _invalid("htm is not the method of this request")
        if not self._is_address(claims.get("htu"), path):
            raise _invalid("htu is not the address of this request")
        made_at = self._made_at(claims)
        jti = claims.get("jti")
        if not isinstance(jti, str) or not _JTI.fullmatch(jti):
            raise _invalid("jti has 8 to 255 printable characters")
        if token is not None and not _is_hash_of(token, claims.get("ath")):
            raise _invalid("ath is not the hash of the access token")
        self._require_nonce(claims.get("nonce"))
        return Proof(_bytes(key.thumbprint()), jti, made_at)

    def spend(self, proof: Proof, client_id: str) -> None:
        """Raises OAuthError `invalid_dpop_proof` for a proof that came before."""
        name = f"dpop {proof.key.hex()} {proof.jti}"
        until = proof.made_at + _LONGEST_AGE + 2 * _SKEW
        if not self._used.is_first(client_id, name, until):
            raise _invalid("the proof was used before")

    def _is_address(self, htu: object, path: str) -> bool:
        """Query and fragment do not count (4.3)."""
        given = _normal(htu) if isinstance(htu, str) else None
        origins = (self._settings.origin, self._settings.certificate_origin)
        return given is not None and given in {_normal(each + path) for each in origins if each}

    def _made_at(self, claims: Mapping[str, Any]) -> datetime:
        now = self._clock.now()
        moment, skew = int(now.timestamp()), int(_SKEW.total_seconds())
        age = moment - _seconds(claims, "iat")
        if not -skew <= age <= int(_LONGEST_AGE.total_seconds()) + skew:
            raise _invalid("iat is not about now")
        if "exp" in claims and _seconds(claims, "exp") <= moment - skew:
            raise _invalid("the proof has expired")
        if "nbf" in claims and _seconds(claims, "nbf") > moment + skew:
            raise _invalid("the proof is not good yet")
        return now - timedelta(seconds=age)

    def _require_nonce(self, nonce: object) -> None:
        if nonce is None and not self._settings.dpop_nonces:
            return
        if not isinstance(nonce, str) or not is_good_nonce(nonce, self._clock.now()):
            raise OAuthError("use_dpop_nonce", "The proof must hold the nonce of DPoP-Nonce.")


def thumbprint_text(key: bytes) -> str:
    """As `jkt` and `dpop_jkt` write it."""
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode("ascii")


def read_thumbprint(text: str) -> bytes | None:
    """None: not the SHA-256 thumbprint of a key, in base64url."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", text):
        return None
    found = _bytes(text)
    return found if thumbprint_text(found) == text else None


def proof_missing() -> OAuthError:
    return OAuthError("invalid_dpop_proof", "This platform's tokens need a DPoP proof.")


def _signed(text: str) -> tuple[ECKey | RSAKey, dict[str, Any]]:
    """The key and what it signed."""
    header = header_of(text, _MAX_CHARACTERS)
    if header is None:
        raise _invalid("not one compact JWT of at most 4096 characters")
    if header.get("typ") != TYPE or not header.keys() <= _HEADERS:
        raise _invalid("its header has typ dpop+jwt, alg and jwk")
    jwk = header.get("jwk")
    if not isinstance(jwk, dict):
        raise _invalid("jwk is missing")
    try:
        key = read_public_key(jwk)
    except Unprocessable as refusal:
        raise _invalid(refusal.detail) from None
    if isinstance(key, RSAKey) and key.public_key.key_size > _LARGEST_RSA_BITS:
        raise _invalid("an RSA key has 4096 bits at most")
    claims = verified_claims(text, key, header.get("alg"))
    if claims is None:
        raise _invalid("its signature is not the key's")
    return key, claims


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int:
        raise _invalid(f"{name} is a number of seconds")
    return value


def _is_hash_of(token: str, ath: object) -> bool:
    digest = thumbprint_text(hashlib.sha256(token.encode("utf-8", "replace")).digest())
    return isinstance(ath, str) and hmac.compare_digest(
        digest.encode(), ath.encode("utf-8", "replace")
    )


def _normal(address: str) -> tuple[str, str, int | None, str] | None:
    """Scheme, host, port and path, as RFC 3986 (6.2.2, 6.2.3) compares them; None: no address."""
    try:
        parts: SplitResult = urlsplit(address)
        port = _DEFAULT_PORTS.get(parts.scheme) if parts.port is None else parts.port
    except ValueError:
        return None
    if not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port, _UNRESERVED.sub(_character, parts.path or "/")


def _character(escaped: re.Match[str]) -> str:
    return chr(int(escaped[1], 16))


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _invalid(why: str) -> OAuthError:
    return OAuthError("invalid_dpop_proof", f"DPoP proof: {why}.")
