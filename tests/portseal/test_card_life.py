"""A card's life on a running service: what is frozen or lost shows everywhere within a second."""

import time
from pathlib import Path

import pytest
import requests

from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal
from portseal.demo.strangers import openssl_ocsp_request
from portseal.holder.card import Card
from portseal.holder.service import Service, ServiceRefusal
from signing_service.validation.evidence import SignatureFormat
from tests.ca.openssl import openssl
from tests.portseal.service import RunningService

SAMPLE = Path(__file__).parents[1] / "samples" / "dec-import.xml"
VISIBLE_SECONDS = 1.0


class Status:
    """What a stranger hears of a certificate, by openssl and HTTP."""

    def __init__(self, service: RunningService, certificate: Certificate, directory: Path) -> None:
        self._service = service
        self._files = [directory / "card.pem", directory / "issuing.pem"]
        self._files[0].write_text(certificate.pem)
        answer = requests.get(f"{service.origin}/certs/issuing.cer", timeout=30)
        self._files[1].write_text(Certificate.parse(answer.content).pem)
        self._request = openssl_ocsp_request(*self._files)

    def ask(self) -> str:
        answer = requests.post(
            f"{self._service.origin}/ocsp",
            data=self._request,
            headers={"Content-Type": "application/ocsp-request"},
            timeout=30,
        )
        text = openssl("ocsp", "-respin", "-", "-resp_text", "-noverify", stdin=answer.content)
        told = next(line for line in text.splitlines() if "Cert Status:" in line)
        reason = [line for line in text.splitlines() if "Revocation Reason:" in line]
        return " ".join(part.split(":")[1].strip() for part in (told, *reason[:1]))

    def seconds_until(self, wanted: str) -> float:
        """How long after now a look was begun that was still told otherwise; 0: none was."""
        begun, otherwise = time.monotonic(), 0.0
        while True:
            looked = time.monotonic() - begun
            if (told := self.ask()).startswith(wanted):
                return otherwise
            assert looked < 10, told
            otherwise = looked


@pytest.fixture
def card(service: RunningService) -> tuple[Card, str]:
    """A fresh operator's card and its number."""
    label = f"life-{time.monotonic_ns()}"
    code = service.activation_code_of_new_operator()
    made = service.stage.usb_keys.make(label)
    number: str = service.anonymous().enrol(made, code)["card"]["number"]
    return made, number


def refused(code: str, attempt: object) -> None:
    with pytest.raises(Refusal) as caught:
        attempt()  # type: ignore[operator]
    assert caught.value.code == code


def test_a_hold_and_its_end_show_in_ocsp_within_a_second(
    service: RunningService, card: tuple[Card, str], tmp_path: Path
) -> None:
    held, number = card
    status = Status(service, held.certificate, tmp_path)
    operator = service.anonymous()
    operator.sign_in(held)
    assert status.ask() == "good"
    owner = service.signed_in("legal-person")

    owner.move_card(number, "freeze", reason="on leave")

    assert status.seconds_until("revoked") < VISIBLE_SECONDS
    assert "certificateHold" in status.ask()
    refused("signin.frozen", lambda: service.anonymous().sign_in(held))
    refused(
        "signin.required",
        lambda: operator.sign(held, SAMPLE.read_bytes(), SignatureFormat.CADES),
    )

    owner.move_card(number, "unfreeze", reason="back")

    assert status.seconds_until("good") < VISIBLE_SECONDS
    service.anonymous().sign_in(held)
    moves = owner.card_moves(number)
    assert [(m["move"], m["reason"]) for m in moves] == [
        ("freeze", "on leave"),
        ("unfreeze", "back"),
    ]


def test_a_lost_card_is_revoked_within_a_second_and_replaced(
    service: RunningService, card: tuple[Card, str], tmp_path: Path
) -> None:
    held, number = card
    status = Status(service, held.certificate, tmp_path)
    owner: Service = service.signed_in("legal-person")
    lost = owner.move_card(number, "loss-report")
    assert lost["state"] == "lost"
    assert status.seconds_until("revoked") < VISIBLE_SECONDS
    assert "keyCompromise" in status.ask()
    assert owner.card_moves(number)[-1]["timestamp"]
    offered = owner.call("POST", f"/api/v1/cards/{number}/replacement", {})
    fresh = service.stage.usb_keys.make(f"{held.label}-2")
    again = service.anonymous().enrol(fresh, offered["activation_code"])["card"]
    assert (again["predecessor"], again["state"]) == (number, "active")
    service.anonymous().sign_in(fresh)
    with pytest.raises(ServiceRefusal):
        service.anonymous().sign_in(held)
