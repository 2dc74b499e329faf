"""OAuth2 of remote signing: the legal person is asked each time, and sees what for."""

import hashlib
import re
import secrets
import sqlite3
from contextlib import closing

import pytest

from portseal.demo.signin_steps import register_platform
from portseal.holder.service import Service
from tests.portseal.service import RunningService
from tests.signing_service.remote.platform import (
    SHA256,
    RemotePlatform,
    agree,
    digest,
)

DOCUMENT = b"bill of lading"
HASH = digest(DOCUMENT)


def asked(platform: RemotePlatform, seal: str, **changes: str | None) -> str:
    terms: dict[str, str | None] = {
        "scope": "credential",
        "credentialID": seal,
        "numSignatures": "1",
        "hashes": HASH,
        "hashAlgorithmOID": SHA256,
        **changes,
    }
    return platform.question("v" * 43, **terms)


def shown(browser: Service, address: str) -> str:
    return browser.fetch("GET", address, headers={"Accept": "text/html"}).text


def test_the_question_names_platform_seal_and_digests(
    platform: RemotePlatform, browser: Service, seal: str
) -> None:
    page = shown(browser, asked(platform, seal, description="<b>Bill</b> 17"))
    for text in ("平台 remote-1", "报关专用章", seal, hashlib.sha256(DOCUMENT).hexdigest()):
        assert text in page
    assert "&lt;b&gt;Bill&lt;/b&gt; 17" in page


def test_who_refuses_gives_nothing(platform: RemotePlatform, browser: Service, seal: str) -> None:
    answer = agree(browser, asked(platform, seal), decision="deny")
    assert answer["error"] == "access_denied"
    assert answer["state"] == "s-1"
    assert "code" not in answer


def test_an_answer_that_our_own_page_did_not_send_counts_for_nothing(
    platform: RemotePlatform, browser: Service, seal: str
) -> None:
    address = platform.origin + asked(platform, seal)
    forged = browser.session.post(address, data={"decision": "allow"}, allow_redirects=False)
    assert forged.status_code == 400
    assert "code=" not in forged.text


def test_nobody_but_the_legal_person_is_asked(
    service: RunningService, platform: RemotePlatform, seal: str
) -> None:
    for browser in (service.anonymous(), service.signed_in("operator")):
        for address in (asked(platform, seal), platform.question("v" * 43)):
            answer = browser.fetch("GET", address, headers={"Accept": "text/html"})
            assert answer.status_code == 303
            assert answer.headers["Location"].startswith("/sso/sign-in?")


def test_signing_in_on_the_way_leads_back_to_the_question(
    service: RunningService, platform: RemotePlatform, seal: str
) -> None:
    browser = service.anonymous()
    first = browser.fetch("GET", asked(platform, seal), headers={"Accept": "text/html"})
    page = shown(browser, first.headers["Location"])
    assert "平台 remote-1" in page
    back = re.search(r'name="next" value="([^"]+)"', page)
    assert back is not None
    browser.sign_in(service.stage.cards["legal-person"])
    answer = agree(browser, back[1].replace("&amp;", "&"))
    assert platform.redeem(answer["code"], "v" * 43).json()["token_type"] == "SAD"


def test_a_seal_is_used_only_after_a_recent_proof_of_the_card(
    service: RunningService, platform: RemotePlatform, seal: str
) -> None:
    browser = service.signed_in("legal-person")
    session = browser.call("GET", "/sso/session")["session"]
    with closing(sqlite3.connect(service.database_file)) as connection:
        earlier = "strftime('%Y-%m-%d %H:%M:%f', auth_time, '-301 seconds')"
        connection.execute(
            f"UPDATE sso_session SET auth_time = {earlier} WHERE sid = ?", (session,)
        )
        connection.commit()
    assert "oauth2/authorize" in shown(browser, platform.question("v" * 43))
    answer = browser.fetch("GET", asked(platform, seal), headers={"Accept": "text/html"})
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/sso/sign-in?")


def test_another_enterprises_seal_cannot_be_asked_for(
    platform: RemotePlatform, browser: Service, other_seal: str
) -> None:
    assert agree(browser, asked(platform, other_seal))["error"] == "invalid_request"


@pytest.mark.parametrize(
    "changes",
    [
        {"credentialID": None},
        {"numSignatures": "2"},
        {"numSignatures": "0"},
        {"numSignatures": "1e0"},
        {"hashes": None},
        {"hashes": "!"},
        {"hashes": "AAAA"},
        {"hashes": HASH + ","},
        {"hashAlgorithmOID": None},
        {"hashAlgorithmOID": "1.3.14.3.2.26"},
        {"hashAlgorithmOID": "2.16.840.1.101.3.4.2.3"},
        {"description": "x" * 501},
        {"request": "eyJ9"},
        {"max_age": "-1"},
        {"code_challenge": "short"},
        {"code_challenge_method": "plain"},
    ],
)
def test_a_malformed_question_goes_back_to_the_platform(
    platform: RemotePlatform, browser: Service, seal: str, changes: dict[str, str | None]
) -> None:
    answer = agree(browser, asked(platform, seal, **changes))
    assert answer["error"] == "invalid_request"
    assert answer["iss"] == platform.origin


@pytest.mark.parametrize("scope", ["openid", "service credential", "", "openid service"])
def test_the_two_scopes_stand_alone(platform: RemotePlatform, browser: Service, scope: str) -> None:
    address = platform.question("v" * 43, scope=scope)
    assert agree(browser, address)["error"] == "invalid_scope"


def test_a_platform_that_only_signs_people_in_may_not_ask(
    service: RunningService, browser: Service
) -> None:
    callback = "https://platform.example/callback"
    options = ("--client-id", "sign-in-only", "--redirect-uri", callback)
    register_platform(service.stage, "仅登录", *options)
    plain = RemotePlatform(service.origin, "sign-in-only", "")
    assert agree(browser, plain.question("v" * 43))["error"] == "invalid_scope"


def test_sign_in_gives_no_token_that_opens_seals(
    platform: RemotePlatform, browser: Service
) -> None:
    address = platform.question("v" * 43, scope="openid service").replace(
        "/csc/v2/oauth2/authorize", "/oidc/authorize"
    )
    location = browser.fetch("GET", address).headers["Location"]
    code = re.search(r"[?&]code=([^&]+)", location)
    assert code is not None
    refused = platform.redeem(code[1], "v" * 43)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")


def test_a_code_needs_its_verifier_and_its_platform(
    platform: RemotePlatform, other_platform: RemotePlatform, browser: Service
) -> None:
    verifier = secrets.token_urlsafe(48)
    code = agree(browser, platform.question(verifier))["code"]
    assert platform.redeem(code, "w" * 43).json()["error"] == "invalid_grant"
    code = agree(browser, platform.question(verifier))["code"]
    assert other_platform.redeem(code, verifier).json()["error"] == "invalid_grant"
    wrong = platform.redeem(code, verifier, client_secret="wrong")
    assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
    assert platform.redeem(code, verifier).status_code == 200


def test_a_code_that_comes_twice_takes_its_activation_data_along(
    platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    code = agree(browser, asked(platform, seal))["code"]
    sad = platform.redeem(code, "v" * 43).json()["access_token"]
    assert platform.redeem(code, "v" * 43).json()["error"] == "invalid_grant"
    refused = platform.sign_hash(token, seal, sad, HASH)
    assert refused.status_code == 400
    assert refused.json()["error_uri"].endswith("remote.sad")
