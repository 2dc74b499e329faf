"""The practice statement is whole, says the same in both languages, and tells true numbers."""

import re
from collections.abc import Iterator
from math import gcd

import pytest
from pydantic import BaseModel

from kernel import weak_keys
from kernel.entropy import SystemEntropy
from kernel.identifiers import new_serial
from policies.catalogue import load_catalogue
from policies.lints.catalogue import LINTS
from policies.lints.crl import times as crl_times
from policies.lints.crl.catalogue import LINTS as LIST_LINTS
from policies.lints.ocsp import extensions as ocsp_extensions
from policies.lints.ocsp import times as ocsp_times
from policies.lints.ocsp.catalogue import LINTS as ANSWER_LINTS
from policies.profile import CertificateProfile
from policies.statement import LANGUAGES, statement
from portseal.settings import Settings
from ra_portal.cards.cards import ACTIVATION_CODE_LIFETIME

CATALOGUE = load_catalogue()
_HEADING = re.compile(r"^(#+) (\d+(?:\.\d+)*)\.? (.+)$", re.MULTILINE)
_CELL = re.compile(r"^`([a-z_.-]+)`$")

# RFC 3647, 6: how many subsections each section of the outline has; where those have some of
# their own, how many each has.
OUTLINE: dict[str, int] = {
    "1": 6, "1.3": 5, "1.4": 2, "1.5": 4,
    "2": 4,
    "3": 4, "3.1": 6, "3.2": 6, "3.3": 2,
    "4": 12, "4.1": 2, "4.2": 3, "4.3": 2, "4.4": 3, "4.5": 2, "4.6": 7, "4.7": 7, "4.8": 7,
    "4.9": 16, "4.10": 3, "4.12": 2,
    "5": 8, "5.1": 8, "5.2": 4, "5.3": 8, "5.4": 8, "5.5": 7, "5.7": 4,
    "6": 8, "6.1": 7, "6.2": 11, "6.3": 2, "6.4": 3, "6.5": 2, "6.6": 3,
    "7": 3, "7.1": 9, "7.2": 2, "7.3": 2,
    "8": 6,
    "9": 17, "9.1": 5, "9.2": 3, "9.3": 3, "9.4": 7, "9.6": 5, "9.10": 3, "9.12": 3, "9.16": 5,
}  # fmt: skip


def sections() -> list[str]:
    """Every number of RFC 3647's outline, in order."""

    def below(number: str) -> Iterator[str]:
        yield number
        for place in range(1, OUTLINE.get(number, 0) + 1):
            yield from below(f"{number}.{place}")

    return [number for chapter in range(1, 10) for number in below(str(chapter))]


def clauses(language: str) -> dict[str, str]:
    """The text below each heading, by its number."""
    text = statement(language)
    found = list(_HEADING.finditer(text))
    ends = [each.start() for each in found[1:]] + [len(text)]
    return {each[2]: text[each.end() : end].strip() for each, end in zip(found, ends, strict=True)}


def tables(language: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Header and rows of every table."""
    for block in statement(language).split("\n\n"):
        lines = block.strip().splitlines()
        if lines and lines[0].startswith("|"):
            rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
            yield rows[0], rows[2:]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_outline_of_rfc_3647_is_complete(language: str) -> None:
    found = [each[2] for each in _HEADING.finditer(statement(language))]
    assert found == sections()
    said = clauses(language)
    silent = [number for number in sections() if number not in OUTLINE and not said[number]]
    assert silent == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_clause_that_is_referred_to_exists(language: str) -> None:
    known = set(sections())
    for number, text in clauses(language).items():
        plain = re.sub(r"\|.*\||RFC [0-9, ]+|EN [0-9 -]+|1\.3\.6[0-9.]*|CVE[0-9-]+", "", text)
        for referred in re.findall(r"(?<![\d.])(\d+\.\d+(?:\.\d+)*)(?![\d.]*\d)", plain):
            assert referred in known | {"2.0"}, (number, referred)


@pytest.mark.parametrize("lint", [*LINTS, *LIST_LINTS, *ANSWER_LINTS], ids=lambda lint: lint.name)
def test_every_lint_cites_a_clause_that_exists(lint: object) -> None:
    clause = lint.clause  # type: ignore[attr-defined]
    for language in LANGUAGES:
        assert clauses(language)[clause], clause


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_tell_what_the_profiles_hold(language: str) -> None:
    names = sorted(profile.name for profile in CATALOGUE)
    told: set[str] = set()
    for header, rows in tables(language):
        if header[0] != "`profile`":
            continue
        fields = [named(cell) for cell in header[1:]]
        told |= set(fields)
        assert sorted(named(row[0]) for row in rows) == names, fields
        for row in rows:
            profile = CATALOGUE[named(row[0])]
            assert row[1:] == [shown(profile, field) for field in fields], profile.name
    silent = {"name", "version", "title_zh", "title_en", "arc", "subject"}  # 3.1.1 has the subject
    flags = {"extended_key_usage_critical", "ocsp_nocheck", "alternative_names"}  # 7.1.2 has them
    assert told | silent | flags == set(CertificateProfile.model_fields)


@pytest.mark.parametrize("language", LANGUAGES)
def test_tables_tell_the_settings(language: str) -> None:
    told = {}
    for header, rows in tables(language):
        if header[0] == "setting":
            told.update({named(row[0]): row[1] for row in rows})
    assert len(told) >= 15
    for path, value in told.items():
        assert str(default_of(path)) == value, path


@pytest.mark.parametrize(
    ("clause", "number"),
    [
        ("4.9.7", crl_times._LONGEST.days),
        ("6.1.5", weak_keys.MIN_RSA_BITS),
        ("6.1.6", weak_keys._FERMAT_ROUNDS),
        ("6.1.6", 65537),
        ("6.1.6", 752),
        ("7.1.1", new_serial(SystemEntropy()).bit_length()),
        ("7.3.2", ocsp_extensions._LONGEST_NONCE),
    ],
)
def test_numbers_in_the_text_are_the_code_s(clause: str, number: int) -> None:
    for language in LANGUAGES:
        assert re.search(rf"(?<!\d){number}(?!\d)", clauses(language)[clause])


def test_periods_in_words_are_the_code_s() -> None:
    assert ocsp_times._LONGEST.days == ACTIVATION_CODE_LIFETIME.days == 7
    for clause in ("4.9.9", "6.4.1"):
        assert "seven days" in clauses("en")[clause]
        assert re.search("七天|七日", clauses("zh")[clause])
    assert gcd(weak_keys._SMALL_FACTORS, 751) == 751
    assert gcd(weak_keys._SMALL_FACTORS, 757) == 1


def test_both_languages_have_the_same_tables() -> None:
    assert list(tables("zh")) == list(tables("en"))


def named(cell: str) -> str:
    found = _CELL.match(cell)
    assert found, cell
    return found[1]


def shown(profile: CertificateProfile, field: str) -> str:
    value = getattr(profile, field)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return "none" if value is None else str(value)


def default_of(path: str) -> object:
    group, _, name = path.partition(".")
    settings = Settings.model_fields[group].default
    assert isinstance(settings, BaseModel), group
    return getattr(settings, name)
