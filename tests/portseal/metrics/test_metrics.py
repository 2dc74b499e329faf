"""What Prometheus and the logs are told of a whole journey, and what they are not."""

import json
import re
import secrets
import subprocess
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from portseal.demo.tokens import FIRST
from portseal.holder.service import ServiceRefusal
from portseal.metrics.door import Door
from portseal.sandbox.ports import free_port
from portseal.settings import MetricsSettings
from records.database import Database
from signing_service.validation.evidence import SignatureFormat
from tests.portseal.service import RunningService, Twin

SAMPLE = Path(__file__).parents[2] / "samples" / "dec-import.xml"
PERSON = "赵记名"
IDENTITY_NUMBER = "11010519491231002X"


class Watched:
    """A twin that counts and logs all it can, after a journey."""

    def __init__(self, twin: Twin, service: RunningService) -> None:
        self.twin = twin
        port = free_port()
        wanted = {
            "PORTSEAL_METRICS__PORT": str(port),
            "PORTSEAL_LOG__FORMAT": "json",
            "PORTSEAL_LOG__LEVEL": "info",
            "PORTSEAL_WEB__WORKERS": "2",
        }
        twin.serve(**wanted)
        twin.site.start("worker", **wanted)
        self.url = f"http://127.0.0.1:{port}/metrics"
        self.secrets: list[str] = []
        self.request_id = "journey-" + secrets.token_hex(6)
        self._travel(service)
        door: subprocess.Popen[bytes] = twin.site.start("metrics", **wanted)
        twin.site.wait_for(self.url, door)

    def _travel(self, service: RunningService) -> None:
        legal_person, operator = (self.twin.anonymous() for _ in range(2))
        legal_person.sign_in(service.stage.cards["legal-person"])
        operator.sign_in(service.stage.cards["operator"])
        added = legal_person.call(
            "POST",
            "/api/v1/operators",
            {"name": PERSON, "employee_number": "4711", "rights": ["declare-import"]},
            headers={"X-Request-Id": self.request_id},
        )
        operator.sign(service.stage.cards["operator"], SAMPLE.read_bytes(), SignatureFormat.CADES)
        for path in ("/nowhere/" + IDENTITY_NUMBER, "/ocsp/AAAA", "/crl/issuing.crl", "/apply"):
            self.twin.probe(path)
        with pytest.raises(ServiceRefusal):
            legal_person.call(
                "POST",
                "/api/v1/enrolments",
                {"activation_code": added["activation_code"], "pkcs10": "AAAA"},
            )
        # A certificate that waits for a directory which the twin does not have.
        self.twin.anonymous().enrol(
            service.stage.usb_keys.make("watched-operator"), added["activation_code"]
        )
        self.secrets = [
            added["activation_code"],
            PERSON,
            IDENTITY_NUMBER,
            "示例操作员",
            *(key.pin for key in service.stage.usb_keys.keys.values()),
            self.twin.site.tokens.pin_file(FIRST).read_text(),
        ]

    def logs(self) -> str:
        return "".join(
            (self.twin.site.directory / f"{name}.log").read_text() for name in ("serve", "worker")
        )

    def metrics(self) -> str:
        answer = requests.get(self.url, timeout=30)
        assert answer.status_code == 200
        return answer.text


@pytest.fixture
def watched(twin: Twin, service: RunningService) -> Watched:
    return Watched(twin, service)


def test_a_journey_is_told_without_its_secrets(watched: Watched) -> None:
    told, logged = watched.metrics(), watched.logs()
    for each in watched.secrets:
        assert len(each) > 1
        assert each not in told
        assert each not in logged
    assert_numbers(told)
    assert_log(watched, logged)


def assert_numbers(told: str) -> None:
    values: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(told):
        for sample in family.samples:
            values[sample.name, *sample.labels.values()] = sample.value
    assert values["portseal_request_seconds_count", "api", "2xx"] > 0
    assert values["portseal_request_seconds_count", "ocsp", "2xx"] > 0
    assert values["portseal_request_seconds_count", "other", "4xx"] > 0
    assert values["portseal_signatures_total", "tsa"] >= 1
    assert values["portseal_signatures_total", "ocsp"] >= 1
    for part in ("database", "token", "certificates", "lists", "nodes", "journal", "clock"):
        assert values["portseal_up", part] == 1
    assert 300 < values["portseal_certificate_days", "issuing"] < 10_000
    assert values["portseal_certificate_days", "ocsp-issuing"] > 1
    assert 0 < values["portseal_crl_days", "issuing"] <= 7
    assert values["portseal_clock_ahead_seconds",] == 0  # SQLite has no clock but ours
    assert values["portseal_token_signature_seconds",] < 5
    assert values["portseal_journal_records",] > 10
    assert values["portseal_queue_waiting", "directory"] >= 1  # the twin publishes nowhere
    assert values["portseal_queue_oldest_seconds", "directory"] >= 0


def assert_log(watched: Watched, logged: str) -> None:
    lines = [json.loads(line) for line in logged.splitlines() if line.startswith("{")]
    asked = [line for line in lines if line.get("request") == watched.request_id]
    assert [(line["method"], line["route"], line["status"]) for line in asked] == [
        ("POST", "/api/v1/operators", 201)
    ]
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert any(line.get("route") == "unknown" and line["status"] == 404 for line in lines)
    assert not re.search(r"Traceback", logged)
    database = Database(f"sqlite:///{watched.twin.database_file}")
    with database.reading() as connection:
        query = text("SELECT event FROM journal WHERE facts LIKE :one ORDER BY position")
        events = connection.execute(query, {"one": f"%{watched.request_id}%"}).scalars().all()
    database.dispose()
    assert "operator.added" in events


@pytest.mark.parametrize(
    ("address", "method", "path", "status"),
    [
        ("127.0.0.1", "GET", "/metrics", "200 OK"),
        ("192.0.2.7", "GET", "/metrics", "403 Forbidden"),
        ("", "GET", "/metrics", "403 Forbidden"),
        ("::1", "POST", "/metrics", "404 Not Found"),
        ("127.0.0.1", "GET", "/", "404 Not Found"),
    ],
)
def test_the_door_opens_to_whom_it_may(address: str, method: str, path: str, status: str) -> None:
    def inner(environ, start_response):  # type: ignore[no-untyped-def]
        start_response("200 OK", [])
        return [b""]

    said = []
    door = Door(inner, MetricsSettings().allowed_networks)
    environ = {"REMOTE_ADDR": address, "REQUEST_METHOD": method, "PATH_INFO": path}
    door(environ, lambda told, headers: said.append(told))  # type: ignore[arg-type]
    assert said == [status]
