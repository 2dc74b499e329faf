"""Step-up: a fresh proof of the card, for one act, that no other act can use (RFC 9470, 9396)."""

import json
from dataclasses import asdict
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kernel.clock import FixedClock
from records.events import Event
from records.journal import records
from signing_service.sso.claims import ACR_CARD, ACR_CARD_FRESH, ACR_CERTIFICATE
from signing_service.sso.confirmation import Confirmation
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import FILE_POLICY, Card, CardAuthority, Registry
from tests.signing_service.sso.flow import (
    Platform,
    answer_of,
    basic,
    continued,
    is_sign_in,
    read_id_token,
    registered,
    sign_in,
    tokens_for,
)


def act(text: str = "撤销报关单 310120261129", reference: str = "DEC-7") -> str:
    return json.dumps([{"type": "urn:portseal:act", "act": text, "reference": reference}])


def test_a_live_session_does_not_answer_for_a_sensitive_act(
    signed_in: FlaskClient, platform: Platform, card: Card, services: SsoServices
) -> None:
    asked = signed_in.get(platform.request(authorization_details=act()))
    assert is_sign_in(asked)
    page = signed_in.get(asked.location).text
    assert "撤销报关单 310120261129" in page
    assert "DEC-7" in page
    answer = answer_of(signed_in.get(continued(sign_in(signed_in, card, asked.location))))
    tokens = platform.redeem(signed_in, answer["code"]).get_json()
    claims = read_id_token(signed_in, tokens["id_token"])
    assert claims["acr"] == ACR_CARD_FRESH
    assert claims["authorization_details"] == json.loads(act())
    assert tokens["authorization_details"] == json.loads(act())
    headers = basic(platform.client_id, platform.registration.secret or "")
    told = signed_in.post(
        "/oidc/introspect", data={"token": tokens["access_token"]}, headers=headers
    ).get_json()
    assert told["acr"] == ACR_CARD_FRESH
    assert told["authorization_details"] == json.loads(act())
    with services.database.reading() as connection:
        last = [r for r in records(connection) if r.event == Event.SIGNIN_SUCCEEDED][-1]
    assert len(json.loads(last.facts)["purpose"]) == 64


def test_the_proof_of_one_act_serves_no_other(
    signed_in: FlaskClient, platform: Platform, card: Card
) -> None:
    first = signed_in.get(platform.request(authorization_details=act("甲")))
    second = signed_in.get(platform.request(authorization_details=act("乙")))
    page = sign_in(signed_in, card, first.location)
    back = parse_qs(urlsplit(second.location).query)["next"][0]
    assert is_sign_in(signed_in.get(back))
    assert "code" in answer_of(signed_in.get(continued(page)))


def test_a_proof_for_signing_in_serves_no_act_and_a_proof_is_used_once(
    signed_in: FlaskClient, platform: Platform, card: Card
) -> None:
    asked = signed_in.get(platform.request(authorization_details=act()))
    sign_in(signed_in, card)
    back = parse_qs(urlsplit(asked.location).query)["next"][0]
    assert is_sign_in(signed_in.get(back))
    onward = continued(sign_in(signed_in, card, asked.location))
    assert "code" in answer_of(signed_in.get(onward))
    assert is_sign_in(signed_in.get(onward))


def test_the_page_of_a_stranger_cannot_swap_the_act(
    signed_in: FlaskClient, platform: Platform, card: Card
) -> None:
    """The challenge is bound to what its own page showed, and the card signs what it was shown."""
    harmless = signed_in.get(platform.request(authorization_details=act("查看")))
    harmful = signed_in.get(platform.request(authorization_details=act("付款")))
    page = signed_in.get(harmless.location)
    assert "Confirm with the USB key" in page.text
    assert "Sign in with" not in page.text, "an act is confirmed, nobody signs in"
    nonce = page.text.split('name="nonce" value="')[1].split('"')[0]
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    form = {
        "csrf_token": token,
        "nonce": nonce,
        "next": parse_qs(urlsplit(harmful.location).query)["next"][0],
        "token": json.dumps(card.answer(nonce, confirmed=seen("查看").digest)),
    }
    done = signed_in.post("/sso/sign-in", data=form)
    assert is_sign_in(signed_in.get(continued(done)))


def seen(text: str) -> Confirmation:
    """What the key agent showed of the test's platform."""
    return Confirmation("报关平台", (f"{text} (DEC-7)",))


@pytest.mark.parametrize(
    ("shown", "code"),
    [
        (seen("查看"), "signin.signature"),
        (Confirmation("another platform", seen("付款").acts), "signin.signature"),
        (Confirmation("报关平台", ("付款",)), "signin.signature"),
        (None, "signin.act-unshown"),
    ],
)
def test_a_page_that_showed_another_act_or_none_to_the_holder_gets_nothing(
    signed_in: FlaskClient,
    platform: Platform,
    card: Card,
    shown: Confirmation | None,
    code: str,
) -> None:
    """A page that was taken over has the agent show what its holder would agree to."""
    asked = signed_in.get(platform.request(authorization_details=act("付款")))
    back = parse_qs(urlsplit(asked.location).query)["next"][0]

    def answer(confirmed: Confirmation | None) -> TestResponse:
        challenge = signed_in.post("/api/v1/sign-in/challenges", json={"next": back}).get_json()
        digest = None if confirmed is None else confirmed.digest
        token = card.answer(challenge["nonce"], confirmed=digest)
        return signed_in.post("/api/v1/sign-in", json={"token": token, "nonce": challenge["nonce"]})

    refused = answer(shown)
    assert (refused.status_code, refused.get_json()["code"]) == (401, code)
    assert is_sign_in(signed_in.get(back))
    assert answer(seen("付款")).status_code == 200
    assert "code" in answer_of(signed_in.get(back))


def test_what_confirms_an_act_signs_nobody_in(browser: FlaskClient, card: Card) -> None:
    challenge = browser.post("/api/v1/sign-in/challenges", json={}).get_json()
    assert challenge["confirm"] is None
    token = card.answer(challenge["nonce"], confirmed=seen("付款").digest)
    refused = browser.post("/api/v1/sign-in", json={"token": token, "nonce": challenge["nonce"]})
    assert (refused.status_code, refused.get_json()["code"]) == (401, "signin.signature")


def test_acr_values_ask_for_a_fresh_proof_and_an_old_one_is_too_old(
    signed_in: FlaskClient, platform: Platform, card: Card, clock: FixedClock
) -> None:
    request = platform.request(acr_values=ACR_CARD_FRESH)
    assert answer_of(signed_in.get(request + "&prompt=none"))["error"] == "login_required"
    asked = signed_in.get(request)
    onward = continued(sign_in(signed_in, card, asked.location))
    clock.advance(timedelta(minutes=16))
    assert is_sign_in(signed_in.get(onward))


def test_a_step_up_keeps_the_session_and_the_other_platforms_in_it(
    signed_in: FlaskClient, platform: Platform, card: Card, services: SsoServices
) -> None:
    other = Platform(registered(services, "other"))
    before = tokens_for(signed_in, other)
    sid = read_id_token(signed_in, before["id_token"])["sid"]
    asked = signed_in.get(platform.request(authorization_details=act()))
    answer = answer_of(signed_in.get(continued(sign_in(signed_in, card, asked.location))))
    claims = read_id_token(
        signed_in, platform.redeem(signed_in, answer["code"]).get_json()["id_token"]
    )
    assert claims["sid"] == sid
    ordinary = read_id_token(signed_in, tokens_for(signed_in, other)["id_token"])
    assert ordinary["acr"] == ACR_CARD


def test_what_is_essential_and_cannot_be_proven_is_an_error(
    app: Flask,
    platform: Platform,
    card: Card,
    registry: Registry,
    card_authority: CardAuthority,
) -> None:
    certificate = card_authority.issue(card.key, policies=(FILE_POLICY,))
    soft = Card(card.key, certificate, registry.register(certificate))
    essential = json.dumps({"id_token": {"acr": {"essential": True, "values": [ACR_CARD]}}})
    wished = json.dumps({"id_token": {"acr": {"values": [ACR_CARD]}}})
    with app.test_client() as browser:
        sign_in(browser, soft)
        refused = answer_of(browser.get(platform.request(claims=essential)))
        assert refused["error"] == "unmet_authentication_requirements"
        claims = read_id_token(browser, tokens_for(browser, platform, claims=wished)["id_token"])
        assert claims["acr"] == ACR_CERTIFICATE


@pytest.mark.parametrize(
    "details",
    [
        "x",
        "{}",
        "[]",
        json.dumps([{"type": "other", "act": "x"}]),
        json.dumps([{"type": "urn:portseal:act"}]),
        json.dumps([{"type": "urn:portseal:act", "act": " "}]),
        json.dumps([{"type": "urn:portseal:act", "act": "x" * 201}]),
        json.dumps([{"type": "urn:portseal:act", "act": "a\nb"}]),
        json.dumps([{"type": "urn:portseal:act", "act": "x", "amount": 5}]),
        json.dumps([{"type": "urn:portseal:act", "act": "x", "digest": "short"}]),
        json.dumps([{"type": "urn:portseal:act", "act": "x"}] * 6),
    ],
)
def test_an_act_that_cannot_be_shown_is_refused(
    signed_in: FlaskClient, platform: Platform, details: str
) -> None:
    answer = answer_of(signed_in.get(platform.request(authorization_details=details)))
    assert answer["error"] == "invalid_authorization_details"


def test_the_programs_way_tells_what_the_proof_is_for(
    signed_in: FlaskClient, platform: Platform, card: Card
) -> None:
    asked = signed_in.get(platform.request(authorization_details=act("甲")))
    back = parse_qs(urlsplit(asked.location).query)["next"][0]
    challenge = signed_in.post("/api/v1/sign-in/challenges", json={"next": back}).get_json()
    assert challenge["confirm"] == asdict(seen("甲")) | {"acts": ["甲 (DEC-7)"]}
    token = card.answer(challenge["nonce"], confirmed=seen("甲").digest)
    body = {"token": token, "nonce": challenge["nonce"]}
    assert signed_in.post("/api/v1/sign-in", json=body).status_code == 200
    assert "code" in answer_of(signed_in.get(back))
