"""Broken access control outside the portal: signing, platforms, the key centre.

Over the running service, with the cards of everybody in it. The portal's own routes have their
table in `tests/ra_portal/web/doors.py`; here a route of the whole url map that stands in neither
fails.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from portseal.demo.signing_steps import import_declaration
from signing_service.validation.evidence import SignatureFormat
from tests.portseal.service import RunningService, recoveries_wait
from tests.portseal.test_hostile_requests import Route, cookie_of, routes
from tests.ra_portal.web.doors import BY_BROWSER, BY_CODE, DOORS, FOR_ANYBODY

__all__ = ["routes"]

NOBODY = "nobody"
HOLDERS = ("legal-person", "operator")
OFFICERS = (
    "registrar", "approver", "administrator", "system-administrator", "audit-administrator",
    "auditor",
)  # fmt: skip
CENTRE = ("recovery-officer", "recovery-approver")
EVERYBODY = frozenset({*HOLDERS, *OFFICERS, *CENTRE})
APPROVING = frozenset({"approver", "registrar"})
"""The card of the service's registrar carries both roles (`portseal.demo.people`)."""
READERS = APPROVING | {"administrator", "system-administrator"}
ADMINISTRATOR = frozenset({"administrator"})
CONFIRMING = APPROVING | {"administrator"}
SIGNER = frozenset({"operator"})
REFUSED = frozenset({401, 403, 404})


@dataclass(frozen=True)
class Door:
    allowed: frozenset[str]
    body: dict[str, Any] = field(default_factory=dict)


_P, _K, _B = "/api/v1/platforms", "/api/v1/key-recoveries", "/api/v1/batches/<identifier>"
_ORDER = {
    "serial": "00" + "A1" * 15, "order_number": "1", "ordered_by": "x", "evidence": "MAA=",
    "transport_key": "MAA=", "reason": "x",
}  # fmt: skip
CLOSED: dict[str, Door] = {
    "GET /admin/platforms": Door(READERS),
    "GET /admin/platforms/new": Door(ADMINISTRATOR),
    "POST /admin/platforms/new": Door(ADMINISTRATOR),
    "GET /admin/platforms/<client_id>": Door(READERS),
    "GET /admin/platforms/<client_id>/change": Door(ADMINISTRATOR),
    "POST /admin/platforms/<client_id>/change": Door(ADMINISTRATOR),
    "POST /admin/platforms/<client_id>/secret": Door(ADMINISTRATOR),
    "POST /admin/platforms/<client_id>/disabling": Door(ADMINISTRATOR),
    "POST /admin/platforms/proposals/<number>/decision": Door(CONFIRMING),
    f"GET {_P}": Door(READERS),
    f"GET {_P}/proposals": Door(READERS),
    f"POST {_P}/proposals": Door(ADMINISTRATOR),
    f"POST {_P}/<client_id>/change": Door(ADMINISTRATOR),
    f"POST {_P}/<client_id>/secret": Door(ADMINISTRATOR),
    f"POST {_P}/<client_id>/disabling": Door(ADMINISTRATOR),
    f"POST {_P}/proposals/<number>/confirmation": Door(CONFIRMING),
    f"POST {_P}/proposals/<number>/refusal": Door(CONFIRMING),
    f"GET {_K}": Door(frozenset(CENTRE)),
    f"GET {_K}/<identifier>": Door(frozenset(CENTRE)),
    f"GET {_K}/<identifier>/evidence": Door(frozenset(CENTRE)),
    f"POST {_K}/<identifier>/approval": Door(frozenset({"recovery-approver"}), {"reason": "x"}),
    f"POST {_K}/<identifier>/refusal": Door(frozenset(CENTRE), {"reason": "x"}),
    f"POST {_K}/orders": Door(frozenset({"recovery-officer"}), _ORDER),
    f"POST {_K}/orders/<identifier>/delivery": Door(frozenset({"recovery-officer"})),
    "GET /key-centre": Door(frozenset(CENTRE)),
    "GET /key-centre/orders/new": Door(frozenset({"recovery-officer"})),
    "POST /key-centre/orders/new": Door(frozenset({"recovery-officer"})),
    "GET /key-centre/recoveries/<identifier>": Door(frozenset(CENTRE)),
    "POST /key-centre/recoveries/<identifier>/decision": Door(frozenset(CENTRE)),
    "POST /key-centre/recoveries/<identifier>/delivery": Door(frozenset({"recovery-officer"})),
    "GET /key-centre/recoveries/<identifier>/order.pdf": Door(frozenset(CENTRE)),
    "GET /api/v1/signatures/<identifier>": Door(SIGNER),
    "GET /api/v1/signatures/<identifier>/content": Door(SIGNER),
    f"GET {_B}": Door(SIGNER),
    f"GET {_B}/signed": Door(SIGNER),
    f"GET {_B}/refused": Door(SIGNER),
    f"POST {_B}/claims": Door(SIGNER, {"limit": 1}),
    f"POST {_B}/refusals": Door(SIGNER, {"position": 0, "code": "x.y"}),
}
"""Who may go in. Those who may are tried where that changes nothing."""

FOR_HOLDERS = frozenset({
    "GET /sign", "POST /api/v1/batches", "POST /api/v1/bundles/prepare",
    "POST /api/v1/bundles/complete", "POST /api/v1/documents", "POST /api/v1/extensions",
    "POST /api/v1/signatures/prepare", "POST /api/v1/signatures/complete",
    "POST /api/v1/signatures/abandon", "GET /card",
})  # fmt: skip
"""For whoever is signed in, with the own card: nobody else's is named."""

BY_OTHER_PROOF = re.compile(
    r"(GET|POST) /(csc/v2|oidc|cas|\.well-known)/.*|POST /sso/certificate|POST /api/v1/enc.*"
    r"|POST /api/v1/key-recoveries(/<identifier>/delivery)?|GET .*<identifier>/state"
    r"|POST /api/v1/sign-in/presence"
)
"""For platforms and cards' programs that prove themselves; for browsers on their way there."""

OPEN = re.compile(
    r"(GET|POST|DELETE) (/sso/|/api/v1/sign-in|/verify|/health/|/cps|/agent|/openapi\.yaml"
    r"|/api/v1/verifications).*"
)
"""Signing in and out, judging documents, what is published."""


@pytest.fixture(scope="module")
def things(service: RunningService) -> dict[str, str]:
    """What belongs to the operator, to platforms and to the key centre."""
    recoveries_wait(service.stage)
    service.platforms()
    signer = service.signed_in("operator")
    signed = signer.sign(
        service.stage.cards["operator"], import_declaration(), SignatureFormat.CADES
    )
    item = {"name": "a.xml", "sha256": "0" * 64}
    batch = signer.call(
        "POST", "/api/v1/batches", {"format": "CAdES", "level": "B-T", "items": [item]}
    )
    listed = service.signed_in("administrator").call("GET", _P)["platforms"]
    return {
        "signatures": signed.id,
        "batches": batch["id"],
        "recoveries": service.stage.facts["order"],
        "client_id": listed[0]["client_id"],
        "number": "0" * 32,
    }


def address_of(name: str, things: dict[str, str]) -> str:
    path = name.partition(" ")[2]
    kind = next((each for each in ("signatures", "batches") if each in path), "recoveries")
    filled = path.replace("<identifier>", things[kind])
    return filled.replace("<client_id>", things["client_id"]).replace("<number>", things["number"])


class Visitor:
    """Somebody's browser."""

    def __init__(self, service: RunningService, who: str) -> None:
        self._origin = service.origin
        cookie, self._token = cookie_of(service, None if who == NOBODY else who)
        self._session = requests.Session()
        self._session.headers["Cookie"] = cookie

    def knock(self, name: str, door: Door, things: dict[str, str]) -> requests.Response:
        method, address = name.partition(" ")[0], address_of(name, things)
        sent: dict[str, Any] = {}
        if method == "POST" and address.startswith("/api/"):
            sent["json"] = door.body
        elif method == "POST":
            sent["data"] = {**door.body, "csrf_token": self._token}
        accept = "application/json" if address.startswith("/api/") else "text/html"
        return self._session.request(
            method, self._origin + address, headers={"Accept": accept}, timeout=30,
            allow_redirects=False, **sent,
        )  # fmt: skip


def is_refused(answer: requests.Response) -> bool:
    there = answer.headers.get("Location", "").startswith("/sso/sign-in")
    return answer.status_code in REFUSED or (answer.status_code in (302, 303) and there)


def test_every_route_is_in_a_table(service: RunningService, routes: list[Route]) -> None:
    portal = set(DOORS) | BY_CODE | BY_BROWSER | FOR_ANYBODY
    listed = {
        f"{method} {route.path}"
        for route in routes
        for method in set(route.methods) - {"HEAD", "OPTIONS"}
    }
    unknown = {
        name
        for name in listed - portal - set(CLOSED) - FOR_HOLDERS
        if not BY_OTHER_PROOF.fullmatch(name) and not OPEN.fullmatch(name)
    }
    assert unknown == set()
    assert set(CLOSED) | FOR_HOLDERS <= listed


@pytest.mark.parametrize("who", sorted(EVERYBODY | {NOBODY}))
def test_a_door_is_open_to_whom_it_is_for_and_to_nobody_else(
    service: RunningService, things: dict[str, str], who: str
) -> None:
    visitor, wrong = Visitor(service, who), []
    for name, door in CLOSED.items():
        if who in door.allowed and not name.startswith("GET"):
            continue  # it would change something
        answer = visitor.knock(name, door, things)
        if answer.status_code >= 500 or is_refused(answer) == (who in door.allowed):
            wrong.append(f"{name}: {answer.status_code} {answer.text[:200]}")
    assert wrong == []


def test_nobody_signs_without_a_card(service: RunningService, things: dict[str, str]) -> None:
    visitor = Visitor(service, NOBODY)
    for name in sorted(FOR_HOLDERS):
        answer = visitor.knock(name, Door(frozenset()), things)
        assert is_refused(answer), f"{name}: {answer.status_code}"
