"""Every status is told as of a moment that is over, until one that comes soon."""

from collections.abc import Iterator
from datetime import timedelta

from policies.lints.ocsp.framework import Answer, AnswerLint

_LONGEST = timedelta(days=7)


def check(answer: Answer) -> Iterator[str]:
    for single in answer.data.responses:
        this = single.this_update.as_datetime()
        if this > answer.produced_at:
            yield "thisUpdate is later than producedAt"
        if single.next_update is None:
            continue
        following = single.next_update.as_datetime()
        if not this < following <= this + _LONGEST:
            yield "nextUpdate does not follow thisUpdate within seven days"
        if following > answer.responder.not_after:
            yield "nextUpdate is later than the end of the responder's certificate"


LINT = AnswerLint("ocsp-times", "4.9.9", "RFC 6960, 4.2.2.1", check)
