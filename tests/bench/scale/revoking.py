"""Mass revocation as the portal does it: proposed, confirmed, run, and seen over HTTP on two nodes.

Two served nodes on one database; the run is the worker's own code here. Time ends when each node
says of every sampled card that it is revoked and gives the lists and delta lists that were made
after. Whether these tell of every sampled card is asked when the clock has stopped: reading a list
of a million is not the authority's work.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.error import URLError

from cryptography import x509
from cryptography.x509 import ocsp

from ca.crl import archive as crl_archive
from ca.inventory import RevocationReason
from kernel.asn1.certificate import Certificate
from kernel.identifiers import Serial
from portseal.sandbox.ports import free_port
from ra_portal.mass_actions.mass_filter import Act, CardFilter
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.bench.loopback import HttpRequest, answer_to, serving
from tests.bench.scale import register
from tests.bench.scale.growth import request
from tests.bench.site import Site
from tests.bench.timing import Row

SAMPLE = 500
_PATIENCE_SECONDS = 600
_TYPE = "application/ocsp-request"
_LISTS = (("/crl/issuing.crl", False), ("/crl/issuing/delta.crl", True))
"""The complete list, and the delta list upon the one before: address, whether it is a delta."""


def mass_revocation(site: Site) -> list[Row]:
    """All cards of the fullest region, from the confirmation to true status everywhere."""
    house = site.house
    region, count = register.fullest_region(house.database)
    good = register.good_serials_in(house.database, region)
    sampled = good[:: max(1, len(good) // SAMPLE)]
    proposing, confirming = _officer("first"), _officer("second")
    wanted = CardFilter(kind="operator", region=region)
    actions = house.portal.mass_actions
    proposed = actions.propose(proposing, Act.REVOKE, wanted, str(RevocationReason.KEY_COMPROMISE))
    assert proposed.total == count
    house.crl_issuers[1].renew()  # what the delta list is upon
    with _two_nodes(site) as nodes:
        for node in nodes:  # their kept answers say that all is well
            assert not any(_is_revoked(node, site.chain[0], each) for each in sampled)
        started = time.perf_counter()
        actions.confirm(confirming, proposed.id)
        done = actions.run()
        while actions.has_work():  # each turn is short, as a worker's is
            done += actions.run()
        assert done == len(good), (done, len(good), count)  # the rest was revoked before
        followed = time.perf_counter() - started
        made = house.crl_issuers[1].renew()
        listed = time.perf_counter() - started
        for node in nodes:
            _wait_until_revoked(node, site.chain[0], sampled)
        given = [
            _given_by(node, path, _latest(site, delta)) for node in nodes for path, delta in _LISTS
        ]
        elapsed = time.perf_counter() - started
        assert all(_tells_of_all(crl, sampled) for crl in given)
    print(
        f"  {count:,} cards: certificates and cards had followed after {followed:.1f} s, "
        f"{len(made)} lists were made after {listed:.1f} s, two nodes said so of {len(sampled)} "
        f"after {elapsed:.1f} s"
    )
    return [Row("revoke.100k.seconds", elapsed, unit="s")]


def _officer(name: str) -> Identity:
    roles = frozenset({Role.ADMINISTRATOR, Role.APPROVER})
    return Identity(HolderKind.OFFICER, name, name, roles)


@contextmanager
def _two_nodes(site: Site) -> Iterator[list[str]]:
    """Two `portseal serve` on ports of their own, on one database."""
    origins = []
    with ExitStack() as stack:
        for _ in range(2):
            port = free_port()
            origin = f"http://127.0.0.1:{port}"
            environment = {
                **os.environ,
                "PORTSEAL_CONFIG": str(site.settings_file),
                "PORTSEAL_WEB__PORT": str(port),
                "PORTSEAL_WEB__ORIGIN": origin,
            }
            command = [sys.executable, "-m", "portseal.cli", "serve"]
            stack.enter_context(serving(command, f"{origin}/health/ready", environment))
            origins.append(origin)
        yield origins


def _is_revoked(origin: str, issuer: Certificate, serial: Serial) -> bool:
    body = answer_to(origin, HttpRequest("POST", "/ocsp", _TYPE, request(issuer, serial, None)))
    status = ocsp.load_der_ocsp_response(body).certificate_status
    return status is ocsp.OCSPCertStatus.REVOKED


def _wait_until_revoked(origin: str, issuer: Certificate, sampled: list[Serial]) -> None:
    until, left = time.monotonic() + _PATIENCE_SECONDS, sampled
    while left:
        assert time.monotonic() < until, f"{len(left)} are still good on {origin}"
        try:
            left = [each for each in left if not _is_revoked(origin, issuer, each)]
        except URLError as error:
            raise RuntimeError(f"{origin} does not answer") from error


def _latest(site: Site, delta: bool) -> bytes:
    """Whoever made it: this process, or a node before it."""
    with site.house.database.reading() as connection:
        found = crl_archive.latest(connection, "issuing", 0, delta)
    assert found is not None
    return found.der


def _given_by(origin: str, path: str, wanted: bytes) -> bytes:
    """The list at an address, once it is the latest."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while answer_to(origin, HttpRequest("GET", path)) != wanted:
        assert time.monotonic() < until, f"{path} of {origin} is still the one before"
        time.sleep(0.1)
    return wanted


def _tells_of_all(crl: bytes, sampled: list[Serial]) -> bool:
    told = {entry.serial_number for entry in x509.load_der_x509_crl(crl)}
    return told.issuperset(sampled)
