"""A running service counts what an address asks for without a card, and says when it is enough.

From loopback addresses of these tests' own, at a service of their own: for the one that all tests
share the limits are out of reach.
"""

import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from portseal.settings.portal import PortalSettings
from tests.portseal.service import Twin
from tests.ra_portal import samples

MOST = 2000
"""Far more than any limit, for each of the service's processes."""
CARD = {"purpose": "loss", "channel": "sms", "card": "OP-2026-22222222"}
ENTERPRISE = {"uscc": str(samples.details(77)["uscc"]), "reason": "the PIN is blocked"}


ASKED = [
    ("127.0.0.91", "/api/v1/card-codes", CARD, 202),
    ("127.0.0.92", "/api/v1/recoveries", ENTERPRISE, 202),
    ("127.0.0.93", "/api/v1/sign-in/challenges", {}, 200),
]


@pytest.mark.long
def test_an_address_is_told_to_wait(twin: Twin) -> None:
    twin.serve(PORTSEAL_PORTAL__ASKS_PER_MINUTE=str(PortalSettings().asks_per_minute))
    for address, path, body, answered in ASKED:
        require_told_to_wait(twin.origin, address, path, body, answered)


def require_told_to_wait(
    origin: str, address: str, path: str, body: dict[str, str], answered: int
) -> None:
    at = urlsplit(origin)
    statuses: set[int] = set()
    for _ in range(MOST):
        connection = HTTPConnection(
            at.hostname or "", at.port, timeout=30, source_address=(address, 0)
        )
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        told, retry = json.loads(answer.read()), answer.getheader("Retry-After")
        connection.close()
        statuses.add(answer.status)
        if answer.status == 429:
            break
    assert statuses == {answered, 429}
    assert told["code"] == "request.too-many"
    assert int(retry or "0") > 0
