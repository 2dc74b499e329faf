"""Every page that the application serves is an exhibit, or it says why it is none."""

from flask import Flask
from werkzeug.exceptions import NotFound

from tests.portseal.gallery import EXHIBITS, NOT_PICTURED
from tests.portseal.screenshots import PICTURES, WIDTHS

_FOR_PROGRAMS = ("/api/", "/csc/", "/.well-known/", "/health/")


def test_every_page_of_the_url_map_has_a_picture_or_a_reason(flask: Flask) -> None:
    pages = {
        rule.endpoint
        for rule in flask.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and not rule.rule.startswith(_FOR_PROGRAMS)
    }
    where = flask.url_map.bind("localhost")
    shown = set()
    for exhibit in EXHIBITS:
        try:
            shown.add(where.match(exhibit.sample.partition("?")[0], "GET")[0])
        except NotFound:
            assert exhibit.name == "not-found"
    assert pages - shown - NOT_PICTURED.keys() == set(), "neither picture nor reason"
    assert NOT_PICTURED.keys() - pages == set(), "reasons for what is no page"
    assert NOT_PICTURED.keys() & shown == set(), "reasons for what is shown"


def test_every_exhibit_hangs_in_both_languages_and_widths() -> None:
    wanted = {
        f"{exhibit.name}-{language}-{width}.webp"
        for exhibit in EXHIBITS
        for language in ("zh", "en")
        for width in WIDTHS
    }
    assert {path.name for path in PICTURES.iterdir()} == wanted
