"""OCSP over HTTP from one worker: kept answers, and answers signed for a nonce."""

import base64
import os
from urllib.parse import quote

from tests.bench.loopback import HttpRequest, answer_to, load
from tests.bench.ocsp import constant
from tests.bench.scale import register
from tests.bench.scale.growth import request
from tests.bench.site import Site
from tests.bench.timing import Pace, Row, best, repeating

_CERTIFICATES = 200
_NONCES = 2000
_TYPE = "application/ocsp-request"


def ocsp_over_http(site: Site, pace: Pace) -> list[Row]:
    known = register.sample(site.house.database, _CERTIFICATES)
    issuer = site.chain[0]
    plain = [base64.b64encode(request(issuer, serial, None)).decode() for serial, _, _ in known]
    kept = [HttpRequest("GET", f"/ocsp/{quote(one, safe='')}") for one in plain]
    nonces = [
        HttpRequest("POST", "/ocsp", _TYPE, request(issuer, serial, os.urandom(32)))
        for serial, _, _ in known * (_NONCES // len(known))
    ]
    with site.served() as origin:
        size = len(answer_to(origin, kept[0]))
        assert size > 200
        with constant(size) as bare:
            rates = best(
                {
                    "kept": load(origin, kept, site.directory),
                    "nonce": load(origin, nonces, site.directory),
                    "constant": load(bare, kept, site.directory),
                },
                pace,
            )
    token = best({"raw": repeating(site.raw_token_signature())}, pace)["raw"]
    return [
        Row(
            "ocsp.http.cached",
            rates["kept"],
            rates["constant"],
            "constant WSGI answer of the same size, one granian worker",
        ),
        Row(
            "ocsp.http.nonce",
            rates["nonce"],
            token,
            "signatures of the raw token (python-pkcs11)",
        ),
    ]
