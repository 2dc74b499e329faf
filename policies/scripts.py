"""Which writing systems a text mixes: letters that look alike across them could show another name.

Unicode UTS 39, 5.2, level "highly restrictive": one script, or one of the mixtures that people
really write, each of which Latin letters may stand in.
"""

import re
from functools import lru_cache
from unicodedata import name as unicode_name
from unicodedata import normalize

from fontTools.unicodedata import script_extension

_USUAL = re.compile(r"[\x20-\x7e\u4e00-\u9fff（）《》、，。·]*")
"""Chinese names with Latin letters and digits, as nearly all are: told at once."""
_EAST_ASIAN = frozenset({"Hani", "Hira", "Kana", "Bopo", "Hang"})
_NEUTRAL = frozenset({"Zyyy", "Zinh"})
_WRITTEN_TOGETHER = (
    frozenset({"Latn", "Hani", "Hira", "Kana"}),
    frozenset({"Latn", "Hani", "Bopo"}),
    frozenset({"Latn", "Hani", "Hang"}),
)


def mixes_scripts(text: str) -> bool:
    """Whether no one writing system, nor a usual mixture of them, writes the whole text."""
    if _USUAL.fullmatch(text):
        return False
    found = [scripts for each in set(text) if not (scripts := _scripts(each)) & _NEUTRAL]
    alone = frozenset.intersection(*found) if found else frozenset({"any"})
    return not alone and not any(
        all(scripts & together for scripts in found) for together in _WRITTEN_TOGETHER
    )


def unusual_letters(text: str) -> tuple[str, ...]:
    """Each different letter that is neither plain Latin nor one of the scripts of East Asia, with
    its code point and its name: `А U+0410 CYRILLIC CAPITAL LETTER A`. A whole name in another
    script is let pass, since such names exist; whoever decides about it sees what it is."""
    if _USUAL.fullmatch(text):
        return ()
    unusual = (
        each
        for each in dict.fromkeys(text)
        if each.isalpha() and not each.isascii() and not _scripts(each) & _EAST_ASIAN
    )
    return tuple(f"{each} U+{ord(each):04X} {unicode_name(each, '?')}" for each in unusual)


@lru_cache(8192)
def _scripts(character: str) -> frozenset[str]:
    """Looked up once: names are written with few thousand characters."""
    return frozenset(script_extension(character))


def has_look_alike_letters(text: str) -> bool:
    """Whether a letter or digit is a variant of a plain one (full width, mathematical): NFKC
    changes it, and nobody sees the difference in a name. Full-width punctuation is usual."""
    if _USUAL.fullmatch(text):
        return False
    return any(each.isalnum() and normalize("NFKC", each) != each for each in text)
