"""OCSP over HTTP from one worker: kept answers, and answers signed for a nonce."""

import base64
import os
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from tests.bench.loopback import HttpRequest, answer_to, load, one_by_one
from tests.bench.ocsp import constant, openssl
from tests.bench.scale import register
from tests.bench.scale.growth import request
from tests.bench.site import Site
from tests.bench.timing import Pace, Row, best, repeating

_CERTIFICATES = 200
_NONCES = 2000
_TYPE = "application/ocsp-request"
_CONSTANT = "constant WSGI answer of the same size, one granian worker"


def ocsp_over_http(site: Site, pace: Pace) -> list[Row]:
    """Beside both rows: a constant answer of the same size, and `openssl ocsp` over the same
    certificates; beside the second one the raw token, too."""
    known = register.sample(site.house.database, _CERTIFICATES)
    issuer, until = site.chain[0], datetime.now(UTC) + timedelta(days=700)
    plain = [_in_url(request(issuer, serial, None)) for serial, _, _ in known]
    with_nonce = [request(issuer, serial, os.urandom(32)) for serial, _, _ in known]
    kept = [HttpRequest("GET", f"/ocsp/{one}") for one in plain]
    nonces = [
        HttpRequest("POST", "/ocsp", _TYPE, request(issuer, serial, os.urandom(32)))
        for serial, _, _ in known * (_NONCES // len(known))
    ]
    theirs = [HttpRequest("GET", f"/{one}") for one in plain]
    theirs_with_nonce = [HttpRequest("GET", f"/{_in_url(one)}") for one in with_nonce]
    in_index = [(serial, until) for serial in dict.fromkeys(int(each) for each, _, _ in known)]
    with site.served() as origin, openssl(site, in_index, theirs[0]) as peer:
        size, signed_size = (len(answer_to(origin, one)) for one in (kept[0], nonces[0]))
        assert min(size, signed_size) > 200
        with constant(size) as bare, constant(signed_size) as bare_signed:
            rates = best(
                {
                    "kept": load(origin, kept, site.directory, size),
                    "nonce": load(origin, nonces, site.directory),
                    "constant": load(bare, kept, site.directory, size),
                    "constant beside nonce": load(bare_signed, nonces, site.directory),
                    "openssl": one_by_one(peer, theirs),
                    "openssl with nonce": one_by_one(peer, theirs_with_nonce),
                },
                pace,
            )
    token = best({"raw": repeating(site.raw_token_signature())}, pace)["raw"]
    constant_rate = rates["constant beside nonce"]
    return [
        Row(
            "ocsp.http.cached",
            rates["kept"],
            rates["constant"],
            _CONSTANT,
            rates["openssl"],
            "openssl ocsp",
        ),
        Row(
            "ocsp.http.nonce",
            rates["nonce"],
            token,
            "signatures of the raw token (python-pkcs11)",
            rates["openssl with nonce"],
            "openssl ocsp, with the nonce",
        ),
        Row("ocsp.http.nonce.constant", rates["nonce"], constant_rate, _CONSTANT),
    ]


def _in_url(encoded: bytes) -> str:
    return quote(base64.b64encode(encoded).decode(), safe="")
