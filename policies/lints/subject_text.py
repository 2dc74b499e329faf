"""Text of the subject shows what it says: no control characters, no direction marks."""

import unicodedata
from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def check(candidate: Candidate) -> Iterator[str]:
    for values in candidate.certificate.subject.values():
        for text in values:
            if text.isascii() and text.isprintable():
                continue
            if any(unicodedata.category(character) in _UNSEEN for character in text):
                yield "a character that cannot be seen, or that turns the text around"


LINT = Lint("subject-text", "Unicode TR 36, 3.6; RFC 5280, 8", check)
