"""Names that people really write pass; letters borrowed from another script do not."""

import pytest

from policies.scripts import has_look_alike_letters, mixes_scripts, unusual_letters


@pytest.mark.parametrize(
    "name",
    [
        "宁波远航（中国）ABC进出口有限公司",
        "株式会社カナひら",
        "김선생 (Kim)",
        "Петров Иван",
        "Ångström & Søn",
        "甲·乙",
        "OP-0001",
        "",
    ],
)
def test_a_usual_name_passes(name: str) -> None:
    assert not mixes_scripts(name)
    assert not has_look_alike_letters(name)


@pytest.mark.parametrize(
    ("name", "mixed"),
    [
        ("p\u0430ypal", True),  # a Cyrillic a
        ("\u039fRACLE", True),  # a Greek capital omicron
        ("宁波\u0430公司", True),
        ("\uff21\uff22\uff23公司", False),  # full-width letters
        ("\U0001d400公司", False),  # a mathematical bold A
        ("张三\uff11", False),
    ],
)
def test_a_look_alike_is_seen(name: str, mixed: bool) -> None:
    assert mixes_scripts(name) is mixed
    assert mixed or has_look_alike_letters(name)


def test_letters_that_may_be_taken_for_others_are_spelled_out() -> None:
    """A whole name in Cyrillic, which reads as a Latin one."""
    assert unusual_letters("АО\u0421О ао") == (
        "А U+0410 CYRILLIC CAPITAL LETTER A",
        "О U+041E CYRILLIC CAPITAL LETTER O",
        "С U+0421 CYRILLIC CAPITAL LETTER ES",
        "а U+0430 CYRILLIC SMALL LETTER A",
        "о U+043E CYRILLIC SMALL LETTER O",
    )
    assert unusual_letters("Søn") == ("ø U+00F8 LATIN SMALL LETTER O WITH STROKE",)


@pytest.mark.parametrize(
    "name", ["宁波（中国）ABC公司", "株式会社カナひら", "김선생 (Kim)", "OP-1", "", "一〇"]
)
def test_usual_names_need_no_spelling_out(name: str) -> None:
    assert unusual_letters(name) == ()
