"""The journal tells people what happened, in their language."""

import re

from flask import Flask
from flask_babel import force_locale

from ra_portal.people.identity import Role
from ra_portal.web.journal_words import GROUPS, PHRASES, phrase
from records.events import Event
from tests.ra_portal.web.browser import Browser
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld

_HAN = re.compile(r"[\u4e00-\u9fff]")


def in_chinese(app: Flask, texts: list[object]) -> list[str]:
    with app.test_request_context(), force_locale("zh_Hans"):
        return [str(text) for text in texts]


def test_every_event_of_the_vocabulary_is_said_in_both_languages(app: Flask) -> None:
    assert set(PHRASES) == set(Event), "whoever adds an event gives it words"
    chinese = dict(zip(PHRASES, in_chinese(app, list(PHRASES.values())), strict=True))
    assert [event for event, said in chinese.items() if not _HAN.search(said)] == []
    for said in in_chinese(app, [title for title, _ in GROUPS]):
        assert _HAN.search(said)


def test_an_event_has_one_place_and_a_phrase_of_its_own(app: Flask) -> None:
    assert sum(len(events) for _, events in GROUPS) == len(Event), "one stands in two groups"
    for said in (in_chinese(app, list(PHRASES.values())), [str(each) for each in PHRASES.values()]):
        assert sorted({each for each in said if said.count(each) > 1}) == []


def test_a_word_that_a_later_version_wrote_is_shown_as_it_is() -> None:
    assert phrase("card.sung-to") == "card.sung-to"


def test_the_page_and_its_filter_speak_in_phrases(
    browser: Browser, portal: PortalWorld, seat: Seat
) -> None:
    portal.approved()
    seat.identity = portal.officer(Role.AUDITOR)
    for language, said, title in (
        ("en", "Application of an enterprise approved", "Applications and enterprises"),
        ("zh", "企业申请已批准", "申请与企业"),
    ):
        page = browser.text(f"/admin/journal?event=enterprise.approved&lang={language}")
        rows = page[page.index("<tbody>") :]
        assert said in rows
        assert ">enterprise.approved</a></code>" in rows, "the code beside it, to search by"
        assert f'<option value="enterprise.approved" selected>{said}</option>' in page
        assert f'<optgroup label="{title}">' in page
