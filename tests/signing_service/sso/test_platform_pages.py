"""The register of platforms: one officer proposes, another confirms; pages and JSON interface."""

import re
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import ECKey
from lxml import html
from werkzeug.test import TestResponse

from kernel.refusals import Conflict, Forbidden, Unprocessable
from records.events import Event
from records.journal import records
from signing_service.ports import HolderKind
from signing_service.sso.claims import PERMITTABLE, PREFIX
from signing_service.sso.platform import PlatformDraft
from signing_service.sso.platform_form import draft_of
from signing_service.sso.proposals import Proposals
from signing_service.sso.services import SsoServices
from tests.signing_service.sso.cards import Card, Registry
from tests.signing_service.sso.flow import sign_in

FIELDS = {
    "client_id": "declare",
    "name": "申报平台",
    "redirect_uris": "https://declare.example/callback",
    "auth_method": "client_secret_basic",
    "permitted_by": "海关总署示例司 示例人",
    "evidence": "示例〔2026〕1号, 2026-11-01",
    "claims": ["name", PREFIX + "rights"],
}


def draft(**changes: Any) -> PlatformDraft:
    return draft_of({**FIELDS, **changes})


def make_officer(registry: Registry, card: Card, *roles: str) -> Card:
    """Let the registry know the card's holder as an officer."""
    holder = replace(card.holder, kind=HolderKind.OFFICER, roles=roles)
    registry.holders[card.certificate.fingerprint] = holder
    return replace(card, holder=holder)


@pytest.fixture
def first(app: Flask, registry: Registry, card: Card) -> FlaskClient:
    """An administrator's browser."""
    browser = app.test_client()
    sign_in(browser, make_officer(registry, card, "administrator"))
    return browser


@pytest.fixture
def second(app: Flask, registry: Registry, other_card: Card) -> FlaskClient:
    """Another officer's, who may confirm."""
    browser = app.test_client()
    sign_in(browser, make_officer(registry, other_card, "approver"))
    return browser


def post(browser: FlaskClient, path: str, **fields: Any) -> TestResponse:
    page = browser.get("/admin/platforms").text
    found = re.search(r'name="csrf_token" value="([^"]*)"', page)
    token = found[1] if found else _token(browser)
    return browser.post(path, data={"csrf_token": token, **fields})


def _token(browser: FlaskClient) -> str:
    page = browser.get("/admin/platforms/new").text
    found = re.search(r'name="csrf_token" value="([^"]*)"', page)
    assert found is not None
    return found[1]


def waiting(services: SsoServices) -> str:
    (proposal,) = services.proposals.waiting()
    return proposal.id


def test_the_form_offers_every_claim_in_words_and_a_new_platform_begins_with_none(
    first: FlaskClient,
) -> None:
    form = html.fromstring(first.get("/admin/platforms/new").text)
    ticks = form.findall(".//input[@name='claims']")
    words = {str(tick.get("value")): (tick.tail or "").strip() for tick in ticks}
    assert list(words) == list(PERMITTABLE)
    assert all(words.values())
    assert words[PREFIX + "employee_number"] == "Operator's employee number"
    assert words[PREFIX + "rights_detail"] == "Periods of the rights"
    assert not any(tick.get("checked") is not None for tick in ticks)


# -- two people ----------------------------------------------------------------------------------


def test_who_proposed_does_not_confirm(services: SsoServices) -> None:
    proposal = services.proposals.register(draft(), by="officer:a")
    assert services.platforms.find("declare") is None
    with pytest.raises(Forbidden, match=r"platform\.same-administrator"):
        services.proposals.confirm(proposal.id, by="officer:a")
    assert services.platforms.find("declare") is None
    made = services.proposals.confirm(proposal.id, by="officer:b")
    assert made.secret is not None
    found = services.platforms.find("declare")
    assert found is not None
    assert found.claims == {"name", PREFIX + "rights"}
    assert found.terms.permission.permitted_by == "海关总署示例司 示例人"
    with services.database.reading() as connection:
        written = {each.event: each for each in records(connection)}
    assert written[Event.PLATFORM_REGISTERED].actor == "officer:a officer:b"
    assert "示例〔2026〕1号" in written[Event.PLATFORM_REGISTERED].facts


def test_a_proposal_is_decided_once_and_one_waits_at_a_time(services: SsoServices) -> None:
    proposals: Proposals = services.proposals
    proposal = proposals.register(draft(), by="officer:a")
    with pytest.raises(Conflict, match=r"platform\.proposed"):
        proposals.register(draft(), by="officer:c")
    proposals.refuse(proposal.id, by="officer:b")
    with pytest.raises(Conflict, match=r"platform\.decided"):
        proposals.confirm(proposal.id, by="officer:b")
    again = proposals.register(draft(), by="officer:a")
    proposals.confirm(again.id, by="officer:b")
    with pytest.raises(Conflict, match=r"platform\.exists"):
        proposals.register(draft(), by="officer:a")


@pytest.mark.parametrize("missing", ["permitted_by", "evidence"])
def test_claims_need_a_departments_permission(services: SsoServices, missing: str) -> None:
    with pytest.raises(Unprocessable, match=r"platform\.permission"):
        services.proposals.register(draft(**{missing: " "}), by="officer:a")
    bare = draft(**{missing: "", "claims": []})
    assert services.proposals.register(bare, by="officer:a").draft == bare.checked()


def test_a_change_takes_two_and_keeps_the_secret(services: SsoServices) -> None:
    made = services.proposals.confirm(
        services.proposals.register(draft(), by="officer:a").id, by="officer:b"
    )
    changed = services.proposals.change(draft(claims=["name"]), by="officer:b")
    still = services.platforms.find("declare")
    assert still is not None
    assert PREFIX + "rights" in still.claims
    result = services.proposals.confirm(changed.id, by="officer:a")
    assert result.secret is None
    found = services.platforms.find("declare")
    assert found is not None
    assert found.claims == {"name"}
    assert found.check_client_secret(made.secret or "")


def test_a_new_secret_ends_the_old_one(services: SsoServices) -> None:
    made = services.proposals.confirm(
        services.proposals.register(draft(), by="officer:a").id, by="officer:b"
    )
    proposal = services.proposals.rotate_secret("declare", by="officer:a")
    fresh = services.proposals.confirm(proposal.id, by="officer:b")
    found = services.platforms.find("declare")
    assert found is not None
    assert not found.check_client_secret(made.secret or "")
    assert found.check_client_secret(fresh.secret or "")


# -- pages ---------------------------------------------------------------------------------------


def test_an_administrator_proposes_and_another_officer_sees_all_of_it_and_confirms(
    first: FlaskClient, second: FlaskClient, services: SsoServices
) -> None:
    assert post(first, "/admin/platforms/new", **FIELDS).status_code == 303
    own = first.get("/admin/platforms").text
    assert 'value="confirm"' not in own
    number = waiting(services)
    refused = post(first, f"/admin/platforms/proposals/{number}/decision", decision="confirm")
    assert refused.status_code == 403
    # The approver confirms without being an administrator: the list is not for him.
    done = second.post(f"/api/v1/platforms/proposals/{number}/confirmation", json={})
    assert len(done.get_json()["client_secret"]) >= 32
    shown = first.get("/admin/platforms/declare").text
    for text in (
        "申报平台",
        "https://declare.example/callback",
        "海关总署示例司 示例人",
        "示例〔2026〕1号",
    ):
        assert text in shown


def test_the_secret_is_shown_to_who_confirms_and_never_again(
    first: FlaskClient, services: SsoServices
) -> None:
    proposal = services.proposals.register(draft(), by="console:root")
    page = post(first, f"/admin/platforms/proposals/{proposal.id}/decision", decision="confirm")
    secret = re.search(r'id="client-secret">([^<]*)<', page.text)
    assert secret is not None
    found = services.platforms.find("declare")
    assert found is not None
    assert found.check_client_secret(secret[1])
    assert secret[1] not in first.get("/admin/platforms").text


def test_a_mistake_in_the_form_is_told_and_nothing_is_lost(
    first: FlaskClient, services: SsoServices
) -> None:
    wrong = {**FIELDS, "redirect_uris": "http://declare.example/callback"}
    page = post(first, "/admin/platforms/new", **wrong)
    assert page.status_code == 422
    assert "platform.redirect-uri" in page.text
    assert "http://declare.example/callback" in page.text
    assert services.proposals.waiting() == []


def test_change_rotation_and_disabling_from_the_platforms_page(
    first: FlaskClient, services: SsoServices
) -> None:
    services.platforms.register_platform("A", ["https://a.example/"], actor="x", client_id="a")
    assert 'value="A"' in first.get("/admin/platforms/a/change").text
    fields = {**FIELDS, "name": "B"}
    assert post(first, "/admin/platforms/a/change", **fields).status_code == 303
    (proposal,) = services.proposals.waiting()
    assert proposal.draft is not None
    assert (proposal.client_id, proposal.draft.name) == ("a", "B")
    services.proposals.refuse(proposal.id, by="x")
    assert post(first, "/admin/platforms/a/secret").status_code == 303
    services.proposals.refuse(waiting(services), by="x")
    assert post(first, "/admin/platforms/a/disabling").status_code == 303
    assert services.platforms.find("a") is None
    assert first.get("/admin/platforms/a").status_code == 404
    assert "disabled" in first.get("/admin/platforms").text


def test_who_confirms_sees_what_a_change_changes_with_new_addresses_on_top(
    first: FlaskClient, services: SsoServices
) -> None:
    services.proposals.confirm(
        services.proposals.register(draft(), by="officer:a").id, by="officer:b"
    )
    altered = draft(
        redirect_uris="https://declare.example/callback https://dec1are.example/callback",
        claims=["name", PREFIX + "card"],
        name="申报平台二",
    )
    services.proposals.change(altered, by="officer:a")
    page: Any = html.fromstring(first.get("/admin/platforms").text)
    (proposal,) = page.xpath("//article")
    on_top = proposal.xpath(".//*[contains(@class, 'notice')]")[0]
    assert [each.text for each in on_top.xpath(".//mark")] == ["https://dec1are.example/callback"]
    marked = {each.text_content() for each in proposal.xpath(".//dl//mark")}
    assert marked == {"https://dec1are.example/callback", "Card number", "申报平台二"}
    gone = {each.text_content().removeprefix("before: ") for each in proposal.xpath(".//del")}
    assert gone == {"申报平台", "Rights in business"}


def test_another_key_under_the_same_name_is_marked_and_a_new_platform_has_no_marks(
    first: FlaskClient, services: SsoServices
) -> None:
    old, new = ({**ECKey.generate_key("P-256").as_dict(private=False), "kid": "1"} for _ in (1, 2))
    signed = {"auth_method": "private_key_jwt"}
    made = services.proposals.register(draft(**signed, jwks={"keys": [old]}), by="officer:a")
    fresh: Any = html.fromstring(first.get("/admin/platforms").text)
    assert fresh.xpath("//article//mark") == []
    services.proposals.confirm(made.id, by="officer:b")
    services.proposals.change(draft(**signed, jwks={"keys": [new]}), by="officer:a")
    page: Any = html.fromstring(first.get("/admin/platforms").text)
    (mark,) = page.xpath("//article//mark")
    assert mark.text_content() == f"1 {ECKey.import_key(new).thumbprint()}"
    assert page.xpath("//article//del") != []


def test_those_who_proposed_and_decided_are_named(
    first: FlaskClient, services: SsoServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"a" * 32: "示例管理员", "b" * 32: "示例审核员"}
    monkeypatch.setitem(vars(services), "officer_names", lambda identifiers: known)
    made = services.proposals.register(draft(), by="officer:" + "a" * 32)
    assert "Proposed by 示例管理员" in first.get("/admin/platforms").text
    services.proposals.confirm(made.id, by="officer:" + "b" * 32)
    services.proposals.rotate_secret("declare", by="console:root")
    page = first.get("/admin/platforms/declare").text
    for name in ("示例管理员,", "示例审核员,", "at the console: root"):
        assert name in page
    assert "officer:" not in page


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/admin/platforms"),
        ("GET", "/admin/platforms/new"),
        ("GET", "/admin/platforms/a"),
        ("GET", "/api/v1/platforms"),
        ("GET", "/api/v1/platforms/proposals"),
        ("POST", "/api/v1/platforms/proposals"),
        ("POST", "/api/v1/platforms/a/change"),
        ("POST", "/api/v1/platforms/a/secret"),
        ("POST", "/api/v1/platforms/a/disabling"),
        ("POST", "/api/v1/platforms/proposals/a/confirmation"),
        ("POST", "/api/v1/platforms/proposals/a/refusal"),
    ],
)
def test_others_have_no_business_here(
    app: Flask, registry: Registry, card: Card, method: str, path: str
) -> None:
    with app.test_client() as stranger:
        answer = stranger.open(path, method=method, json={} if method == "POST" else None)
        assert answer.status_code in (302, 401)
        sign_in(stranger, card)
        refused = stranger.open(path, method=method, json={} if method == "POST" else None)
        assert (refused.status_code, refused.get_json()["code"]) == (403, "role.missing")
        make_officer(registry, card, "auditor")
        refused = stranger.open(path, method=method, json={} if method == "POST" else None)
        assert refused.status_code == 403


def test_another_sites_page_changes_nothing(first: FlaskClient, services: SsoServices) -> None:
    assert first.post("/admin/platforms/new", data=FIELDS).status_code == 400
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    refused = first.post("/api/v1/platforms/proposals", json=FIELDS, headers=foreign)
    assert refused.get_json()["code"] == "signin.foreign-origin"
    assert first.post("/api/v1/platforms/proposals", data=FIELDS).status_code == 400
    assert services.proposals.waiting() == []


@pytest.mark.parametrize(
    "change",
    [{"name": 5}, {"redirect_uris": [5]}, {"jwks": "x", "auth_method": "private_key_jwt"},
     {"claims": ["sub"]}, {"auth_method": "magic"}, {"client_id": "../a"}, {"scopes": ["all"]},
     {"tls_thumbprint": "x", "auth_method": "self_signed_tls_client_auth"},
     {"auth_method": "tls_client_auth"}, {"name": "x" * 201}],
)  # fmt: skip
def test_the_interface_refuses_what_cannot_be_registered(
    first: FlaskClient, change: dict[str, object]
) -> None:
    answer = first.post("/api/v1/platforms/proposals", json={**FIELDS, **change})
    assert answer.status_code == 422
    assert answer.get_json()["code"].startswith("platform.")


def test_the_interface_lists_what_it_takes(first: FlaskClient, services: SsoServices) -> None:
    made = first.post("/api/v1/platforms/proposals", json=FIELDS)
    assert made.status_code == 201
    (listed,) = first.get("/api/v1/platforms/proposals").get_json()["proposals"]
    assert listed == made.get_json()
    services.proposals.confirm(listed["id"], by="officer:b")
    (platform,) = first.get("/api/v1/platforms").get_json()["platforms"]
    assert platform["claims"] == FIELDS["claims"]
    assert draft_of(platform).checked() == draft().checked()
