"""What an experienced tester tries first, at the running service with real people's cards."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from playwright.sync_api import Browser

from portseal.holder.service import Service, ServiceRefusal
from tests.portseal.service import RunningService


@pytest.fixture
def legal_person(service: RunningService) -> Iterator[Service]:
    conversation = service.signed_in("legal-person")
    yield conversation
    conversation.session.close()


def operators(service: Service) -> list[dict[str, Any]]:
    found, after = [], ""
    while True:
        page = service.call("GET", f"/api/v1/operators?after={quote(after)}")
        found += page["operators"]
        after = page["later"] or ""
        if not after:
            return found


def employees(service: Service) -> set[str]:
    return {str(each["employee_number"]) for each in operators(service)}


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
@pytest.mark.parametrize("media_type", ["application/json", "text/plain"])
def test_another_sites_page_adds_no_operator(
    legal_person: Service, origin: str, media_type: str
) -> None:
    """Cross-site request forgery with JSON, by a browser that is signed in here."""
    headers = {"Origin": origin, "Content-Type": media_type}
    body = '{"name": "甲", "employee_number": "CSRF1", "rights": ["declare-import"]}'
    with pytest.raises(ServiceRefusal) as refused:
        legal_person.fetch("POST", "/api/v1/operators", data=body.encode(), headers=headers)
    assert refused.value.code == "request.foreign-origin"
    assert "CSRF1" not in employees(legal_person)


def test_what_the_interface_does_not_ask_for_changes_nothing(legal_person: Service) -> None:
    """Mass assignment with JSON."""
    mine = operators(legal_person)[0]
    smuggled = {
        "id": mine["id"], "enterprise": "0" * 32, "enterprise_id": "0" * 32, "kind": "officer",
        "roles": ["administrator"], "state": "active", "card": "LP-2026-HACKED22",
        "activation_code": "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA",
    }  # fmt: skip
    asked = {"name": "甲乙", "employee_number": "MASS1", "rights": ["declare-import"]}
    made = legal_person.call("POST", "/api/v1/operators", {**smuggled, **asked})
    assert made["activation_code"] != smuggled["activation_code"]
    assert made["card"]["holder_kind"] == "operator"
    assert made["card"]["number"].startswith("OP-")
    (added,) = [each for each in operators(legal_person) if each["employee_number"] == "MASS1"]
    assert added["id"] != mine["id"]
    with pytest.raises(ServiceRefusal) as refused:
        legal_person.call("POST", "/api/v1/operators", {**asked, "rights": ["administrator"]})
    assert refused.value.facts["rights"] == "right.unknown"


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example\r\nBcc: all@evil.example", "a@b.example\nX: y", '"a\r\nb"@b.example',
        "a@b.example,all@evil.example", "a@b.example all@evil.example", "<a@b.example>",
    ],
)  # fmt: skip
def test_no_address_smuggles_a_second_one_or_a_header(
    legal_person: Service, service: RunningService, address: str
) -> None:
    number = service.stage.numbers["legal-person"]
    path = f"/api/v1/cards/{number}/contact"
    before = legal_person.call("GET", path)
    with pytest.raises(ServiceRefusal) as refused:
        legal_person.call("PUT", path, {"email": address, "phone": ""})
    assert refused.value.facts["email"] == "field.email"
    assert legal_person.call("GET", path) == before


def test_a_copied_cookie_ends_with_the_sign_out(service: RunningService) -> None:
    conversation = service.signed_in("auditor")
    copy = requests.Session()
    copy.trust_env = False
    for cookie in conversation.session.cookies:
        copy.cookies.set_cookie(cookie)
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "Lax"
        assert not cookie.domain_specified
    standing = f"{service.origin}/sso/session"
    assert copy.get(standing, timeout=30).json()["signed_in"]
    conversation.call("DELETE", "/api/v1/sign-in")
    assert not copy.get(standing, timeout=30).json()["signed_in"]


@pytest.mark.browser
def test_no_code_of_an_agent_is_looked_up_in_every_objects_prototype(
    browser: Browser, service: RunningService
) -> None:
    """Another program at the agent's port may answer with any code."""
    page = browser.new_page(base_url=service.origin)
    page.goto("/")
    states = page.evaluate(
        """async () => {
          const { stateOf } = await import("/agent/portseal-agent-errors.js");
          return ["constructor", "__proto__", "toString", "hasOwnProperty.x"].map(stateOf);
        }"""
    )
    page.close()
    assert states == ["refused"] * 4
