"""Lists to take away, from the buttons below them."""

import csv
import io

import pytest
from werkzeug.test import TestResponse

from ra_portal import exports
from ra_portal.people.identity import Role
from ra_portal.spreadsheets import writing
from tests.ra_portal import samples
from tests.ra_portal.web.browser import Browser
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld


def read(answer: TestResponse) -> list[list[str]]:
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.data.startswith("\ufeff".encode())
    return list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))


@pytest.mark.parametrize("in_memory", [1 << 20, 64])
def test_the_queue_is_taken_away_as_it_is_filtered(
    browser: Browser, portal: PortalWorld, seat: Seat, monkeypatch: pytest.MonkeyPatch,
    in_memory: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(writing, "_IN_MEMORY", in_memory)  # else on disk
    person = samples.identity_number()
    registration = portal.services.registration
    details = samples.details(1, name="=HYPERLINK(1)公司", identity_number=person)
    made = registration.apply(details, samples.scan()).application
    registration.apply(samples.details(2), samples.scan())
    seat.identity = portal.officer(Role.REGISTRAR, name="孙登记")
    portal.services.assignments.assign(seat.identity, made.id, seat.identity.subject)
    page = browser.get("/officer/applications?mine=1")
    assert "50,000 rows at most" in page.text
    headings, row = read(browser.press(page, "CSV"))
    assert headings[:3] == ["Enterprise", "Unified social credit code", "Reference"]
    assert row[0] == "'=HYPERLINK(1)公司"
    assert row[1:3] == [made.details.uscc, made.reference]
    assert row[4:6] == ["Waiting for examination", "孙登记"]
    assert len(read(browser.press(browser.get("/officer/applications"), "CSV"))) == 3
    everything = browser.press(browser.get("/officer/applications?state="), "CSV")
    for secret in (person, "13800000000", "@"):
        assert secret not in everything.text


def test_the_cards_are_taken_away_as_they_are_filtered(
    browser: Browser, portal: PortalWorld, seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = portal.operator(portal.legal_person()).view.card
    assert card is not None
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    found = read(browser.press(browser.get(f"/admin/cards?q={card.number}"), "CSV"))
    assert [row[:4] for row in found[1:]] == [
        [card.number, "张操作", "Operator card", "To be made"]
    ]
    page = browser.get("/admin/cards")
    assert len(read(browser.press(page, "CSV"))) > 3
    monkeypatch.setattr(exports, "MOST_EXPORTED", 1)
    refused = browser.press(page, "CSV")
    assert refused.status_code == 413
    assert "export.too-many" in refused.text
