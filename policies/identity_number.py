"""Recognises the number of a Chinese identity card (GB 11643-1999), which no certificate names."""

import re

_SHAPE = re.compile(
    r"(?<![0-9])"
    r"([1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3})([0-9Xx])"
    r"(?![0-9])",
    re.ASCII,
)
_WEIGHTS = tuple(pow(2, 17 - i, 11) for i in range(17))
_CHECK_CHARACTERS = "10X98765432"


def holds_identity_number(text: str) -> bool:
    """Whether `text` holds an identity number: region, date of birth and check character."""
    return any(
        _CHECK_CHARACTERS[sum(int(d) * w for d, w in zip(body, _WEIGHTS, strict=True)) % 11]
        == check.upper()
        for body, check in _SHAPE.findall(text)
    )
