"""How much this process grows from 100 to 100,000 verifications, each of another signature."""

import gc
import itertools
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from signing_service.formats.cades import whole as cades
from signing_service.formats.xades import whole as xades
from tests.bench.cades import DOCUMENT
from tests.bench.site import Site
from tests.bench.timing import Pace, Row
from tests.bench.xades import SMALL
from tests.software_keys import SoftwareKey

FIRST, LAST = 100, 100_000
_FEW = 2_000
"""In a round too short to be told."""
_SIGNERS = 300
_XADES_EVERY = 10


def memory_over_verifications(site: Site, pace: Pace) -> list[Row]:
    """The use case behind the verification page, its reports read to the end."""
    last = LAST if pace.seconds >= 1 else _FEW
    made = _signatures(site)
    verification = site.house.verification
    before = 0.0
    for count, (document, signature) in enumerate(itertools.islice(made, last), start=1):
        report = verification.verify(document, signature).complete()
        assert report.passed, report.finding
        if count == FIRST:
            before = _resident_megabytes()
    growth = _resident_megabytes() - before
    return [Row("verify.rss.growth", max(growth, 0.0), unit="MB")]


def _signatures(site: Site) -> Iterator[tuple[bytes, bytes | None]]:
    """Each over a document of its own, by signers in turn; one in ten is XAdES."""
    keys = [SoftwareKey.generate() for _ in range(_SIGNERS)]
    authority = site.house.authorities.issuing
    asked = [("operator", site.request(key.public_key)) for key in keys]
    issued = authority.issue_many(authority.prepare_many(asked))
    signers = [(key, one.certificate) for key, one in zip(keys, issued, strict=True)]
    for number, (key, certificate) in enumerate(itertools.cycle(signers)):
        now, chain = datetime.now(UTC), site.chain[:1]
        remark = b"<!--%d-->" % number
        if number % _XADES_EVERY:
            document = DOCUMENT + remark
            yield document, cades.sign(document, key, certificate, now, chain=chain)
        else:
            head, end, tail = SMALL.rpartition(b"</")
            document = head + b"%d" % number + end + tail
            yield xades.sign(document, key, certificate, now, chain=chain), None


def _resident_megabytes() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
