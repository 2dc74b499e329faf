"""What each picture was made of: a record beside the pictures, and which of them are out of date.

For each exhibit the record has the templates that its page was filled in from, the styles, scripts
and drawings that the browser loaded for it, and a digest of each as it was then. A template's
digest goes over its source and the Chinese of its texts. Not seen is what Python puts into a page
(words of a state, a refusal's sentence, what a view counts), nor what the gallery's past is.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po
from jinja2 import Environment, meta
from jinja2.ext import babel_extract

from portseal.web.agent_files import FILES
from portseal.web.layout import CATALOGUES

ROOT = Path(__file__).parents[2]
RECORD = "made-of.json"
"""Beside the pictures."""
_SERVED = {
    "/static/": "portseal/web/static",
    "/portal-files/": "ra_portal/web/static",
    "/verify/static/": "signing_service/web/static",
    "/agent/": str(FILES.relative_to(ROOT)),
}
"""Where what the browser asks for lies, by the beginning of its path."""
_SYNTAX = Environment(
    extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True, autoescape=True
)

Record = Mapping[str, Mapping[str, str]]
"""By exhibit: a file, below the repository, and its digest."""


def made_of(templates: Iterable[str], paths: Iterable[str]) -> dict[str, str]:
    """The files, and their digests now.

    `templates`: names of those that were filled in; what they extend and include comes with them.
    `paths`: of what the browser asked for; what is no file of ours is left out.
    """
    files = {file for name in templates for file in _with_its_parts(name)}
    for path in paths:
        for begin, directory in _SERVED.items():
            if path.startswith(begin):
                files.add(f"{directory}/{path.removeprefix(begin)}")
    return {file: digest(file) for file in sorted(files) if (ROOT / file).is_file()}


def digest(file: str) -> str:
    """Of a file below the repository, and of its texts in Chinese; empty: there is none."""
    path = ROOT / file
    if not path.is_file():
        return ""
    content = path.read_bytes()
    if path.suffix == ".html":
        content += json.dumps([chinese().get(each) for each in _texts(content)]).encode()
    return hashlib.sha256(content).hexdigest()[:12]


def changed(record: Record) -> dict[str, list[str]]:
    """By exhibit, the files that are not any more as they were when its pictures were taken."""
    now = {file: digest(file) for files in record.values() for file in files}
    found = {
        exhibit: [file for file, then in files.items() if now[file] != then]
        for exhibit, files in record.items()
    }
    return {exhibit: files for exhibit, files in found.items() if files}


def read(directory: Path) -> dict[str, dict[str, str]]:
    """Empty: there is none."""
    path = directory / RECORD
    found: dict[str, dict[str, str]] = {}
    if path.exists():
        found = json.loads(path.read_text("utf-8"))
    return found


def write(directory: Path, record: Record) -> None:
    text = json.dumps(record, indent=0, sort_keys=True, ensure_ascii=False)
    (directory / RECORD).write_text(text + "\n", "utf-8")


@cache
def _with_its_parts(name: str) -> frozenset[str]:
    """The file of a template and of every other that it extends, includes or imports."""
    file = _where()[name]
    named = meta.find_referenced_templates(_SYNTAX.parse((ROOT / file).read_text("utf-8")))
    return frozenset({file}).union(*(_with_its_parts(each) for each in named if each is not None))


@cache
def _where() -> dict[str, str]:
    """Every template of a page, by the name that pages call it by."""
    return {
        str(path.relative_to(directory)): str(path.relative_to(ROOT))
        for room in CATALOGUES
        for directory in room.parent.rglob("templates")
        for path in directory.rglob("*.html")
    }


Text = str | tuple[str, ...]
"""One, or the singular and the plural."""


def _texts(source: bytes) -> list[Text]:
    options = {"trim_blocks": "true", "lstrip_blocks": "true", "encoding": "utf-8"}
    found = babel_extract(io.BytesIO(source), ("_", "gettext", "ngettext"), (), options)
    return [
        text if isinstance(text, str) else tuple(each for each in text or () if each is not None)
        for _, _, text, _ in found
    ]


@cache
def chinese() -> dict[Text, object]:
    told: dict[Text, object] = {}
    for catalogue in CATALOGUES:
        with (catalogue / "zh_Hans" / "LC_MESSAGES" / "messages.po").open("rb") as file:
            for each in read_po(file, locale="zh_Hans"):
                told[each.id if isinstance(each.id, str) else tuple(each.id)] = each.string
    return told
