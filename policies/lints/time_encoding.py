"""Times are UTCTime until 2049 and GeneralizedTime from then on, in whole seconds, UTC."""

import re
from collections.abc import Iterator

from kernel.asn1 import der
from policies.lints.framework import Candidate, Lint

_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_SHAPES = {
    _UTC_TIME: re.compile(rb"\d{12}Z"),
    _GENERALIZED_TIME: re.compile(rb"20[5-9]\d{11}Z|2[1-9]\d{12}Z|[3-9]\d{13}Z"),
}


def check(candidate: Candidate) -> Iterator[str]:
    tbs = candidate.certificate.tbs
    fields = [f for f in der.children(tbs, der.read(tbs)) if f.tag != 0xA0]
    validity = fields[3]
    for name, time in zip(("notBefore", "notAfter"), der.children(tbs, validity), strict=True):
        shape = _SHAPES.get(time.tag)
        if shape is None or not shape.fullmatch(tbs, time.content, time.end):
            yield f"{name} is not encoded as its year demands"


LINT = Lint("time-encoding", "6.3.2", "RFC 5280, 4.1.2.5.1 and 4.1.2.5.2", check)
