"""On a running service: whose roles change is signed out at once, and comes back with the new ones;
who leaves comes back no more."""

import time

import pytest

from kernel.refusals import Refusal
from portseal.holder.card import Card
from portseal.holder.service import Service
from tests.portseal.service import RunningService


@pytest.fixture
def clerk(service: RunningService) -> tuple[Card, str]:
    """A registrar's card, and the registrar's id."""
    administrator, approver = service.signed_in("administrator"), service.signed_in("approver")
    wanted = {"name": "周登记样例", "roles": ["registrar"]}
    added = administrator.call("POST", "/api/v1/officers", wanted)
    path = f"/api/v1/cards/{added['card']['number']}/activation-code/confirmation"
    code = approver.call("POST", path, {})["activation_code"]
    card = service.stage.usb_keys.make(f"clerk-{time.monotonic_ns()}")
    service.anonymous().enrol(card, code)
    return card, added["officer"]["id"]


def seat(service: RunningService, card: Card) -> Service:
    browser = service.anonymous()
    browser.sign_in(card)
    return browser


def test_a_confirmed_change_ends_the_officers_sessions(
    service: RunningService, clerk: tuple[Card, str]
) -> None:
    card, officer = clerk
    administrator, approver = service.signed_in("administrator"), service.signed_in("approver")
    browser = seat(service, card)
    assert browser.call("GET", "/sso/session")["roles"] == ["registrar"]

    path = f"/api/v1/officers/{officer}"
    wanted = {"roles": ["approver"], "reason": "转岗"}
    change = administrator.call("POST", f"{path}/changes", wanted)["id"]
    assert browser.call("GET", "/sso/session")["signed_in"], "nothing happens at the proposal"
    decide = f"/api/v1/officer-changes/{change}/confirmation"
    with pytest.raises(Refusal, match=r"approval\.same-officer"):
        administrator.call("POST", decide, {})
    assert approver.call("POST", decide, {})["state"] == "confirmed"

    assert not browser.call("GET", "/sso/session")["signed_in"]
    browser = seat(service, card)
    assert browser.call("GET", "/sso/session")["roles"] == ["approver"]
    leaving = administrator.call("POST", f"{path}/retirement", {"reason": "离职"})["id"]
    approver.call("POST", f"/api/v1/officer-changes/{leaving}/confirmation", {})
    assert not browser.call("GET", "/sso/session")["signed_in"]
    with pytest.raises(Refusal, match=r"signin\.revoked"):
        seat(service, card)
