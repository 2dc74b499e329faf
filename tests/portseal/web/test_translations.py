"""Every text of a page stands in the Chinese catalogue, with the same placeholders."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from portseal.web.layout import CATALOGUES
from scripts.refusal_sentences import (
    NOT_ON_PAGES,
    Sentence,
    findings,
    reaches_pages,
    sentences,
)

ROOT = Path(__file__).parents[3]
ALL_ROOMS = (
    "portseal", "ra_portal", "signing_service", "key_centre", "ca", "policies", "hsm", "records",
    "kernel",
)  # fmt: skip
ROOMS = [folder.parent.name for folder in CATALOGUES]
METHODS = [("**/web/**.py", "python"), ("status.py", "python"), ("**/templates/**.html", "jinja2")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "lazy_gettext": None, "spoken": None}
_PLACEHOLDER = re.compile(r"%\(\w+\)s")
_FACT = re.compile(r"\{\w+\}")
"""A fact of a refusal, in its sentence."""


def catalogue(room: str) -> dict[str, Message]:
    path = ROOT / room / "translations" / "zh_Hans" / "LC_MESSAGES" / "messages.po"
    with path.open("rb") as file:
        messages = read_po(file, locale="zh_Hans")
    return {_first(message.id): message for message in messages if message.id}


def texts(room: str) -> Iterator[str]:
    for _, _, message, _, _ in extract_from_dir(ROOT / room, METHODS, keywords=KEYWORDS):
        yield _first(message)


@pytest.mark.parametrize("room", ROOMS)
def test_every_text_of_a_page_is_translated(room: str) -> None:
    known = catalogue(room)
    found = set(texts(room))
    assert found, "nothing was extracted"
    assert sorted(text for text in found if text not in known) == []


def test_no_text_hides_from_the_extraction_in_an_f_string() -> None:
    """Babel sees an f-string as one text: what it asks to be translated is not found."""
    hidden = re.compile(r"\{(?:n|lazy_)?gettext\(")
    sources = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    assert sources
    assert [str(path) for path in sources if hidden.search(path.read_text("utf-8"))] == []


@cache
def said() -> list[Sentence]:
    found = list(sentences(ROOT, ALL_ROOMS))
    assert len(found) > 1000, "the sources were not read"
    return found


def test_every_refusal_that_can_reach_a_page_is_translated() -> None:
    """Whatever a page shows of it: on the error page, beside a form, or as what its script got."""
    known = {key for room in ROOMS for key in catalogue(room)}
    wanted = [each for each in said() if each.text is not None and reaches_pages(each.path)]
    assert [each for each in wanted if each.text not in known] == []


def test_a_refusal_is_one_sentence_and_not_put_together() -> None:
    """What is put together while running stands in no catalogue: facts are named in braces."""
    put_together = {each.path for each in said() if each.text is None and reaches_pages(each.path)}
    assert put_together == {
        "ca/crl/issuing.py",  # a lint's own words
        "ca/issuing/subject.py",  # one helper for every field
        "ca/linting/answers.py",  # a lint's own words
        "ra_portal/console/console_acts.py",  # told at a command line
        "signing_service/sso/authentication_token.py",  # names of the token's members
    }


def test_what_a_lint_of_certificates_finds_is_translated() -> None:
    """Part: what names a value of the profile is put together, and stays English."""
    known = {key for room in ROOMS for key in catalogue(room)}
    found = list(findings(ROOT))
    assert [each for each in found if each.text is not None and each.text not in known] == []
    assert sum(each.text is not None for each in found) > 2 * sum(
        each.text is None for each in found
    )


def test_what_is_left_out_for_it_reaches_no_page_is_there() -> None:
    for path in NOT_ON_PAGES:
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('raise Forbidden("a.b", "not here")', ["not here"]),
        ('raise Forbidden("a.b", "not " "here", fact=1)', ["not here"]),
        ('raise refusals.Malformed("a.b", "one" if x else "two")', ["one", "two"]),
        ('raise Malformed("a.b", f"at most {most}")', [None]),
        ('def _no(code, why):\n    return Conflict(code, why)\nraise _no("a", "b")', ["b"]),
        ('no = partial(Malformed, "a.b", "not here")', ["not here"]),
        ("raise Malformed(refusal.code, refusal.detail)", []),
        ('print("a.b", "not a refusal")', []),
    ],
)
def test_sentences_are_found_by_the_syntax(
    tmp_path: Path, source: str, texts: list[str | None]
) -> None:
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "module.py").write_text(source, "utf-8")
    assert [each.text for each in sentences(tmp_path, ("room",))] == texts


def test_two_rooms_translate_one_text_alike() -> None:
    said: dict[str, object] = {}
    for room in ROOMS:
        for key, message in catalogue(room).items():
            assert said.setdefault(key, message.string) == message.string, key


@pytest.mark.parametrize("room", ROOMS)
def test_translations_keep_their_placeholders_and_are_final(room: str) -> None:
    for key, message in catalogue(room).items():
        assert not message.fuzzy, key
        text = _first(message.string)
        assert text, key
        assert set(_PLACEHOLDER.findall(text)) == set(_PLACEHOLDER.findall(key)), key
        assert set(_FACT.findall(text)) <= set(_FACT.findall(key)), key


def _first(text: str | tuple[str, ...] | list[str] | None) -> str:
    if text is None:
        return ""
    return text if isinstance(text, str) else text[0]
