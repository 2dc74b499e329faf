"""One running service for the whole test session, made as the demonstration makes its own.

The holders' USB keys live in the test process's SoftHSM2, the authority's token in a directory of
the service's own. `twin` gives a test that breaks things a service of its own with the same past.
"""

import base64
import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kernel.identifiers import serial_text
from portseal.demo.authority_steps import hold_ceremony
from portseal.demo.licence import licence_png
from portseal.demo.people_steps import (
    add_operator,
    appoint_officers,
    make_card,
    make_legal_person_card,
    register_enterprise,
)
from portseal.demo.revocation_steps import fetch_crl
from portseal.demo.signin_steps import start_platforms
from portseal.demo.site import Site
from portseal.demo.stage import Stage
from portseal.demo.usb_keys import UsbKeys
from portseal.holder.card import Card
from portseal.holder.service import Service
from portseal.sandbox.ports import free_port
from tests.ra_portal import samples
from tests.servers.mail import Mailbox, make_certificate, running
from tests.token import TokenBench

_WAITED_SECONDS = 60
ORDER_PDF = b"%PDF-1.7\n1 0 obj\n<< >>\nendobj\n%%EOF\n"
PAST = (
    hold_ceremony,
    appoint_officers,
    register_enterprise,
    make_legal_person_card,
    add_operator,
)


def people_more(stage: Stage) -> str:
    """More enterprises that have applied, so that lists have something to show. Done once."""
    if "more" in stage.facts:
        return "24 enterprises more have applied before"
    stage.facts["more"] = True
    service = stage.anonymous()
    for number in range(1, 25):
        details = samples.details(number)
        service.call(
            "POST",
            "/api/v1/applications",
            data=details,
            files={"licence": ("licence.png", licence_png(details), "image/png")},
            headers={"X-PortSeal-Request": "portseal"},
        )
    return "24 enterprises more have applied"


CENTRE = {"recovery-officer": "示例恢复员", "recovery-approver": "示例恢复审批员"}
"""Officers of the key-management centre by role, which is their USB key's label too."""


def recoveries_wait(stage: Stage) -> str:
    """The centre has its officers, and two recoveries wait for them: the operator asks for the
    key of the own card, and an order was recorded. Done once."""
    if "recovery" in stage.facts:
        return "the officers of the key-management centre are appointed"
    for role, name in CENTRE.items():
        added = stage.site.run_json(
            "officer", "add", name, "--role", role, "--emergency", "a test needs one more"
        )
        make_card(stage, role, added["activation_code"])
    card, service = stage.cards["operator"], stage.anonymous()
    certificate = service.fetch_encryption_key(card)
    asked = service.ask_for_recovery(card, certificate.serial, "旧合同须重新查阅")
    key = rsa.generate_private_key(65537, 3072).public_key()
    transport = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    order = {
        "serial": serial_text(certificate.serial),
        "order_number": "(2026)沪0115刑初17号",
        "ordered_by": "上海市浦东新区人民法院",
        "evidence": base64.b64encode(ORDER_PDF).decode(),
        "transport_key": base64.b64encode(transport).decode(),
        "reason": "调取证据",
    }
    officer = stage.signed_in("recovery-officer")
    ordered = officer.call("POST", "/api/v1/key-recoveries/orders", order)
    stage.facts["recovery"], stage.facts["order"] = asked["id"], ordered["id"]
    return "two officers of the key-management centre hold cards, and two recoveries wait"


def recovery_of(officer: Service, card: str) -> dict[str, Any]:
    """The one that was asked for and is not decided yet, as officers see it; waited for."""
    until = time.monotonic() + _WAITED_SECONDS
    while time.monotonic() < until:
        for case in officer.call("GET", "/api/v1/recoveries")["recoveries"]:
            if case["card"] == card:
                found: dict[str, Any] = case
                return found
        time.sleep(0.1)  # the worker looks; nobody tells the test
    raise AssertionError("no recovery was begun")


def database_file(site: Site) -> Path:
    """Where a site keeps its records."""
    return site.directory / "data" / "portseal.db"


class RunningService:
    """A service with officers, an enterprise and an operator, and their cards plugged in."""

    def __init__(self, stage: Stage, agent_port: int) -> None:
        self.stage = stage
        self.site = stage.site
        self.origin = stage.site.origin
        self.database_file = database_file(stage.site)
        self.agent_port = agent_port
        """Where the pages look for a key agent; a test may start one there."""
        self.text_messages = stage.site.directory / "sms"
        """The spool of text messages, one file each."""
        self._card = threading.Lock()
        self._employee_numbers = itertools.count(1)

    def anonymous(self) -> Service:
        return Service(self.origin)

    def signed_in(self, label: str) -> Service:
        """A fresh conversation, signed in with this USB key."""
        conversation = self.anonymous()
        with self._card:  # one person holds it
            conversation.sign_in(self.stage.cards[label])
        return conversation

    def activation_code_of_new_operator(self, *rights: str, name: str | None = None) -> str:
        """The enterprise adds another operator; the code for that operator's USB key."""
        legal_person = self.stage.signed_in("legal-person")
        number = next(self._employee_numbers)
        body = {
            "name": name or f"操作员{number}",
            "employee_number": f"T{number:05}",
            "rights": rights or ["declare-import"],
        }
        code: str = legal_person.call("POST", "/api/v1/operators", body)["activation_code"]
        return code

    def second_operator(self) -> str:
        """The label of the USB key of one more operator, who may declare imports too."""
        label = "second-operator"
        if label not in self.stage.cards:
            make_card(self.stage, label, self.activation_code_of_new_operator("declare-import"))
        return label

    def cards(self, *labels: str) -> list[Card]:
        """USB keys by their labels, such as those of officers who sign."""
        return [self.stage.cards[label] for label in labels]

    def platforms(self) -> list[str]:
        """The addresses of two platforms that sign people in here; started once."""
        if "walk-platforms" not in self.stage.facts:
            self.stage.facts["walk-platforms"] = start_platforms(self.stage)
        found: list[str] = self.stage.facts["walk-platforms"]
        return found

    def log(self, name: str = "serve") -> str:
        return (self.site.directory / f"{name}.log").read_text(errors="replace")


@contextmanager
def mail_server(stage: Stage) -> Iterator[Mapping[str, str]]:
    """A real one takes the stage's mails, and what a service must be told of it. What arrives is
    found with `gallery_acts.access_mail`."""
    box, port = Mailbox(), free_port()
    stage.facts["mailbox"] = box
    with (
        tempfile.TemporaryDirectory() as directory,
        running(box, port, "none", make_certificate(Path(directory))),
    ):
        yield {
            "PORTSEAL_MAIL__HOST": "127.0.0.1",
            "PORTSEAL_MAIL__PORT": str(port),
            "PORTSEAL_MAIL__SECURITY": "none",
            "PORTSEAL_MAIL__SENDER": "id@portseal.example",
        }


@pytest.fixture(scope="session")
def service(
    token_bench: TokenBench, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """The session's service; tests leave it running and its first cards alive."""
    directory = tmp_path_factory.mktemp("service")
    site = Site(directory / "authority")
    site.directory.mkdir()
    (directory / "public").mkdir()
    keys = UsbKeys(token_bench.module, directory / "usb-pins.json")
    stage = Stage(site, directory / "public", keys)
    agent_port = free_port()
    with mail_server(stage) as post:
        try:
            with pytest.MonkeyPatch.context() as surroundings:
                # Tests ask faster than people; the limits have tests of their own.
                surroundings.setenv("PORTSEAL_VERIFICATION__REQUESTS_PER_MINUTE", "100000")
                for what in ("ASKS", "SAVES", "SCANS"):
                    surroundings.setenv(f"PORTSEAL_PORTAL__{what}_PER_MINUTE", "100000")
                for name, value in post.items():
                    surroundings.setenv(name, value)
                surroundings.setenv("PORTSEAL_WEB__AGENT_PORT", str(agent_port))
                surroundings.setenv("PORTSEAL_SMS__SPOOL", str(site.directory / "sms"))
                for step in PAST:
                    step(stage)
            fetch_crl(stage)  # tests find the lists that the worker makes in its first round
            yield RunningService(stage, agent_port)
        finally:
            site.stop()


class Twin:
    """A second authority with a copy of the first one's token and database, to be broken."""

    def __init__(self, original: Site, directory: Path) -> None:
        self.site = Site(directory)
        self.site.directory.mkdir(exist_ok=True)
        self.token_directory = directory / "authority-token"
        self.server: subprocess.Popen[bytes] | None = None
        shutil.copytree(original.directory / "authority-token", self.token_directory)
        (directory / "data").mkdir()
        self.database_file = database_file(self.site)
        source = sqlite3.connect(database_file(original))
        with sqlite3.connect(self.database_file) as target:
            source.backup(target)
        source.close()
        target.close()
        for name in ("portseal.toml", "authority-token/softhsm2.conf"):
            text = (original.directory / name).read_text()
            text = text.replace(str(original.directory), str(directory))
            for form in (":{}", "port = {}"):
                text = text.replace(form.format(original.port), form.format(self.site.port))
            text = text.partition("[directory]")[0]  # it publishes nowhere
            (directory / name).write_text(text)

    @property
    def origin(self) -> str:
        return self.site.origin

    def serve(self, **settings: str) -> None:
        """Start the web server, with `PORTSEAL_...` settings in the environment."""
        self.server = self.site.start("serve", **settings)
        self.site.wait_for(f"{self.origin}/health/ready", self.server)

    def anonymous(self) -> Service:
        return Service(self.origin)

    def kill(self) -> None:
        """End the server and its workers as a power cut would."""
        assert self.server is not None
        for process in (*children_of(self.server.pid), self.server.pid):
            os.kill(process, signal.SIGKILL)
        self.server.wait()

    def probe(self, path: str) -> int:
        """The status of a GET."""
        return requests.get(self.origin + path, timeout=30).status_code


def children_of(process: int) -> list[int]:
    """The processes that `process` started and that still run."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(child) for child in listed.split()]


@contextmanager
def twin_of(original: Site, directory: Path) -> Iterator[Twin]:
    twin = Twin(original, directory)
    try:
        yield twin
    finally:
        twin.site.stop()


@pytest.fixture
def twin(service: RunningService, tmp_path: Path) -> Iterator[Twin]:
    """A service for this test alone; it is not serving yet."""
    with twin_of(service.site, tmp_path / "twin") as made:
        yield made
