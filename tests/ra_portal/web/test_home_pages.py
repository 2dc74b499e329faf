"""The homes of card holders as they are read."""

from tests.ra_portal.test_holder_home import operator_with_card
from tests.ra_portal.web.browser import Browser
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld


def test_the_pages_say_it(browser: Browser, portal: PortalWorld, seat: Seat) -> None:
    seat.identity = by = portal.legal_person()
    operator, number = operator_with_card(portal, by, "E-1")
    page = browser.text("/")
    assert "Operator cards in use" in page
    seat.identity = operator
    page = browser.text("/")
    assert "My rights" in page
    assert "Declare imports" in page
    assert "until withdrawn" in page
    assert f'href="/cards/{number}"' in page
    assert "No telephone number and no mail address is left" in page
    history = browser.text("/enterprise/history")
    assert "Everything that your card signed" in history
    assert 'name="operator"><option' not in history
