"""Every benchmark by the name of its first row. A subject has a file; it is added here."""

from collections.abc import Callable

from tests.bench import cades, pades, xades
from tests.bench.issuing import issuing
from tests.bench.ocsp import ocsp_over_http
from tests.bench.site import Site
from tests.bench.timing import Pace, Row
from tests.bench.tsa import timestamps_over_http

BENCHMARKS: dict[str, Callable[[Site, Pace], list[Row]]] = {
    "issue.sqlite": issuing,
    "ocsp.http.cached": ocsp_over_http,
    "cades.sign": cades.signing,
    "cades.verify": cades.verification,
    "xades.sign.2k": xades.signing,
    "xades.verify.2k": xades.verification,
    "pades.sign": pades.signing,
    "pades.verify.3sig": pades.verification,
    "tsa.http": timestamps_over_http,
}
