"""OCSP answers per second over HTTP from one worker, for many certificates, once cached."""

import base64
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from kernel.asn1.certificate import Certificate
from portseal.sandbox.ports import free_port
from tests.bench.loopback import HttpRequest, answer_to, load, one_by_one, serving
from tests.bench.site import Site
from tests.bench.timing import Pace, Row, best
from tests.software_keys import SoftwareKey

CERTIFICATES = 200
Known = tuple[int, datetime]
"""Serial and end of a certificate."""


def ocsp_over_http(site: Site, pace: Pace) -> list[Row]:
    certificates = [issued.certificate for issued in site.issue(CERTIFICATES)]
    known = [(certificate.serial, certificate.not_after) for certificate in certificates]
    issuer = site.chain[0]
    encoded = [
        quote(base64.b64encode(_request(certificate, issuer)).decode(), safe="")
        for certificate in certificates
    ]
    ours = [HttpRequest("GET", f"/ocsp/{one}") for one in encoded]
    theirs = [HttpRequest("GET", f"/{one}") for one in encoded]
    with site.served() as origin, openssl(site, known, theirs[0]) as peer:
        size = len(_good(answer_to(origin, ours[0]), certificates[0]))
        _good(answer_to(peer, theirs[0]), certificates[0])
        with constant(size) as bare:
            rates = best(
                {
                    "ours": load(origin, ours, site.directory, size),
                    "limit": load(bare, ours, site.directory, size),
                    "peer": one_by_one(peer, theirs),
                },
                pace,
            )
    limit_name = "constant WSGI answer of the same size, one granian worker"
    row = Row(
        "ocsp.http.cached", rates["ours"], rates["limit"], limit_name, rates["peer"], "openssl ocsp"
    )
    return [row]


@contextmanager
def constant(size: int) -> Iterator[str]:
    """granian with one worker that always gives the same answer; its origin."""
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.constant_answer", str(port)]
    origin = f"http://127.0.0.1:{port}"
    with serving(command, origin, {**os.environ, "ANSWER_BYTES": str(size)}):
        yield origin


@contextmanager
def openssl(site: Site, known: Sequence[Known], probe: HttpRequest) -> Iterator[str]:
    """`openssl ocsp` over the same certificates; it signs with a software key, each time."""
    key, authority = SoftwareKey.generate(), site.house.authorities.issuing
    responder = authority.issue(authority.prepare("ocsp", site.responder_request(key.public_key)))
    directory = site.directory
    (directory / "responder.key").write_bytes(key.pem())
    (directory / "responder.pem").write_text(responder.certificate.pem)
    (directory / "issuing.pem").write_text(site.chain[0].pem)
    index = _index(directory / "index.txt", known)
    port = free_port()
    command = ["openssl", "ocsp", "-port", str(port), "-index", str(index)]
    command += ["-CA", str(directory / "issuing.pem"), "-nmin", "60"]
    command += ["-rsigner", str(directory / "responder.pem")]
    command += ["-rkey", str(directory / "responder.key")]
    origin = f"http://127.0.0.1:{port}"
    with serving(command, origin + probe.path):
        yield origin


def _index(path: Path, known: Sequence[Known]) -> Path:
    """The text database of `openssl ca`: state, expiry, revocation, serial, file, subject."""
    path.write_text(
        "".join(
            f"V\t{until:%y%m%d%H%M%SZ}\t\t{_even_hex(serial)}\tunknown\t/CN={serial}\n"
            for serial, until in known
        )
    )
    return path


def _even_hex(serial: int) -> str:
    digits = f"{serial:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def _request(certificate: Certificate, issuer: Certificate) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(
        x509.load_der_x509_certificate(certificate.der),
        x509.load_der_x509_certificate(issuer.der),
        hashes.SHA1(),
    )
    return builder.build().public_bytes(Encoding.DER)


def _good(answer: bytes, certificate: Certificate) -> bytes:
    """The answer, once it is seen to be what was asked for."""
    read = ocsp.load_der_ocsp_response(answer)
    assert read.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert read.serial_number == certificate.serial
    return answer
