"""The rules of the house, checked on the code itself: import order, types, style."""

import re
import subprocess
import sysconfig
import tomllib
from collections.abc import Iterable
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parent.parent

# Third-party library -> the only modules (with what is below them) that may import it.
HOMES = {
    "pkcs11": ("hsm",),
    "shamir_mnemonic": ("hsm.shares",),
    "ldap3": ("ca.directory", "ra_portal.applications.ldap_registry"),
    "obstore": ("signing_service.archive.s3",),
    "flask": (
        "key_centre.web",
        "ra_portal.web",
        "signing_service.web",
        "signing_service.sso",
        "signing_service.remote",
        "portseal",
    ),
    "flask_babel": (
        "key_centre.web",
        "ra_portal.web",
        "signing_service.web",
        "signing_service.sso",
        "portseal",
    ),
    "flask_wtf": ("ra_portal.web", "signing_service.web", "signing_service.sso", "portseal"),
    "wtforms": ("ra_portal.web", "signing_service.web", "signing_service.sso", "portseal"),
    "authlib": ("signing_service.sso", "signing_service.remote", "portseal"),
    "granian": ("portseal",),
    "click": ("portseal", "key_agent"),
    "waitress": ("key_agent",),
    "markdown_it": ("portseal.web.statement",),
    "pydantic_settings": ("portseal",),
    "pkilint": ("policies", "ca"),
    "fontTools": (
        "policies.scripts",
        "signing_service.formats.pades.pdf",
        "signing_service.reports.pdf",
    ),
    "fpdf": ("signing_service.reports.pdf",),
    "PIL": (
        "signing_service.formats.pades.pdf",
        "ra_portal.papers.page_pictures",
        "portseal.demo.licence",
    ),
    "openpyxl": ("ra_portal.spreadsheets",),
    "pikepdf": ("ra_portal.papers.pdf_reader",),
    "pypdfium2": ("ra_portal.papers.pdf_reader",),
    "segno": ("signing_service.formats.pades.pdf", "portseal.demo.licence"),
}


def outside(importers: Iterable[str], homes: tuple[str, ...]) -> list[str]:
    return sorted(
        name
        for name in importers
        if not any(name == home or name.startswith(f"{home}.") for home in homes)
    )


def run(tool: str, *arguments: str) -> str:
    """Run a tool of this environment on the checkout; fail with what it prints."""
    command = [str(Path(sysconfig.get_path("scripts")) / tool), *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=280,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"{tool}:\n{done.stdout}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages: list[str] = settings["tool"]["importlinter"]["root_packages"]
    return grimp.build_graph(*packages, include_external_packages=True, cache_dir=None)


def test_imports_run_downward_only() -> None:
    assert " 0 broken" in run("lint-imports", "--no-cache", "--no-logo")


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_in_its_home_alone(library: str, imports: grimp.ImportGraph) -> None:
    if library in imports.modules:
        importers = imports.find_modules_that_directly_import(library)
        assert outside(importers, HOMES[library]) == []


def test_the_time_is_an_argument() -> None:
    """No room asks the machine: the demonstration and what strangers run alone may."""
    asks = re.compile(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.time)\(")
    found = {
        str(path.relative_to(ROOT))
        for room in ("kernel", "records", "hsm", "ca", "ra_portal", "signing_service", "key_centre")
        for path in (ROOT / room).rglob("*.py")
        if asks.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"kernel/clock.py"}


def test_a_module_outside_every_home_is_named() -> None:
    importers = ("hsm", "hsm.token", "hsmlike.token", "ca.authority")
    assert outside(importers, ("hsm",)) == ["ca.authority", "hsmlike.token"]


@pytest.mark.long
def test_types_are_complete_and_consistent() -> None:
    run("mypy")


def test_style_is_clean() -> None:
    run("ruff", "check", "--no-cache")


def test_code_is_formatted() -> None:
    run("ruff", "format", "--no-cache", "--check")
