"""A status is good, or revoked since a moment that is over, for a reason that an answer may name;
what was never issued is told in the extended way, and kept by nobody."""

from collections.abc import Iterator
from datetime import UTC, datetime

from kernel.asn1 import der
from kernel.refusals import Malformed
from policies.lints.ocsp.framework import ARCHIVE_CUTOFF, Answer, AnswerLint, SingleResponse

_GOOD, _REVOKED, _UNKNOWN = b"\x80", b"\xa1", b"\x82"
_REASONS = frozenset({1, 2, 3, 4, 5, 6, 9, 10})
"""CRLReason without `unspecified`, which is left out, and removeFromCRL, which is for lists."""
_NEVER_ISSUED = (datetime(1970, 1, 1, tzinfo=UTC), 6)


def check(answer: Answer) -> Iterator[str]:
    if not answer.data.responses:
        yield "no status at all"
    never_issued = False
    for single in answer.data.responses:
        tag = single.status.tag_bytes
        if tag == _REVOKED:
            told = _revoked(bytes(single.status.data))
            if told is None:
                yield "a revocation that is not a time and a reason"
                continue
            if told == _NEVER_ISSUED:
                never_issued = True
                yield from _never_issued(answer, single)
            if told[0] > answer.produced_at:
                yield "revoked in the future"
            if told[1] is not None and told[1] not in _REASONS:
                yield f"reason {told[1]} is not told in answers"
        elif tag not in (_GOOD, _UNKNOWN) or bytes(single.status.data):
            yield "neither good, revoked nor unknown"
    if answer.extended and not never_issued:
        yield "the extended definition is announced and not used"


def _never_issued(answer: Answer, single: SingleResponse) -> Iterator[str]:
    if not answer.extended:
        yield "a serial that was never issued, without the extended definition"
    if single.next_update is not None:
        yield "a serial that was never issued may be the next: no nextUpdate"
    if any(each.kind.dotted_string == ARCHIVE_CUTOFF for each in single.extensions or ()):
        yield "a serial that was never issued has no archive"


def _revoked(content: bytes) -> tuple[datetime, int | None] | None:
    """revocationTime and revocationReason of RevokedInfo."""
    try:
        parts = der.elements(content)
        at = datetime.strptime(parts[0][2:].decode("ascii"), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
        if parts[0] != der.generalized_time(at) or len(parts) > 2:
            return None
        if len(parts) == 1:
            return at, None
        reason = parts[1]
        return (at, reason[4]) if reason[:4] == b"\xa0\x03\x0a\x01" and len(reason) == 5 else None
    except (ValueError, IndexError, Malformed):
        return None


LINT = AnswerLint("ocsp-status", "7.3", "RFC 6960, 2.2 and 4.2.1; RFC 5280, 5.3.1", check)
