"""Timestamps per second over HTTP from one worker."""

import secrets

from cryptography.hazmat import asn1

from kernel.asn1 import der, tsp
from tests.bench.cades import RAW_COPY
from tests.bench.loopback import HttpRequest, answer_to, load
from tests.bench.site import Site
from tests.bench.timing import Pace, Row, best, repeating

_SHA256 = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"))
_REQUESTS = 100


def timestamps_over_http(site: Site, pace: Pace) -> list[Row]:
    """From the process that makes timestamps alone, and from the one that serves everything."""
    requests = [
        HttpRequest("POST", "/tsa", "application/timestamp-query", _query())
        for _ in range(_REQUESTS)
    ]
    with site.timestamps_served() as alone, site.served() as beside:
        for origin in (alone, beside):
            _require_granted(answer_to(origin, requests[0]))
        rates = best(
            {
                "alone": load(alone, requests, site.directory),
                "beside": load(beside, requests, site.directory),
                "limit": repeating(site.raw_token_signature()),
                "copy": repeating(site.raw_copy_signature()),
            },
            pace,
        )
    limit_name = "signatures of the raw token (python-pkcs11)"
    return [
        Row("tsa.http", rates["alone"], rates["limit"], limit_name),
        Row("tsa.http.copy", rates["alone"], rates["copy"], RAW_COPY),
        Row("tsa.http.portal", rates["beside"], rates["limit"], limit_name),
    ]


def _query() -> bytes:
    """TimeStampReq over a fresh SHA-256 imprint, with a nonce, asking for the certificate."""
    imprint = der.sequence(_SHA256, der.octet_string(secrets.token_bytes(32)))
    nonce = der.integer(int.from_bytes(secrets.token_bytes(8), "big"))
    return der.sequence(der.integer(1), imprint, nonce, b"\x01\x01\xff")


def _require_granted(answer: bytes) -> None:
    read = asn1.decode_der(tsp.TimeStampResp, answer)
    assert read.status.status == tsp.GRANTED
