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
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.bench.scale import register
from tests.bench.site import Site

SAMPLE = 1000
"""Certificates asked for in a round."""
_ROUNDS = 5


@dataclass(frozen=True)
class Speed:
    """Microseconds for each call, in one register."""

    lookup: float
    ocsp: float
    search: float
    """Of the portal's search of cards by number."""


def compare(first: Site, other: Site, sample: int = SAMPLE) -> tuple[Speed, Speed]:
    """The rounds take turns, so that what else the machine does hits both alike."""
    calls = [_calls(first, sample), _calls(other, sample)]
    best = [[float("inf")] * len(kinds) for kinds in calls]
    for round_number in range(_ROUNDS + 1):
        for site_number, kinds in enumerate(calls):
            for kind, several in enumerate(kinds):
                spent = _microseconds(several)
                if round_number:  # the first one warms up
                    best[site_number][kind] = min(best[site_number][kind], spent)
    return Speed(*best[0]), Speed(*best[1])


def _calls(site: Site, sample: int) -> tuple[Sequence[Callable[[], object]], ...]:
    found = register.sample(site.house.database, sample)
    inventory, responder = site.house.inventory, site.house.ocsp_responders[0]
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
    cards, officer = (
        site.house.portal.cards,
        Identity(HolderKind.OFFICER, "bench", "bench", frozenset({Role.ADMINISTRATOR})),
    )
    searches = [
        partial(cards.search, officer, None, number)
        for number in register.card_numbers(site.house.database, max(10, sample // 5))
    ]
    assert all(each().total == 1 for each in searches[:10])
    return look_ups, [partial(responder.answer, body) for body in requests], searches


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
    started = time.perf_counter()
    for call in calls:
        call()
    return (time.perf_counter() - started) / len(calls) * 1e6
