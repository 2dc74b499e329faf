"""Look-ups and OCSP answers as the register grows: they go by indexes, and shall not slow down."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.identifiers import Serial
from tests.bench.scale import register
from tests.bench.site import Site

_SAMPLE = 1000
_ROUNDS = 5


@dataclass(frozen=True)
class Growth:
    """Microseconds at one size of the register."""

    certificates: int
    lookup: float
    ocsp: float


def measure(site: Site, size: int) -> Growth:
    found = register.sample(site.house.database, _SAMPLE)
    inventory, responder = site.house.inventory, site.house.ocsp_responder
    look_ups: list[Callable[[], object]] = []
    for serial, key, reference in found:
        look_ups += [
            partial(inventory.by_serial, serial),
            partial(inventory.by_key, key),
            partial(inventory.by_reference, reference),
        ]
    requests = [request(site.chain[0], serial, os.urandom(32)) for serial, _, _ in found]
    for body in requests[:10]:
        answer = ocsp.load_der_ocsp_response(responder.answer(body).der)
        assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
    answers = [partial(responder.answer, body) for body in requests]
    return Growth(size, _microseconds(look_ups), _microseconds(answers))


def request(issuer: Certificate, serial: Serial, nonce: bytes | None) -> bytes:
    """An OCSPRequest about any serial number."""
    _, bits = der.children(issuer.spki, der.read(issuer.spki))
    hashed = [hashes.Hash(hashes.SHA1()), hashes.Hash(hashes.SHA1())]
    hashed[0].update(issuer.subject_der)
    hashed[1].update(issuer.spki[bits.content + 1 :])
    name, key = (each.finalize() for each in hashed)
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(name, key, serial, hashes.SHA1())
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


def _microseconds(calls: Sequence[Callable[[], object]]) -> float:
    """Per call, the best of the rounds; the first one warms up."""
    rounds = []
    for _ in range(_ROUNDS + 1):
        started = time.perf_counter()
        for call in calls:
            call()
        rounds.append((time.perf_counter() - started) / len(calls) * 1e6)
    return min(rounds[1:])
