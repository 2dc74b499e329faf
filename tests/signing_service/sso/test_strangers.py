"""Relying parties that strangers wrote: mod_auth_openidc in a real apache2, and requests-oauthlib.

Authlib's client and python-cas have tests of their own (test_relying_parties.py, test_cas.py).
"""

import html
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from flask import Flask
from joserfc import jwt
from joserfc.jwk import KeySet
from oauthlib.oauth2 import WebApplicationClient
from requests_oauthlib import OAuth2Session

from portseal.sandbox.ports import free_port
from records.database import Database
from signing_service.sso.platform import PlatformTerms
from signing_service.sso.services import SsoServices
from tests.servers.apache import running_apache
from tests.signing_service.sso.cards import Card, Registry
from tests.signing_service.sso.conftest import application
from tests.signing_service.sso.flow import registered
from tests.signing_service.sso.served import served

_MOST_STEPS = 15


@pytest.fixture
def services(
    database: Database, make_services: Callable[..., SsoServices]
) -> Iterator[SsoServices]:
    made: list[SsoServices] = []

    def make(origin: str) -> Flask:
        made.append(make_services(database, origin=origin))
        return application(made[0])

    with served(make):
        yield made[0]


class Browser:
    """A browser without JavaScript, and a holder who signs in where asked."""

    def __init__(self, card: Card, origin: str) -> None:
        self._card, self._origin = card, origin
        self.session = requests.Session()
        self.proofs = 0

    def visit(self, address: str, until: str = "") -> requests.Response:
        """Follow redirects and the sign-in page to the end; or to an address that begins with
        `until`, which is not opened."""
        for _ in range(_MOST_STEPS):
            page = self.session.get(address, allow_redirects=False, timeout=20)
            if page.is_redirect:
                address = urljoin(address, page.headers["Location"])
                if until and address.startswith(until):
                    page.url = address
                    return page
            elif urlsplit(address).path == "/sso/sign-in":
                address = self._sign_in(address, page)
            else:
                return page
        raise AssertionError("too many steps")

    def _sign_in(self, address: str, page: requests.Response) -> str:
        found = re.findall(r'name="(csrf_token|nonce|next)" value="([^"]*)"', page.text)
        fields = {name: html.unescape(value) for name, value in found}
        fields["token"] = json.dumps(self._card.answer(fields["nonce"], self._origin))
        self.proofs += 1
        done = self.session.post(address.partition("?")[0], data=fields, timeout=20)
        refresh = done.headers.get("Refresh")
        assert refresh is not None, done.text
        return urljoin(address, refresh.removeprefix("0; url="))


APACHE = """
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID apache
{proof}
OIDCRedirectURI http://127.0.0.1:{port}/who/callback
OIDCCryptoPassphrase for-this-test-alone
OIDCScope "openid profile enterprise"
OIDCPKCEMethod S256
OIDCIDTokenSignedResponseAlg ES256
OIDCProviderAuthRequestMethod GET
OIDCCookieSameSite On
OIDCRemoteUserClaim sub
OIDCUserInfoRefreshInterval 1
OIDCSessionType server-cache
OIDCDefaultLoggedOutURL http://127.0.0.1:{port}/bye
<Location /who>
    AuthType openid-connect
    Require valid-user
</Location>
"""


def test_apaches_module_signs_a_holder_in_and_hears_of_the_end(
    services: SsoServices, card: Card, registry: Registry
) -> None:
    port = free_port()
    callback = f"http://127.0.0.1:{port}/who/callback"
    made = services.platforms.register_platform(
        "阿帕奇平台",
        [callback],
        actor="administrator",
        client_id="apache",
        backchannel_logout_uri=f"{callback}?logout=backchannel",
        post_logout_redirect_uris=[f"http://127.0.0.1:{port}/bye"],
    )
    browser = Browser(card, services.settings.origin)
    more = APACHE.format(
        issuer=services.settings.origin,
        port=port,
        proof=f"OIDCClientSecret {made.secret}\nOIDCProviderTokenEndpointAuth client_secret_basic",
    )
    with running_apache(port, more) as directory:
        page = browser.visit(f"http://127.0.0.1:{port}/who")
        log = (directory / "error.log").read_text(errors="replace")
        assert page.status_code == 200, page.text + log
        page.encoding = "utf-8"
        assert f"REMOTE_USER={card.holder.subject}" in page.text
        assert f"OIDC_CLAIM_name={card.holder.name}" in page.text
        assert browser.proofs == 1
        # The card is revoked: the platform is told over the back channel, and asks again.
        registry.revoke(card.certificate)
        services.sessions.end_sessions_of_card(card.holder.card)
        delivered = services.back_channel.deliver()
        log = (directory / "error.log").read_text(errors="replace")
        assert [each.delivered for each in delivered] == [1], log
        again = browser.session.get(
            f"http://127.0.0.1:{port}/who", allow_redirects=False, timeout=20
        )
        assert again.status_code == 302, again.text
        assert again.headers["Location"].startswith(f"{services.settings.origin}/oidc/authorize")


def test_apaches_module_without_a_secret_is_signed_out_on_request(
    services: SsoServices, card: Card
) -> None:
    port = free_port()
    callback = f"http://127.0.0.1:{port}/who/callback"
    services.platforms.register_platform(
        "阿帕奇平台",
        [callback],
        actor="administrator",
        client_id="apache",
        post_logout_redirect_uris=[f"http://127.0.0.1:{port}/bye"],
        confidential=False,
    )
    browser = Browser(card, services.settings.origin)
    more = APACHE.format(
        issuer=services.settings.origin, port=port, proof="OIDCProviderTokenEndpointAuth none"
    )
    with running_apache(port, more) as directory:
        page = browser.visit(f"http://127.0.0.1:{port}/who")
        log = (directory / "error.log").read_text(errors="replace")
        assert page.status_code == 200, page.text + log
        bye = f"http://127.0.0.1:{port}/bye"
        end = browser.visit(f"{callback}?logout={bye}", until=bye)
        assert end.url.startswith(bye)
    signed_in = browser.session.get(f"{services.settings.origin}/sso/session", timeout=20)
    assert not signed_in.json()["signed_in"]


def test_requests_oauthlib_signs_in_refreshes_and_revokes(
    services: SsoServices, card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # loopback
    callback = f"http://127.0.0.1:{free_port()}/callback"
    made = registered(services, redirect_uris=[callback], terms=PlatformTerms(refresh=True))
    issuer = services.settings.origin
    told = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=20).json()
    client_id = made.platform.client_id
    scope = ["openid", "profile", "enterprise"]
    client = OAuth2Session(client_id, redirect_uri=callback, scope=scope, pkce="S256")
    address, state = client.authorization_url(told["authorization_endpoint"], nonce="n-1")
    browser = Browser(card, issuer)
    answered = browser.visit(address, until=callback).url
    assert f"state={state}" in answered
    pair = requests.auth.HTTPBasicAuth(client_id, made.secret or "")
    token = client.fetch_token(
        told["token_endpoint"], authorization_response=answered, auth=pair, timeout=20
    )
    keys = KeySet.import_key_set(requests.get(told["jwks_uri"], timeout=20).json())
    claims = jwt.decode(token["id_token"], keys, algorithms=["ES256"]).claims
    assert (claims["nonce"], claims["sub"]) == ("n-1", card.holder.subject)
    assert client.get(told["userinfo_endpoint"], timeout=20).json()["name"] == card.holder.name
    fresh = client.refresh_token(told["token_endpoint"], auth=pair, timeout=20)
    assert fresh["refresh_token"] != token["refresh_token"]
    body = WebApplicationClient(client_id).prepare_token_revocation_request(
        told["revocation_endpoint"], fresh["refresh_token"], "refresh_token"
    )
    revoked = requests.post(body[0], data=body[2], headers=body[1], auth=pair, timeout=20)
    assert revoked.status_code == 200, revoked.text
    assert client.get(told["userinfo_endpoint"], timeout=20).status_code == 401
