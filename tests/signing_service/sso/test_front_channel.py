"""Front-Channel Logout 1.0: who has no back channel hears of the end through the browser."""

from urllib.parse import parse_qs, urlsplit

from flask.testing import FlaskClient
from lxml import html

from signing_service.sso.platform import PlatformTerms
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import ORIGIN
from tests.signing_service.sso.flow import (
    GOODBYE,
    Platform,
    read_id_token,
    registered,
    tokens_for,
)

HEARS = "https://front.example/logout?from=portseal"


def test_every_platform_of_the_session_is_loaded_in_a_frame(
    signed_in: FlaskClient, platform: Platform, services: SsoServices
) -> None:
    terms = PlatformTerms(frontchannel_logout_uri=HEARS)
    listening = Platform(registered(services, "front", terms=terms))
    absent = Platform(registered(services, "absent", terms=terms))
    sid = read_id_token(signed_in, tokens_for(signed_in, listening)["id_token"])["sid"]
    hint = tokens_for(signed_in, platform)["id_token"]
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": GOODBYE}
    page = signed_in.get("/oidc/end-session", query_string=asked)
    assert page.status_code == 200
    (frame,) = html.fromstring(page.text).iter("iframe")
    told = parse_qs(urlsplit(frame.get("src") or "").query)
    assert told == {"from": ["portseal"], "iss": [ORIGIN], "sid": [sid]}
    assert "frame-src https://front.example;" in page.headers["Content-Security-Policy"]
    assert page.headers["Refresh"] == f"3; url={GOODBYE}"
    assert not signed_in.get("/sso/session").get_json()["signed_in"]
    assert absent.client_id not in page.text


def test_without_such_platforms_the_browser_goes_straight_on(
    signed_in: FlaskClient, platform: Platform
) -> None:
    hint = tokens_for(signed_in, platform)["id_token"]
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": GOODBYE}
    answer = signed_in.get("/oidc/end-session", query_string=asked)
    assert (answer.status_code, answer.location) == (303, GOODBYE)
