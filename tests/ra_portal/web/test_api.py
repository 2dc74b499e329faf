"""The JSON interface: the same life, for programs; problems have stable codes."""

import base64
import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kernel.asn1.certificate import Certificate
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.ra_portal import samples
from tests.ra_portal.web.conftest import Seat
from tests.ra_portal.world import PortalWorld, pkcs10


def post(client: FlaskClient, path: str, body: object = None, **headers: str) -> TestResponse:
    return client.post(f"/api/v1{path}", json={} if body is None else body, headers=headers)


def apply(client: FlaskClient, **changes: str) -> TestResponse:
    data: dict[str, Any] = samples.details(**changes)  # type: ignore[arg-type]
    data["licence"] = (io.BytesIO(samples.png()), "licence.png")
    return client.post("/api/v1/applications", data=data, headers={"X-PortSeal-Request": "1"})


def done(response: TestResponse, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.text
    answer = response.get_json()
    assert isinstance(answer, dict)
    return answer


def problem(response: TestResponse, status: int) -> str:
    assert response.mimetype == "application/problem+json", response.text
    assert response.status_code == status, response.text
    code = response.get_json()["code"]
    assert isinstance(code, str)
    return code


def test_a_program_takes_an_enterprise_from_application_to_revocation(
    client: FlaskClient, portal: PortalWorld, seat: Seat
) -> None:
    applied = done(apply(client), 201)
    path = f"/applications/{applied['id']}"
    seat.identity = portal.officer(Role.REGISTRAR)
    assert done(post(client, f"{path}/registration"))["state"] == "registered"
    assert problem(post(client, f"{path}/approval"), 403) == "role.missing"
    seat.identity = portal.officer(Role.APPROVER)
    approved = done(post(client, f"{path}/approval"))
    assert approved["card"]["state"] == "requested"

    seat.identity = None
    access = {"X-PortSeal-Access-Code": applied["access_code"]}
    own = f"/applications/{applied['reference']}"
    standing = done(client.get(f"/api/v1{own}", headers=access))
    assert (standing["state"], standing["card"]["number"]) == (
        "approved",
        approved["card"]["number"],
    )
    offered = done(post(client, f"{own}/activation-code", **access), 201)
    body = {
        "activation_code": offered["activation_code"],
        "pkcs10": base64.b64encode(pkcs10()).decode(),
    }
    enrolled = done(post(client, "/enrolments", body), 201)
    certificate = Certificate.parse(enrolled["certificate"])
    assert certificate.is_signed_by(Certificate.parse(enrolled["chain"][0]))
    done(post(client, "/enrolments", body), 201)  # again, with the same key
    other = {**body, "pkcs10": base64.b64encode(pkcs10()).decode()}
    assert problem(post(client, "/enrolments", other), 401) == "enrolment.code"

    enterprise = approved["enterprise"]
    seat.identity = Identity(HolderKind.LEGAL_PERSON, enterprise, "x", enterprise_id=enterprise)
    rights = [right["code"] for right in done(client.get("/api/v1/rights"))["rights"]]
    new = {"name": "张操作", "employee_number": "E-1", "rights": rights[:1]}
    operator = done(post(client, "/operators", new), 201)
    changed = client.put(f"/api/v1/operators/{operator['id']}/rights", json={"rights": rights})
    assert done(changed)["rights"] == sorted(rights)
    again = done(post(client, f"/operators/{operator['id']}/activation-code"), 201)
    body["activation_code"] = again["activation_code"]
    body["pkcs10"] = base64.b64encode(pkcs10()).decode()
    card = done(post(client, "/enrolments", body), 201)["card"]
    assert done(client.get("/api/v1/operators"))["operators"][0]["card"] == card

    revocation = f"/cards/{card['number']}/revocation"
    seat.identity = portal.officer(Role.REGISTRAR)
    assert problem(post(client, revocation, {"reason": "unspecified"}), 403) == "role.missing"
    seat.identity = Identity(HolderKind.LEGAL_PERSON, enterprise, "x", enterprise_id=enterprise)
    assert done(post(client, revocation, {"reason": "keyCompromise"}))["state"] == "revoked"
    assert done(client.get(f"/api/v1/cards/{card['number']}"))["end_reason"] == "keyCompromise"


def test_an_application_comes_back_and_is_corrected(
    client: FlaskClient, portal: PortalWorld, seat: Seat
) -> None:
    applied = done(apply(client), 201)
    seat.identity = portal.officer(Role.REGISTRAR)
    path = f"/applications/{applied['id']}"
    assert problem(post(client, f"{path}/return"), 400) == "request.malformed"
    returned = done(post(client, f"{path}/return", {"reasons": "名称不符"}))
    assert returned["reasons"] == "名称不符"
    corrected = client.put(
        f"/api/v1/applications/{applied['reference']}",
        data=samples.details(name="改名有限公司"),
        content_type="multipart/form-data",
        headers={
            "X-PortSeal-Request": "1",
            "X-PortSeal-Access-Code": applied["access_code"],
        },
    )
    assert done(corrected)["state"] == "applied"
    refused = done(post(client, f"{path}/refusal", {"reasons": "伪造"}))
    assert refused["state"] == "refused"


def test_an_administrator_adds_an_officer(
    client: FlaskClient, portal: PortalWorld, seat: Seat
) -> None:
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    added = done(post(client, "/officers", {"name": "孙登记", "roles": ["registrar"]}), 201)
    assert added["officer"]["roles"] == ["registrar"]
    assert (added["activation_code"], added["card"]["code_proposed"]) == (None, True)
    confirmation = f"/cards/{added['card']['number']}/activation-code/confirmation"
    assert problem(post(client, confirmation), 403) == "approval.same-officer"
    seat.identity = portal.officer(Role.APPROVER)
    offered = done(post(client, confirmation), 201)
    assert problem(post(client, confirmation), 409) == "card.no-proposal"
    enrolled = portal.services.enrolment.enrol(offered["activation_code"], pkcs10())
    assert enrolled.card.holder.id == added["officer"]["id"]


def test_an_officer_witnesses_a_card(client: FlaskClient, portal: PortalWorld, seat: Seat) -> None:
    code = portal.operator(portal.legal_person()).activation_code
    number = portal.services.enrolment.enrol(code, pkcs10()).card.number
    seen = {"token_model": "ePass", "token_serial": "00A1"}
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    assert problem(post(client, f"/cards/{number}/witness", seen), 403) == "role.missing"
    seat.identity = portal.officer(Role.REGISTRAR)
    card = done(post(client, f"/cards/{number}/witness", seen))
    assert (card["token_model"], card["token_serial"]) == ("ePass", "00A1")
    assert problem(post(client, f"/cards/{number}/witness", seen), 409) == "card.witnessed"


def test_a_card_is_replaced(client: FlaskClient, portal: PortalWorld, seat: Seat) -> None:
    seat.identity = owner = portal.legal_person()
    added = portal.operator(owner)
    number = portal.services.enrolment.enrol(added.activation_code, pkcs10()).card.number
    replaced = done(post(client, f"/cards/{number}/replacement"), 201)
    assert replaced["card"]["number"] != number
    assert done(client.get(f"/api/v1/cards/{number}"))["state"] == "replaced"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/applications/x/registration"),
        ("POST", "/applications/x/approval"),
        ("POST", "/officers"),
        ("POST", "/operators"),
        ("GET", "/operators"),
        ("PUT", "/operators/x/rights"),
        ("GET", "/cards/x"),
        ("POST", "/cards/x/revocation"),
        ("POST", "/cards/x/replacement"),
        ("POST", "/cards/x/witness"),
        ("POST", "/cards/x/activation-code"),
        ("POST", "/cards/x/activation-code/confirmation"),
    ],
)
def test_without_a_session_nothing_is_done(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(f"/api/v1{path}", method=method, json={})
    assert problem(answer, 401) == "signin.required"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
def test_what_a_foreign_form_can_send_is_not_taken_for_json(
    client: FlaskClient, portal: PortalWorld, seat: Seat, kind: str
) -> None:
    application = portal.services.registration.apply(samples.details(), samples.scan()).application
    seat.identity = portal.officer(Role.REGISTRAR)
    answer = client.post(
        f"/api/v1/applications/{application.id}/registration", data="{}", content_type=kind
    )
    assert problem(answer, 400) == "request.media-type"


def test_the_multipart_route_wants_a_header_that_no_form_sends(client: FlaskClient) -> None:
    answer = client.post(
        "/api/v1/applications", data=samples.details(), content_type="multipart/form-data"
    )
    assert problem(answer, 403) == "request.foreign"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "request.malformed"),
        (b"[]", 400, "request.malformed"),
        (b'"text"', 400, "request.malformed"),
        (b"[" * 50_000, 400, "request.malformed"),
        (b"\xff\xfe", 400, "request.malformed"),
        (b'{"activation_code": 1, "pkcs10": "AAAA"}', 400, "request.malformed"),
        (b'{"activation_code": "x", "pkcs10": "\xe4\xb8\xad"}', 400, "request.malformed"),
        (b'{"activation_code": "x", "pkcs10": "not base64"}', 400, "request.malformed"),
        (b'{"activation_code": "x", "pkcs10": "AAAA"}', 401, "enrolment.code"),
        (b'{"a": "' + b"x" * 70_000 + b'"}', 413, "request.too-large"),
    ],
)
def test_malformed_requests_are_refused(
    client: FlaskClient, body: bytes, status: int, code: str
) -> None:
    answer = client.post("/api/v1/enrolments", data=body, content_type="application/json")
    assert problem(answer, status) == code


def test_wrong_fields_are_named_with_their_codes(client: FlaskClient) -> None:
    answer = apply(client, uscc="X", customs_code="12")
    assert problem(answer, 422) == "fields.invalid"
    assert answer.get_json()["facts"] == {
        "uscc": "uscc.malformed",
        "customs_code": "customs-code.malformed",
    }


def test_an_oversized_scan_is_refused(client: FlaskClient) -> None:
    data: dict[str, Any] = samples.details()
    data["licence"] = (io.BytesIO(samples.png() + bytes(11 << 20)), "licence.png")
    answer = client.post("/api/v1/applications", data=data, headers={"X-PortSeal-Request": "1"})
    assert problem(answer, 413) == "licence.too-large"


class Chunks(io.RawIOBase):
    """A body without a Content-Length that counts how much of it was taken."""

    def __init__(self, beginning: bytes, size: int) -> None:
        self.beginning, self.left, self.taken = beginning, size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self.beginning[: len(buffer)] or b"x" * min(len(buffer), self.left)
        if self.beginning:
            self.beginning = self.beginning[len(part) :]
        else:
            self.left -= len(part)
        buffer[: len(part)] = part
        self.taken += len(part)
        return len(part)


@pytest.mark.parametrize(
    ("path", "kind", "beginning"),
    [
        ("/api/v1/enrolments", "application/json", b'{"a": "'),
        ("/api/v1/officers", "application/json", b'{"a": "'),
        (
            "/api/v1/applications",
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="licence"; filename="a.png"\r\n\r\n',
        ),
        (
            "/apply",
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="licence"; filename="a.png"\r\n\r\n',
        ),
        ("/status", "application/x-www-form-urlencoded", b"access_code="),
    ],
)
def test_a_chunked_body_is_read_no_further_than_its_limit(
    client: FlaskClient,
    portal: PortalWorld,
    seat: Seat,
    path: str,
    kind: str,
    beginning: bytes,
) -> None:
    seat.identity = portal.officer(Role.ADMINISTRATOR)
    body = Chunks(beginning, 30 << 20)
    answer = client.post(
        path,
        content_type=kind,
        headers={"Transfer-Encoding": "chunked", "X-PortSeal-Request": "1"},
        environ_overrides={"wsgi.input": body, "wsgi.input_terminated": True},
    )
    # A plain form is cut at its limit, and lacks its token then.
    assert answer.status_code == (400 if "urlencoded" in kind else 413), answer.text
    assert body.taken < 11 << 20
