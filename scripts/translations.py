#!/usr/bin/env python3
"""After texts have changed: bring every room's Chinese catalogue up to date.

    .venv/bin/python scripts/translations.py

English texts are the keys. New texts of pages, and what refusals and lints say that can reach a
page (scripts/refusal_sentences.py), come with an empty translation, which the test run names until
somebody writes it; those that no code uses any more go.
"""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from refusal_sentences import findings, reaches_pages, sentences

ROOT = Path(__file__).parents[1]
CATALOGUES = {
    "portseal": ("portseal", "kernel", "hsm", "records", "policies", "ca"),
    "ra_portal": ("ra_portal",),
    "signing_service": ("signing_service",),
    "key_centre": ("key_centre",),
}
"""The room that holds a catalogue, and the rooms whose texts it holds."""

METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
PAGES: dict[str, tuple[int, ...] | None] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "lazy_gettext": None,
    "spoken": None,
}
HEADER = """\
# {room}/ in simplified Chinese
msgid ""
msgstr ""
"Project-Id-Version: PortSeal\\n"
"Language: zh_Hans\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def catalogue_path(room: str) -> Path:
    return ROOT / room / "translations" / "zh_Hans" / "LC_MESSAGES" / "messages.po"


def read_catalogue(room: str) -> Catalog:
    with catalogue_path(room).open("rb") as file:
        return read_po(file, locale="zh_Hans")


def texts(rooms: Iterable[str]) -> Iterator[str | tuple[str, ...]]:
    """Those of pages."""
    for room in rooms:
        for _, _, message, _, _ in extract_from_dir(ROOT / room, METHODS, keywords=PAGES):
            if message:
                yield message


def said_elsewhere(room: str) -> set[str]:
    """What other rooms' catalogues translate: at run time they are one."""
    others = (read_catalogue(each) for each in CATALOGUES if each != room)
    return {str(message.id) for other in others for message in other if message.string}


def update(room: str) -> int:
    """Write the room's catalogue anew; how many of its texts have no translation."""
    known, fresh = read_catalogue(room), Catalog(locale="zh_Hans")
    for message in texts(CATALOGUES[room]):
        before = known.get(message)
        if message not in fresh:
            fresh.add(message, before.string if before else None)
    elsewhere = said_elsewhere(room)
    said = list(sentences(ROOT, CATALOGUES[room]))
    if "policies" in CATALOGUES[room]:
        said += findings(ROOT)
    for each in said:
        before = None if each.text is None else known.get(each.text)
        is_wanted = reaches_pages(each.path) and each.text not in elsewhere
        if each.text is not None and each.text not in fresh and (before or is_wanted):
            fresh.add(each.text, before.string if before else None)
    written, missing = Catalog(locale="zh_Hans"), 0
    for message in sorted((one for one in fresh if one.id), key=lambda one: str(one.id)):
        written.add(message.id, message.string, flags=message.flags)
        missing += not any(message.string or ())
    body = io.BytesIO()
    write_po(body, written, width=0, omit_header=True, no_location=True)
    text = HEADER.format(room=room) + body.getvalue().decode().strip() + "\n"
    catalogue_path(room).write_text(text, encoding="utf-8")
    return missing


if __name__ == "__main__":
    for name in CATALOGUES:
        print(f"{catalogue_path(name).relative_to(ROOT)}: {update(name)} without a translation")
