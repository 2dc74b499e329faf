"""`portseal platform` and `portseal sign-in-key` at the authority's console."""

import json

import pytest
import requests
from sqlalchemy import func, update

from kernel.refusals import Refusal
from portseal.demo.signin_steps import register_platform
from records.database import Database
from signing_service.sso.tables import platforms
from tests.portseal.cli.conftest import Console
from tests.portseal.service import RunningService

PERMITTED = ("--permitted-by", "示例主管部门", "--evidence", "示例〔2026〕1号")


def test_the_console_proposes_and_an_officer_with_a_card_gets_the_secret(
    service: RunningService, console: Console
) -> None:
    address = ("--redirect-uri", "https://p.example/cb")
    made = console.signed_json(
        ["administrator"], "platform", "add", "命令行平台", *address, *PERMITTED
    )
    assert made.keys() == {"proposal", "client_id"}
    listed = console.json("platform", "list")
    assert made["client_id"] not in [each["client_id"] for each in listed["platforms"]]
    assert made["client_id"] in [each["client_id"] for each in listed["waiting"]]
    path = f"/api/v1/platforms/proposals/{made['proposal']}/confirmation"
    with pytest.raises(Refusal, match=r"role\.missing"):
        service.signed_in("legal-person").call("POST", path, {})
    with pytest.raises(Refusal, match=r"platform\.same-administrator"):
        service.signed_in("administrator").call("POST", path, {})
    secret = service.signed_in("approver").call("POST", path, {})["client_secret"]
    assert len(secret) >= 32
    with pytest.raises(Refusal, match=r"platform\.decided"):
        service.signed_in("approver").call("POST", path, {})


@pytest.mark.long
def test_a_platform_that_cannot_be_safe_is_not_even_proposed(console: Console) -> None:
    by, add = ["administrator"], ("platform", "add", "x", "--redirect-uri")
    refused = console.signed(by, *add, "http://p.example/cb", *PERMITTED)
    assert (refused.code, "[platform.redirect-uri]" in refused.err) == (1, True)
    nobody = ("--permitted-by", "", "--evidence", "")
    refused = console.signed(by, *add, "https://p.example/", *nobody)
    assert (refused.code, "[platform.permission]" in refused.err) == (1, True)


@pytest.mark.long
def test_a_new_secret_takes_two_and_disabling_takes_one(
    service: RunningService, console: Console
) -> None:
    options = ("--client-id", "going", "--redirect-uri", "https://g.example/cb")
    first = register_platform(service.stage, "Going", *options)["client_secret"]
    proposed = console.signed_json(["administrator"], "platform", "rotate", "going")
    path = f"/api/v1/platforms/proposals/{proposed['proposal']}/confirmation"
    second = service.signed_in("approver").call("POST", path, {})["client_secret"]

    def status(secret: str) -> int:
        answer = requests.post(
            f"{service.origin}/oidc/introspect",
            data={"token": "x"},
            auth=("going", secret),
            timeout=10,
        )
        return answer.status_code

    assert (status(first), status(second)) == (401, 200)
    disable = ("platform", "disable", "going")
    assert console.run(*disable).code == 6
    assert console.signed(["administrator"], *disable).code == 0
    assert status(second) == 401
    again = console.signed(["administrator"], *disable)
    assert (again.code, "[platform.unknown]" in again.err) == (1, True)


def test_the_next_sign_in_key_is_published_before_it_signs(
    service: RunningService, console: Console
) -> None:
    def published() -> list[str]:
        keys = requests.get(f"{service.origin}/oidc/jwks", timeout=10).json()["keys"]
        return [key["kid"] for key in keys]

    before = published()
    made = console.signed_json(["system-administrator"], "sign-in-key", "rotate")
    assert made["kid"] not in before
    assert made["kid"] in [key["kid"] for key in console.json("sign-in-key", "list")["keys"]]
    again = console.signed(["system-administrator"], "sign-in-key", "rotate")
    assert (again.code, "[signin-key.waiting]" in again.err) == (1, True)


@pytest.mark.long
def test_a_platform_that_lost_its_address_in_an_upgrade_is_named_until_that_is_settled(
    service: RunningService, console: Console
) -> None:
    """Migration 0033 gave an address that two platforms had to the older one."""
    address = ("--cas-service", "https://cas.example/login")
    register_platform(service.stage, "Older", "--client-id", "older", *address)
    other = ("--cas-service", "https://cas.example/other")
    register_platform(service.stage, "Younger", "--client-id", "younger", *other)
    assert console.json("platform", "list")["lost_cas_services"] == []
    database = Database(service.site.database_url)
    younger = platforms.c.client_id == "younger"
    as_before = func.replace(platforms.c.terms, other[1], address[1])
    with database.transaction() as connection:
        connection.execute(update(platforms).where(younger).values(terms=as_before))
    database.dispose()
    told = console.run("status", "--json")
    words = json.loads(told.out)["platforms"]
    assert f"{address[1]} of younger (Younger) belongs to older" in words
    assert words.startswith("not in order")
    listed = console.run("platform", "list").out
    assert f"lost: {address[1]} of younger (Younger) belongs to older" in listed
    assert console.signed(["administrator"], "platform", "disable", "younger").code == 0
    assert console.json("platform", "list")["lost_cas_services"] == []
    assert console.signed(["administrator"], "platform", "disable", "older").code == 0
