"""A platform's program that holds a key and proves it with each request."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey
from werkzeug.test import TestResponse

from kernel.clock import Clock
from tests.signing_service.sso.cards import ORIGIN
from tests.signing_service.sso.flow import Platform, basic

TOKEN, PAR, USERINFO = "/oidc/token", "/oidc/par", "/oidc/userinfo"
_count = iter(range(1_000_000))


def new_key() -> ECKey:
    return ECKey.generate_key("P-256")


def public(key: ECKey | RSAKey) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


@dataclass
class KeyHolder:
    clock: Clock
    key: ECKey | RSAKey = field(default_factory=new_key)
    algorithm: str = "ES256"
    nonce: str | None = None
    """What the service gave last."""

    @property
    def thumbprint(self) -> str:
        return self.key.thumbprint()

    def proof(  # by hand: a library refuses to make what is wrong
        self,
        path: str = TOKEN,
        method: str = "POST",
        *,
        token: str | None = None,
        signer: ECKey | RSAKey | OctKey | None = None,
        header: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A good proof but for what is said; None takes a claim or header away."""
        claims: dict[str, Any] = {
            "jti": f"proof-{next(_count):06}",
            "htm": method,
            "htu": ORIGIN + path,
            "iat": int(self.clock.now().timestamp()),
            "ath": None if token is None else base64url(hashlib.sha256(token.encode()).digest()),
            "nonce": self.nonce,
            **changes,
        }
        headers = {
            "typ": "dpop+jwt",
            "alg": self.algorithm,
            "jwk": public(self.key),
            **(header or {}),
        }
        kept = {name: value for name, value in headers.items() if value is not None}
        payload = json.dumps({name: each for name, each in claims.items() if each is not None})
        parts = [base64url(each.encode()) for each in (json.dumps(kept), payload)]
        model = jws.JWSRegistry(algorithms=[*_ALGORITHMS]).get_alg(headers["alg"])
        signature = model.sign(".".join(parts).encode(), signer or self.key)
        return ".".join([*parts, base64url(signature)])

    def redeem(
        self, browser: FlaskClient, platform: Platform, code: str, **more: Any
    ) -> TestResponse:
        headers = {"DPoP": self.proof(**more)}
        return self.listen(_redeem(browser, platform, code, headers))

    def refresh(
        self, browser: FlaskClient, platform: Platform, token: str, **more: Any
    ) -> TestResponse:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        headers = {"DPoP": self.proof(**more), **proof_of(platform, form)}
        return self.listen(browser.post(TOKEN, data=form, headers=headers))

    def userinfo(
        self, browser: FlaskClient, token: str, scheme: str = "DPoP", **more: Any
    ) -> TestResponse:
        given = {"token": token, **more}
        headers = {
            "Authorization": f"{scheme} {token}",
            "DPoP": self.proof(USERINFO, "GET", **given),
        }
        return self.listen(browser.get(USERINFO, headers=headers))

    def listen(self, response: TestResponse) -> TestResponse:
        self.nonce = response.headers.get("DPoP-Nonce", self.nonce)
        return response


_ALGORITHMS = ("ES256", "ES384", "PS256", "RS256", "HS256", "none")


def proof_of(platform: Platform, form: dict[str, str]) -> dict[str, str]:
    """What the platform proves itself with; a public one names itself in the form."""
    if platform.registration.secret is None:
        form["client_id"] = platform.client_id
        return {}
    return basic(platform.client_id, platform.registration.secret)


def _redeem(
    browser: FlaskClient, platform: Platform, code: str, headers: dict[str, str]
) -> TestResponse:
    form: dict[str, str] = {}
    own = proof_of(platform, form)
    return platform.redeem(browser, code, {**headers, **own}, **form)
