"""Every text of a page stands in the Chinese catalogue, with the same placeholders."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from portseal.web.layout import CATALOGUES

ROOT = Path(__file__).parents[3]
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
        for named in (_PLACEHOLDER, _FACT):
            assert set(named.findall(text)) == set(named.findall(key)), key


def _first(text: str | tuple[str, ...] | list[str] | None) -> str:
    if text is None:
        return ""
    return text if isinstance(text, str) else text[0]
