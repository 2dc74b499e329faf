"""The page of seals: the legal person asks, the officer decides, each sees what is theirs."""

from ra_portal.people.identity import Role
from tests.ra_portal.web.browser import Browser, between
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld


def test_a_seal_is_asked_for_approved_and_revoked(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = owner = portal.legal_person()
    assert 'href="/seals"' in browser.text("/enterprise")
    assert browser.send("/seals", {"name": "报关<b>专用章"}).status_code == 302
    page = browser.text("/seals")
    assert "报关&lt;b&gt;专用章" in page
    assert "Waiting for approval" in page
    action = between(r'action="(/seals/SE-[^"]+)"', page)

    seat.identity = portal.officer(Role.APPROVER)
    assert 'href="/seals"' in browser.text("/officer/applications")
    waiting = browser.text("/seals")
    assert owner.name in waiting
    assert browser.send("/seals", {"decision": "approve"}, action).status_code == 302
    assert "There is no seal here" in browser.text("/seals")

    seat.identity = owner
    assert "In use" in browser.text("/seals")
    ended: dict[str, object] = {"decision": "revoke", "reason": "cessationOfOperation"}
    assert browser.send("/seals", ended, action).status_code == 302
    assert "Revoked" in browser.text("/seals")


def test_who_may_not_is_told_so(browser: Browser, portal: PortalWorld, seat: Seat) -> None:
    seat.identity = portal.legal_person()
    assert browser.send("/seals", {"name": " "}).status_code == 400
    browser.send("/seals", {"name": "合同专用章"})
    action = between(r'action="(/seals/SE-[^"]+)"', browser.text("/seals"))
    assert browser.send("/seals", {"decision": "approve"}, action).status_code == 403
    assert browser.send("/seals", {"decision": "?"}, action).status_code == 400
    seat.identity = portal.officer(Role.REGISTRAR)
    assert browser.send("/seals", {"decision": "refuse"}, action).status_code == 403
    seat.identity = None
    assert browser.get("/seals").headers["Location"].startswith("/sso/sign-in?")
