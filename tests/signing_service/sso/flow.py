"""A browser and a platform that walk the authorization code flow by hand, step by step."""

import base64
import hashlib
import html
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from werkzeug.test import TestResponse

from signing_service.sso.confirmation import Confirmation
from signing_service.sso.platforms import Registration
from signing_service.sso.services import SsoServices
from signing_service.sso.sessions import Arrival
from tests.signing_service.sso.cards import Card

CALLBACK = "https://platform.example/callback"
GOODBYE = "https://platform.example/goodbye"
AUTHORIZE = "/oidc/authorize"
SOMEBODY = Arrival("subject", "OP-2026-AAAAAAAA", "报关平台")


def registered(services: SsoServices, name: str = "报关平台", **changes: object) -> Registration:
    arguments: dict[str, object] = {
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": [GOODBYE],
        **changes,
    }
    return services.platforms.register_platform(
        name,
        actor="administrator",
        **arguments,  # type: ignore[arg-type]
    )


def s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def answer_of(response: TestResponse, target: str = CALLBACK) -> dict[str, str]:
    """The parameters of a redirect to the platform."""
    assert response.status_code in (302, 303), response.text
    return answer_in(response.location, target)


def answer_in(location: str, target: str = CALLBACK) -> dict[str, str]:
    """The same of an address that a page leads to."""
    address, _, query = location.partition("?")
    assert address == target
    return {name: values[0] for name, values in parse_qs(query).items()}


def is_sign_in(response: TestResponse) -> bool:
    return response.status_code == 303 and response.location.startswith("/sso/sign-in?")


@dataclass
class Platform:
    """A relying party with its secrets."""

    registration: Registration
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(8))

    @property
    def client_id(self) -> str:
        return self.registration.platform.client_id

    def request(self, **changes: str | None) -> str:
        """The address that the platform sends the browser to."""
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid profile enterprise rights card",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": s256(self.verifier),
            "code_challenge_method": "S256",
            **changes,
        }
        return f"{AUTHORIZE}?" + urlencode({k: v for k, v in parameters.items() if v is not None})

    def redeem(
        self,
        client: FlaskClient,
        code: str | None,
        headers: dict[str, str] | None = None,
        **changes: str | None,
    ) -> TestResponse:
        """Exchange a code, from the platform's server."""
        parameters: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": self.verifier,
            **changes,
        }
        secret = self.registration.secret
        if secret is None:
            parameters.setdefault("client_id", self.client_id)
        elif headers is None:
            headers = basic(self.client_id, secret)
        body = {name: value for name, value in parameters.items() if value is not None}
        return client.post("/oidc/token", data=body, headers=headers)


def basic(name: str, secret: str) -> dict[str, str]:
    pair = base64.b64encode(f"{name}:{secret}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def sign_in(browser: FlaskClient, card: Card, page: str = "/sso/sign-in") -> TestResponse:
    """Fill the sign-in form in."""
    shown = browser.get(page)
    fields = {
        name: html.unescape(value)
        for name, value in re.findall(r'name="(csrf_token|nonce|next)" value="([^"]*)"', shown.text)
    }
    asked = re.search(r'data-confirm="([^"]*)"', shown.text)
    confirmed = None if asked is None else confirmation(html.unescape(asked[1])).digest
    fields["token"] = json.dumps(card.answer(fields["nonce"], confirmed=confirmed))
    return browser.post(urlsplit(page).path, data=fields)


def confirmation(text: str) -> Confirmation:
    """What the sign-in page hands to the key agent to be shown and signed."""
    asked = json.loads(text)
    return Confirmation(asked["platform"], tuple(asked["acts"]))


def continued(page: TestResponse) -> str:
    """Where the page after sign-in leads."""
    assert page.status_code == 200, page.text
    found = re.search(r'<a id="continue"[^>]* href="([^"]*)"', page.text)
    assert found is not None
    return html.unescape(found[1])


def code_for(browser: FlaskClient, platform: Platform, **changes: str | None) -> str:
    return answer_of(browser.get(platform.request(**changes)))["code"]


def tokens_for(browser: FlaskClient, platform: Platform, **changes: str | None) -> dict[str, Any]:
    answer = platform.redeem(browser, code_for(browser, platform, **changes))
    assert answer.status_code == 200, answer.text
    return dict(answer.get_json())


def read_id_token(browser: FlaskClient, token: str) -> dict[str, Any]:
    """The claims, verified against the published keys."""
    published = KeySet.import_key_set(browser.get("/oidc/jwks").get_json())
    return dict(jwt.decode(token, published, algorithms=["ES256"]).claims)
