"""The officers' page of recoveries: the form for who may agree, and the reason for who may not."""

from ra_portal.people.identity import Role
from tests.ra_portal.cards.test_recovery import CHECKED, OTHER, asked, enterprise
from tests.ra_portal.web.browser import Browser
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld

PAGE = "/officer/recoveries"


def test_the_form_is_there_for_those_who_may_agree_alone(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    _, card = enterprise(portal)
    clerk = portal.officer(Role.ADMINISTRATOR)
    portal.services.contacts.change(clerk, card.number, OTHER)
    action = f"{PAGE}/{asked(portal)}"

    seat.identity = clerk
    page = browser.text(PAGE)
    assert "0 / 3" in page
    assert action not in page
    assert "you put in where the secret would go" in page

    seat.identity = portal.officer(Role.APPROVER)
    assert action in browser.text(PAGE)
    browser.send(PAGE, {"decision": "approve", "note": CHECKED}, action)
    page = browser.text(PAGE)
    assert "1 / 3" in page
    assert action not in page
    assert "You have agreed" in page
