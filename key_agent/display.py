"""What a person sees of a document before signing it: told by a template for each kind, as data."""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from lxml import etree
from pydantic import BaseModel, ConfigDict, Field

from kernel.refusals import Refusal
from key_agent.windows import MAX_WIDTH, clean, columns
from key_agent.words import Words
from signing_service.formats import xml_security
from signing_service.formats.recognition import is_xml

TEMPLATES = Path(__file__).parent / "templates"
SHOWN_ITEMS = 4
_TEXT_LINES = 8
_ITEM_MARGIN = 8
"""Columns before an item's first cell."""
_CLIPPED = 3
"""Columns of the mark of a clipped cell and of what parts it from the next."""
_PDF = b"%PDF-"
_NUMBER = re.compile(r"[+-]?[0-9]{1,24}(\.[0-9]{0,12})?|[+-]?\.[0-9]{1,12}")
"""Decimals as XML Schema writes them (Part 2, 3.3.3), without an exponent."""
_EXACT = Context(prec=60)
"""Sums of so many of those as a request has room for are exact: they are never rounded."""
_STEP = r"[A-Za-z_][A-Za-z0-9_.-]*"
_Path = Annotated[str, Field(pattern=rf"^{_STEP}(/{_STEP})*$", max_length=256)]
_Name = Annotated[str, Field(min_length=1, max_length=40)]


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name_zh: _Name
    name_en: _Name


class _ShownField(_Data):
    path: _Path
    values_zh: dict[str, str] = {}
    values_en: dict[str, str] = {}


class _Items(_Data):
    path: _Path
    columns: tuple[_Path, ...] = Field(min_length=1, max_length=6)


class _Total(_Data):
    path: _Path
    unit: _Path
    """A sibling of what is added up: amounts of different units are never added."""


class Template(_Data):
    """How one kind of XML document is recognised and what is shown of it."""

    kind: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,40}$")]
    namespace: str
    root: Annotated[str, Field(pattern=rf"^{_STEP}$")]
    field: tuple[_ShownField, ...] = Field(max_length=12)
    items: _Items | None = None
    total: tuple[_Total, ...] = ()


@dataclass(frozen=True)
class Shown:
    """A document in words."""

    kind: str
    name: str
    """Of the kind, in the user's language."""
    lines: tuple[str, ...]
    totals: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    """(name, unit) to the sum."""


@lru_cache(maxsize=1)
def templates() -> tuple[Template, ...]:
    """Those that come with the agent. Raises ValueError for one that is wrong."""
    return tuple(
        Template.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
        for file in sorted(TEMPLATES.glob("*.toml"))
    )


def show(document: bytes, name: str | None, words: Words) -> Shown:
    """What the document is and says. `name` is the page's word for the file, and shown as such."""
    named = () if name is None else (words("file", name=name),)
    if is_xml(document):
        shown = _xml(document, words)
        if shown is not None:
            return Shown(shown.kind, shown.name, (*named, *shown.lines), shown.totals)
    known = (
        words("size", size=f"{len(document):,}"),
        words("digest", digest=hashlib.sha256(document).hexdigest()),
    )
    if document.startswith(_PDF):
        return Shown("pdf", words("pdf"), (*named, *known))
    text = _text(document)
    if text is not None and not is_xml(document):
        return Shown("text", words("text"), (*named, *known, *text))
    return Shown("unknown", words("unknown-kind"), (*named, *known))


def _xml(document: bytes, words: Words) -> Shown | None:
    try:
        root = xml_security.parse(document)
    except Refusal:
        return None
    told = etree.QName(root)
    for template in templates():
        if (template.namespace, template.root) == (told.namespace, told.localname):
            return _of_template(root, template, words)
    return None


def _of_template(root: etree._Element, template: Template, words: Words) -> Shown:
    totals = dict(_totals(root, template, words))
    lines = [*_fields(root, template, words)]
    lines += (f"{name}: {_amount(value)} {unit}" for (name, unit), value in totals.items())
    if template.items is not None:
        lines += _items(root, template, template.items, words)
    name = words.choose(template.name_zh, template.name_en)
    return Shown(template.kind, name, tuple(lines), totals)


def _fields(root: etree._Element, template: Template, words: Words) -> Iterator[str]:
    for each in template.field:
        meanings = each.values_zh if words.language == "zh" else each.values_en
        # Every value on a line of its own, so that a second one cannot hide behind a long first.
        values = [meanings.get(v, v) for v in _texts(root, template, each.path) if v]
        if values:
            label = words.choose(each.name_zh, each.name_en)
            yield from (f"{label}: {value}" for value in dict.fromkeys(values))


def _items(root: etree._Element, template: Template, items: _Items, words: Words) -> Iterator[str]:
    found = root.findall(_steps(template, items.path))
    yield f"{words.choose(items.name_zh, items.name_en)}: {len(found)}"
    for number, element in enumerate(found[:SHOWN_ITEMS], 1):
        # A long cell is clipped before it pushes the next one out of sight.
        room = (MAX_WIDTH - _ITEM_MARGIN) // len(items.columns) - _CLIPPED
        texts = (" ".join(_texts(element, template, column)) for column in items.columns)
        cells = [clean(text, MAX_WIDTH) for text in texts]
        if columns("  ".join(cells)) > MAX_WIDTH - _ITEM_MARGIN:
            cells = [clean(cell, room) for cell in cells]
        yield f"  {number}. {'  '.join(cells)}"
    if len(found) > SHOWN_ITEMS:
        yield "  " + words("more", count=len(found) - SHOWN_ITEMS)


def _totals(
    root: etree._Element, template: Template, words: Words
) -> Iterator[tuple[tuple[str, str], Decimal]]:
    sums: dict[tuple[str, str], Decimal] = {}
    for total in template.total:
        parents, _, last = total.path.rpartition("/")
        name = words.choose(total.name_zh, total.name_en)
        for element in root.findall(_steps(template, parents)):
            units = " ".join(_texts(element, template, total.unit))
            for text in _texts(element, template, last):
                before = sums.get((name, units), Decimal(0))
                sums[name, units] = _EXACT.add(before, _number(text))
    yield from sums.items()


def add_totals(documents: Sequence[Shown]) -> list[str]:
    """The totals of several documents together, by name and unit."""
    sums: dict[tuple[str, str], Decimal] = {}
    for document in documents:
        for key, value in document.totals.items():
            sums[key] = _EXACT.add(sums.get(key, Decimal(0)), value)
    return [f"{name}: {_amount(value)} {unit}" for (name, unit), value in sums.items()]


def _number(text: str) -> Decimal:
    """Not a number for what is none, and for what no amount is as big or as small as."""
    return Decimal(text if _NUMBER.fullmatch(text) else "NaN")


def _amount(value: Decimal) -> str:
    return f"{value:,f}" if value.is_finite() else "?"


def _texts(element: etree._Element, template: Template, path: str) -> list[str]:
    """Everything that the fields of this path say, markup inside them included."""
    return [
        "".join(map(str, each.itertext())).strip()
        for each in element.findall(_steps(template, path))
    ]


def _steps(template: Template, path: str) -> str:
    return "/".join(f"{{{template.namespace}}}{step}" for step in path.split("/"))


def _text(document: bytes) -> list[str] | None:
    """The first lines of a text; None for what is none."""
    try:
        lines = document.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        return None
    if any(not c.isprintable() and c != "\t" for line in lines[:_TEXT_LINES] for c in line):
        return None
    return ["  " + line for line in lines[:_TEXT_LINES]] + (
        ["  …"] if len(lines) > _TEXT_LINES else []
    )
