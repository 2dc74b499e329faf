"""Platforms that prove themselves with a signed assertion (RFC 7523, `private_key_jwt`).

The key is one of those that the platform registered, named by `kid`; the algorithm is the one of
that kind of key. Nothing that the assertion says about keys or algorithms is believed.
"""

import re
from datetime import timedelta
from typing import Any

from joserfc.jwk import ECKey, RSAKey

from kernel.clock import Clock
from kernel.refusals import Unprocessable
from signing_service.sso.client_keys import client_key_set
from signing_service.sso.compact_jwt import claims_of, header_of, verified_claims
from signing_service.sso.platform import Platform
from signing_service.sso.used_once import UsedOnce

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_MAX_CHARACTERS = 8_192
_LONGEST_LIFE = timedelta(minutes=10)
_SKEW = timedelta(seconds=30)
_JTI = re.compile(r"[\x21-\x7e]{8,255}")
_HEADERS = frozenset({"alg", "kid", "typ"})
_TYPES = (None, "JWT", "client-authentication+jwt")


class ClientAssertions:
    """Checks assertions; each is good once."""

    def __init__(
        self, used: UsedOnce, clock: Clock, issuer: str, endpoints: frozenset[str]
    ) -> None:
        """An assertion is made out to `issuer`; to one of our `endpoints` where the platform's
        terms say so."""
        self._used = used
        self._clock = clock
        self._issuer = issuer
        self._endpoints = endpoints

    def proves(self, platform: Platform, assertion: str) -> bool:
        """Whether the platform made this assertion, for us, just now, and for the first time."""
        claims = self._verified(platform, assertion)
        return claims is not None and self._is_current(platform, claims)

    @staticmethod
    def claimed_client(assertion: str) -> str | None:
        """Whose assertion it says it is; not believed until `proves`."""
        claims = claims_of(assertion, _MAX_CHARACTERS)
        subject = None if claims is None else claims.get("sub")
        return subject if isinstance(subject, str) else None

    def _verified(self, platform: Platform, assertion: str) -> dict[str, Any] | None:
        header = header_of(assertion, _MAX_CHARACTERS)
        if header is None or not header.keys() <= _HEADERS or header.get("typ") not in _TYPES:
            return None
        try:
            keys = client_key_set(platform.terms.jwks).keys
        except Unprocessable:
            return None
        key = next((each for each in keys if each.get("kid") == header.get("kid")), None)
        if not isinstance(key, ECKey | RSAKey):
            return None
        return verified_claims(assertion, key, header.get("alg"))

    def _is_current(self, platform: Platform, claims: dict[str, Any]) -> bool:
        now = self._clock.now()
        moment, skew = int(now.timestamp()), int(_SKEW.total_seconds())
        expires, since = claims.get("exp"), claims.get("nbf", claims.get("iat", moment))
        if type(expires) is not int or type(since) is not int:
            return False
        longest = int(_LONGEST_LIFE.total_seconds())
        if not (moment - skew < expires <= moment + longest + skew and since <= moment + skew):
            return False
        if (claims.get("iss"), claims.get("sub")) != (platform.client_id, platform.client_id):
            return False
        if not self._is_for_us(platform, claims.get("aud")):
            return False
        jti = claims.get("jti")
        if not isinstance(jti, str) or not _JTI.fullmatch(jti):
            return False
        return self._used.is_first(platform.client_id, jti, now + _LONGEST_LIFE + 2 * _SKEW)

    def _is_for_us(self, platform: Platform, audience: object) -> bool:
        """And for nobody else, who could play it to us (RFC 7523bis; FAPI 2.0, 5.3.2.1)."""
        named = audience if isinstance(audience, list) else [audience]
        if not named or not all(isinstance(each, str) for each in named):
            return False
        ours = {self._issuer}
        if platform.terms.endpoint_audience:
            ours |= self._endpoints
        return set(named) <= ours
