"""Every benchmark by the name of its first row. A subject has a file; it is added here."""

from collections.abc import Callable

from tests.bench import agent, cades, pades, sm2, xades
from tests.bench.issuing import issuing
from tests.bench.memory import memory_over_verifications
from tests.bench.ocsp import ocsp_over_http
from tests.bench.portal import portal_pages
from tests.bench.signin import signing_in
from tests.bench.site import Site
from tests.bench.timing import Pace, Row
from tests.bench.tsa import timestamps_over_http

BENCHMARKS: dict[str, Callable[[Site, Pace], list[Row]]] = {
    # First: memory that others have freed would hide what this one takes.
    "verify.rss.growth": memory_over_verifications,
    "issue.sqlite": issuing,
    "ocsp.http.cached": ocsp_over_http,
    "cades.sign": cades.signing,
    "cades.verify": cades.verification,
    "xades.sign.2k": xades.signing_small,
    "xades.verify.2k": xades.verification_small,
    "xades.sign.60k": xades.signing_large,
    "xades.verify.60k": xades.verification_large,
    "pades.sign": pades.signing,
    "pades.verify.3sig": pades.verification,
    "sm2.verify": sm2.verification,
    "tsa.http": timestamps_over_http,
    "signin.postgresql": signing_in,
    "portal.page.1m.ms": portal_pages,
    "agent.sign.ms": agent.signing,
}
