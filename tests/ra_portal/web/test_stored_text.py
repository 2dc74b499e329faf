"""Stored scripts and templates (injection): what somebody typed is text on every page."""

import pytest
from flask.testing import FlaskClient

from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.web.doors import DOORS, Scene
from tests.ra_portal.web.test_access import address_of
from tests.ra_portal.world import PortalWorld

HTML = {"Accept": "text/html", "Accept-Language": "en"}
SCRIPT = '"><script>alert(1)</script><img src=x>'
TEMPLATE = "{{7*7}}${7*7}"


@pytest.mark.parametrize(
    ("typed", "never", "shown_as"),
    [
        (SCRIPT, ("<script>alert", "<img src=x"), "&lt;script&gt;alert"),
        (TEMPLATE, ("张操作49", "宁波样本149", "$49"), "{{7*7}}${7*7}"),
    ],
)
def test_what_was_typed_is_text_on_every_page_of_everybody(
    client: FlaskClient,
    portal: PortalWorld,
    seat: Seat,
    typed: str,
    never: tuple[str, ...],
    shown_as: str,
) -> None:
    scene = Scene(portal, typed)
    pages, shown = 0, 0
    for name, door in DOORS.items():
        if not name.startswith("GET") or name.startswith("GET /api/"):
            continue
        for who in door.allowed:
            seat.identity = scene.seats[who]
            page = client.get(address_of(name, door, scene), headers=HTML)
            if page.mimetype == "text/html":
                found = [each for each in never if each in page.text]
                assert found == [], f"{name} as {who}"
                pages, shown = pages + 1, shown + (shown_as in page.text)
    assert pages > 40
    assert shown > 25, "the texts are on the pages"
