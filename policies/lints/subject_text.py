"""Text of the subject shows what it says: nothing unseen, no direction marks, no look-alikes."""

import unicodedata
from collections.abc import Iterator

from policies.lints.framework import Candidate, Lint
from policies.scripts import has_look_alike_letters, mixes_scripts

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def check(candidate: Candidate) -> Iterator[str]:
    for values in candidate.certificate.subject.values():
        for text in values:
            if text.isascii() and text.isprintable():
                continue
            if any(unicodedata.category(character) in _UNSEEN for character in text):
                yield "a character that cannot be seen, or that turns the text around"
            if mixes_scripts(text) or has_look_alike_letters(text):
                yield "letters that look like those of another script"


LINT = Lint("subject-text", "3.1.4", "Unicode TR 36, 3.6, and UTS 39, 5.2; RFC 5280, 8", check)
