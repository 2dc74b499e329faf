"""Every page that the application serves is an exhibit, or it says why it is none."""

import pytest
from flask import Flask
from werkzeug.exceptions import HTTPException

from tests.portseal.gallery import NOT_PICTURED
from tests.portseal.gallery_answers import EVERY_EXHIBIT, NOT_PICTURED_ANSWERS, PICTURED
from tests.portseal.screenshots import PICTURES, WIDTHS

_FOR_PROGRAMS = ("/api/", "/csc/", "/oidc/", "/.well-known/", "/health/")
_FOR_PEOPLE = ("/csc/v2/oauth2/authorize", "/oidc/end-session", "/oidc/authorize")
"""Among them."""


def _pages(flask: Flask, method: str) -> set[str]:
    return {
        rule.endpoint
        for rule in flask.url_map.iter_rules()
        if method in (rule.methods or ())
        and (rule.rule in _FOR_PEOPLE or not rule.rule.startswith(_FOR_PROGRAMS))
    }


def test_every_page_of_the_url_map_has_a_picture_or_a_reason(flask: Flask) -> None:
    pages = _pages(flask, "GET")
    where = flask.url_map.bind("localhost")
    shown = set()
    for exhibit in EVERY_EXHIBIT:
        try:
            shown.add(where.match(exhibit.sample.partition("?")[0], "GET")[0])
        except HTTPException:
            assert exhibit.name.startswith(("not-found", "error-")), exhibit.name
    assert pages - shown - NOT_PICTURED.keys() == set(), "neither picture nor reason"
    served = {rule.endpoint for rule in flask.url_map.iter_rules()}
    assert NOT_PICTURED.keys() - served == set(), "reasons for what is not there"
    assert NOT_PICTURED.keys() & shown == set(), "reasons for what is shown"


def test_every_answer_to_a_form_has_a_picture_or_a_reason(flask: Flask) -> None:
    answered = _pages(flask, "POST")
    assert answered - PICTURED.keys() - NOT_PICTURED_ANSWERS.keys() == set()
    assert (PICTURED.keys() | NOT_PICTURED_ANSWERS.keys()) - answered == set(), "not there"
    assert PICTURED.keys() & NOT_PICTURED_ANSWERS.keys() == set(), "reasons for what is shown"
    assert set(PICTURED.values()) <= {exhibit.name for exhibit in EVERY_EXHIBIT if exhibit.acts}


def test_no_two_exhibits_have_one_name() -> None:
    names = [exhibit.name for exhibit in EVERY_EXHIBIT]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_exhibit_hangs_in_both_languages_and_widths(language: str, width: str) -> None:
    wanted = {f"{exhibit.name}-{language}-{width}.webp" for exhibit in EVERY_EXHIBIT}
    assert {path.name for path in PICTURES.glob(f"*-{language}-{width}.webp")} == wanted
