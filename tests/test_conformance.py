"""What docs/conformance/ says that a test shows is shown by a test that there is."""

import ast
import re
from collections.abc import Iterator
from fnmatch import filter as filter_names
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted((ROOT / "docs" / "conformance").glob("*.md"))
OWASP = ROOT / "docs" / "conformance" / "owasp.md"
_NAMED = re.compile(r"`([^`]*\btest_\w+[^`]*)`")
_CATEGORIES = [f"A{number:02}:2025" for number in range(1, 11)]


@cache
def known_tests() -> dict[str, frozenset[str]]:
    """Names of tests by file, its path below tests/."""
    return {
        path.relative_to(ROOT / "tests").as_posix(): frozenset(
            node.name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        )
        for path in (ROOT / "tests").rglob("test_*.py")
    }


def files(named: str) -> list[str]:
    """Those that a path in a document may mean: whole, or its end."""
    end = "/" + named.removeprefix("tests/")
    return [path for path in known_tests() if f"/{path}".endswith(end)]


def is_there(named: str) -> bool:
    """`file.py`, `file.py::test_name`, or `test_name`, `::test_name`, `test_some_*` of any file."""
    file, _, name = named.partition("::")
    if not file.endswith(".py"):
        file, name = "", name or file
    known = {
        each for path in (files(file) if file else known_tests()) for each in known_tests()[path]
    }
    return bool(filter_names(known, name) if name else files(file))


def named_in(document: Path) -> Iterator[str]:
    for match in _NAMED.finditer(document.read_text("utf-8")):
        yield match[1]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_test_that_a_document_names_is_there(document: Path) -> None:
    named = list(named_in(document))
    assert named
    assert [each for each in named if not is_there(each)] == []


def test_a_test_that_is_not_there_is_found_out() -> None:
    here = "tests/test_conformance.py"
    assert is_there(f"{here}::test_a_test_that_is_not_there_is_found_out")
    assert not is_there(f"{here}::test_nothing")
    assert not is_there("test_nothing_at_all")
    assert not is_there("tests/test_nowhere.py")


def test_every_category_of_owasps_list_names_single_tests() -> None:
    """Not a file: which test shows it can be run by its name."""
    parts = re.split(r"^## ", OWASP.read_text("utf-8"), flags=re.MULTILINE)[1:]
    by_category = {part[:8]: part for part in parts if part[:8] in _CATEGORIES}
    assert list(by_category) == _CATEGORIES
    for category, part in by_category.items():
        rows = [line for line in part.splitlines() if line.startswith("| ")][1:]
        assert rows, category
        for row in rows:
            shown = _NAMED.findall(row)
            assert shown or "**not done**" in row, row
            assert all("::" in each for each in shown), row
