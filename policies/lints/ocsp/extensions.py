"""Extensions of an answer: nonce, extended definition, archive cutoff; each once, none critical."""

from collections.abc import Iterator

from policies.lints.ocsp.framework import (
    ARCHIVE_CUTOFF,
    EXTENDED_REVOKE,
    NONCE,
    Answer,
    AnswerLint,
    Extension,
)

_LONGEST_NONCE = 128


def check(answer: Answer) -> Iterator[str]:
    extensions = answer.data.extensions
    if extensions is not None:
        yield from _closed(extensions, (NONCE, EXTENDED_REVOKE))
        for each in extensions:
            if each.kind.dotted_string == NONCE and not 1 <= _octets(each.value) <= _LONGEST_NONCE:
                yield f"the nonce has not 1 to {_LONGEST_NONCE} octets"
    for single in answer.data.responses:
        if single.extensions is not None:
            yield from _closed(single.extensions, (ARCHIVE_CUTOFF,))


def _closed(extensions: list[Extension], known: tuple[str, ...]) -> Iterator[str]:
    kinds = [each.kind.dotted_string for each in extensions]
    if not kinds or not set(kinds) <= set(known) or len(set(kinds)) != len(kinds):
        yield "an extension that no answer of this house has, one twice, or an empty list"
    if any(each.critical for each in extensions):
        yield "a critical extension"


def _octets(value: bytes) -> int:
    """Of an OCTET STRING of at most 255 octets; 0: it is none."""
    if value[:1] != b"\x04" or len(value) < 2:
        return 0
    if value[1] < 0x80:
        return value[1] if len(value) == value[1] + 2 else 0
    if value[1] == 0x81 and len(value) > 2:
        return value[2] if len(value) == value[2] + 3 else 0
    return 0


LINT = AnswerLint("ocsp-extensions", "7.3.2", "RFC 6960, 4.4; RFC 9654, 2.1", check)
