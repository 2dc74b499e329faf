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

from ca.ocsp.responder import OcspResponder
from kernel.algorithms import AlgorithmSuite, PublicKey
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.identifiers import Serial
from kernel.keys import KeyHandle
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
    """Without what the token takes to sign: the register's share is not hidden behind it."""
    search: float
    """Of the portal's search of cards by number."""
    names: float
    """Of the same by the name of a person."""


@dataclass(frozen=True)
class Kind:
    """Calls to be timed, without the seconds that `apart` counts meanwhile."""

    calls: Sequence[Callable[[], object]]
    apart: Callable[[], float] = lambda: 0.0


class TimedKey:
    """A key of the token that counts the seconds it is used for."""

    def __init__(self, key: KeyHandle) -> None:
        self._key = key
        self.seconds = 0.0

    @property
    def public_key(self) -> PublicKey:
        return self._key.public_key

    @property
    def suite(self) -> AlgorithmSuite:
        return self._key.suite

    def sign(self, message: bytes) -> bytes:
        started = time.perf_counter()
        try:
            return self._key.sign(message)
        finally:
            self.seconds += time.perf_counter() - started

    def sign_digest(self, digest: bytes) -> bytes:
        return self._key.sign_digest(digest)


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


def _calls(site: Site, sample: int) -> tuple[Kind, ...]:
    house = site.house
    found, inventory = register.sample(house.database, sample), house.inventory
    own = house.authorities.by_name[house.authorities.current]
    timed = TimedKey(own.responder.key)
    responder = OcspResponder(
        own.name, own.own.certificate, timed, own.responder.certificate, house.database, house.clock
    )
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
    numbers = register.card_numbers(house.database, max(10, sample // 5))
    searches = [partial(cards.search, officer, None, number) for number in numbers]
    people = [
        partial(cards.search, officer, None, name)
        for name in register.names(house.database, numbers)
    ]
    assert all(each().total == 1 for each in searches[:10])
    assert all(each().total >= 1 for each in people[:10])
    answers = [partial(responder.answer, body) for body in requests]
    return Kind(look_ups), Kind(answers, lambda: timed.seconds), Kind(searches), Kind(people)


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


def _microseconds(kind: Kind) -> float:
    apart, started = kind.apart(), time.perf_counter()
    for call in kind.calls:
        call()
    spent = time.perf_counter() - started - (kind.apart() - apart)
    return spent / len(kind.calls) * 1e6
