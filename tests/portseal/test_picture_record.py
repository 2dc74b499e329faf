"""The record beside the pictures tells which of them are out of date, and why."""

import pytest

from tests.portseal import picture_record
from tests.portseal.gallery_answers import EVERY_EXHIBIT
from tests.portseal.screenshots import PICTURES

DASHBOARD = "ra_portal/web/templates/ra_portal/dashboard.html"
CHARTS = "ra_portal/web/templates/ra_portal/charts.html"
THEME = "portseal/web/static/theme.css"


def dashboard() -> dict[str, str]:
    return picture_record.made_of(
        ["ra_portal/dashboard.html"], ["/static/theme.css", "/api/v1/cards", "/nowhere.css"]
    )


def test_it_has_every_exhibit_and_no_other() -> None:
    record = picture_record.read(PICTURES)
    assert record.keys() == {exhibit.name for exhibit in EVERY_EXHIBIT}
    assert all(any(file.endswith(".html") for file in files) for files in record.values())


def test_a_page_is_made_of_its_templates_with_their_parts_and_of_what_it_loads() -> None:
    files = dashboard()
    assert {DASHBOARD, CHARTS, THEME, "portseal/web/templates/base.html"} <= files.keys()
    assert "nowhere" not in str(files)
    assert picture_record.changed({"dashboard": files}) == {}


def test_a_file_that_is_another_or_gone_is_named() -> None:
    files = {**dashboard(), CHARTS: "000000000000", "gone.css": "000000000000"}
    assert picture_record.changed({"dashboard": files}) == {"dashboard": [CHARTS, "gone.css"]}


def test_another_translation_of_a_templates_text_is_a_change_and_of_others_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files, chinese = dashboard(), dict(picture_record.chinese())
    monkeypatch.setattr(picture_record, "chinese", lambda: {**chinese, "Cards by state": "卡"})
    assert picture_record.changed({"dashboard": files}) == {"dashboard": [DASHBOARD]}
    monkeypatch.setattr(picture_record, "chinese", lambda: {**chinese, "Not on this page": "无"})
    assert picture_record.changed({"dashboard": files}) == {}
