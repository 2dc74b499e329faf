"""Broken access control: every route, every method, every kind of person.

Who is not named for a door does not get in by naming somebody else's things, and changes nothing
by trying; who is named does.
"""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ra_portal.people.identity import Identity
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.web.doors import BY_BROWSER, BY_CODE, DOORS, FOR_ANYBODY, Door, Scene
from tests.ra_portal.world import PortalWorld

REFUSED = frozenset({401, 403, 404})


def all_doors(app: Flask) -> set[str]:
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


@pytest.fixture
def scene(portal: PortalWorld, app: Flask) -> Scene:
    app.config["WTF_CSRF_ENABLED"] = False  # has its own tests; here nobody is stopped by it
    return Scene(portal)


def address_of(name: str, door: Door, scene: Scene) -> str:
    def filled(part: re.Match[str]) -> str:
        wanted = door.values[part[1]]
        return wanted[1:] if wanted.startswith("=") else scene.ids[wanted]

    return re.sub(r"<(?:\w+:)?(\w+)>", filled, name.partition(" ")[2])


def knock(
    client: FlaskClient, seat: Seat, who: Identity | None, name: str, door: Door, scene: Scene
) -> TestResponse:
    method, address = name.partition(" ")[0], address_of(name, door, scene)
    sent: dict[str, Any] = {
        key: scene.ids[value[1:]] if isinstance(value, str) and value.startswith("@") else value
        for key, value in door.body.items()
    }
    seat.identity = who
    if address.startswith("/api/"):
        return client.open(address, method=method, json=None if method == "GET" else sent)
    data = None if method == "GET" else sent
    return client.open(address, method=method, data=data, headers={"Accept": "text/html"})


def is_refused(answer: TestResponse) -> bool:
    to_sign_in = answer.status_code == 302 and answer.location.startswith("/sso/sign-in")
    return answer.status_code in REFUSED or to_sign_in


def test_every_door_is_in_the_table(app: Flask) -> None:
    """A new route fails here until somebody has said who may go in."""
    tables = (set(DOORS), BY_CODE, BY_BROWSER, FOR_ANYBODY)
    assert all_doors(app) == set().union(*tables)
    assert sum(map(len, tables)) == len(set().union(*tables)), "each stands in one table"


def test_who_may_not_go_in_does_not_and_changes_nothing(
    client: FlaskClient, portal: PortalWorld, seat: Seat, scene: Scene
) -> None:
    before = portal.everything_written()
    opened, tried = [], 0
    for name, door in DOORS.items():
        for who, identity in scene.seats.items():
            if who in door.allowed:
                continue
            answer = knock(client, seat, identity, name, door, scene)
            tried += 1
            # What is not there is told to those who may look for it, and not to others.
            told = identity is not None and answer.status_code == door.answered
            if not is_refused(answer) or told:
                opened.append(f"{who}: {name}: {answer.status_code}")
    assert opened == []
    assert tried > 900
    assert portal.everything_written() == before


def test_who_may_go_in_does(
    client: FlaskClient, portal: PortalWorld, seat: Seat, scene: Scene
) -> None:
    """So that the table says what is true, and a door that nobody can open is seen."""
    shut = []
    for name, door in DOORS.items():
        for who in sorted(door.allowed):
            answer = knock(client, seat, scene.seats[who], name, door, scene)
            told = answer.status_code == door.answered
            if answer.status_code >= 500 or is_refused(answer) != told:
                shut.append(f"{who}: {name}: {answer.status_code} {answer.text[-300:]}")
    assert shut == []


def test_whoever_is_signed_in_needs_an_applications_own_code(
    app: Flask, seat: Seat, scene: Scene
) -> None:
    for name in BY_CODE:
        method, _, rule = name.partition(" ")
        address = rule.replace("<reference>", scene.ids["reference"])
        for who, identity in scene.seats.items():
            seat.identity = identity
            client = app.test_client()
            for code in ("", "AAAA-BBBB-CCCC-DDDD"):
                headers = {"X-PortSeal-Access-Code": code, "X-PortSeal-Request": "x"}
                body: dict[str, Any] = {"data": {"name": "x"}} if method == "PUT" else {"json": {}}
                if method == "PUT":
                    body["content_type"] = "multipart/form-data"
                answer = client.open(address, method=method, headers=headers, **body)
                assert answer.status_code == 401, f"{who}: {name}"


def test_whoever_is_signed_in_needs_the_applicants_own_browser(
    app: Flask, seat: Seat, scene: Scene
) -> None:
    for name in BY_BROWSER:
        method, _, rule = name.partition(" ")
        address = rule.replace("<kind>/<int:page>", "licence/1")
        for who, identity in scene.seats.items():
            seat.identity = identity
            answer = app.test_client().open(address, method=method, headers={"Accept": "text/html"})
            elsewhere = answer.status_code == 302 and answer.location in {"/status", "/apply", "/"}
            assert elsewhere or answer.status_code in REFUSED, f"{who}: {name}"
