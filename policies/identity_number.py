"""Recognises the number of a Chinese identity card (GB 11643-1999), which no certificate names,
and of other identity documents."""

import re

_SHAPE = re.compile(
    r"(?<![0-9])"
    r"([1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3})([0-9Xx])"
    r"(?![0-9])",
    re.ASCII,
)
_OTHER = re.compile(r"[A-Z]{1,3}[0-9A-Z]{5,17}", re.ASCII)
_WEIGHTS = tuple(pow(2, 17 - i, 11) for i in range(17))
_CHECK_CHARACTERS = "10X98765432"


def holds_identity_number(text: str) -> bool:
    """Whether `text` holds an identity number: region, date of birth and check character."""
    return any(_check_character(body) == check.upper() for body, check in _SHAPE.findall(text))


def is_identity_card_number(text: str) -> bool:
    """Whether `text` is one, whole: region, date of birth and check character."""
    found = _SHAPE.fullmatch(text)
    return found is not None and _check_character(found[1]) == found[2].upper()


def is_other_document_number(text: str) -> bool:
    """Whether `text` may be a passport's or a permit's number, which have no common shape."""
    return _OTHER.fullmatch(text) is not None


def _check_character(body: str) -> str:
    return _CHECK_CHARACTERS[sum(int(d) * w for d, w in zip(body, _WEIGHTS, strict=True)) % 11]
