"""Mail against a real server: encrypted, and every way of not being taken told apart."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kernel.clock import FixedClock
from kernel.refusals import Unavailable
from portseal.sandbox.ports import free_port
from ra_portal.notices.channels import Letter
from ra_portal.notices.mail import MailServer, SmtpGateway
from records.outbox import Deferred, Undeliverable
from tests.servers.mail import (
    USER,
    Certificate,
    Mailbox,
    make_certificate,
    running,
)

LETTER = Letter("f" * 32, "holder@example.com", "卡将到期 / Card ends", "您好：\n\nCard OP-1.\n")
PASSWORD = "correct horse"
CLOCK = FixedClock(datetime(2026, 11, 29, 9, tzinfo=UTC))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("mail"))


@pytest.fixture
def port() -> int:
    return free_port()


def gateway(port: int, security: str, ca_file: Path | None, **more: object) -> SmtpGateway:
    server = MailServer("127.0.0.1", port, security, "id@portseal.example", ca_file=ca_file, **more)  # type: ignore[arg-type]
    return SmtpGateway(server, CLOCK)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_arrives_over_verified_tls_after_login(
    port: int, certificate: Certificate, tmp_path: Path, security: str
) -> None:
    box, secret = Mailbox(), tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    with running(box, port, security, certificate, PASSWORD):
        gateway(port, security, certificate.certificate, user=USER, password_file=secret).send(
            LETTER
        )
    assert box.envelopes == [("id@portseal.example", ["holder@example.com"], True)]
    message = box.received[0]
    assert message["Subject"] == LETTER.subject
    assert message["Message-ID"] == f"<{'f' * 32}@portseal.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content().replace("\r\n", "\n") == LETTER.text


def test_a_server_that_nobody_vouches_for_gets_nothing(port: int, certificate: Certificate) -> None:
    box = Mailbox()
    with running(box, port, "starttls", certificate), pytest.raises(Unavailable) as caught:
        gateway(port, "starttls", None).send(LETTER)
    assert caught.value.code == "mail.untrusted"
    assert box.received == []


def test_a_server_without_starttls_gets_nothing(port: int, certificate: Certificate) -> None:
    box = Mailbox()
    with running(box, port, "none", certificate), pytest.raises(Unavailable):
        gateway(port, "starttls", certificate.certificate).send(LETTER)
    assert box.received == []


def test_a_wrong_password_is_our_fault_and_waits(
    port: int, certificate: Certificate, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("wrong")
    with (
        running(Mailbox(), port, "starttls", certificate, PASSWORD),
        pytest.raises(Unavailable, match=r"mail\.login") as caught,
    ):
        gateway(port, "starttls", certificate.certificate, user=USER, password_file=secret).send(
            LETTER
        )
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("550 no such user holder@example.com", Undeliverable),
        ("450 greylisted, come back", Deferred),
        ("421 closing", Unavailable),
    ],
)
def test_refusals_are_told_apart_and_name_no_address(
    port: int, certificate: Certificate, reply: str, outcome: type[Exception]
) -> None:
    box = Mailbox(answer_recipient=lambda address: reply)
    with running(box, port, "starttls", certificate), pytest.raises(outcome) as caught:
        gateway(port, "starttls", certificate.certificate).send(LETTER)
    assert "holder@" not in str(caught.value)


def test_a_server_that_is_down_is_waited_for(port: int, certificate: Certificate) -> None:
    with pytest.raises(Unavailable, match=r"mail\.unavailable"):
        gateway(port, "starttls", certificate.certificate).send(LETTER)


@contextmanager
def silent(port: int) -> Iterator[None]:
    """A server that takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        held: list[socket.socket] = []
        thread = threading.Thread(target=lambda: held.append(listener.accept()[0]), daemon=True)
        thread.start()
        yield
        thread.join(5)
        for connection in held:
            connection.close()


def test_a_server_that_says_nothing_is_given_up(port: int, certificate: Certificate) -> None:
    with silent(port), pytest.raises(Unavailable, match=r"mail\.unavailable"):
        gateway(port, "starttls", certificate.certificate, timeout_seconds=0.3).send(LETTER)


def test_nothing_is_smuggled_into_the_header(port: int, certificate: Certificate) -> None:
    letter = Letter("a" * 32, "holder@example.com\r\nBcc: all@example.com", "s", "t")
    box = Mailbox()
    with running(box, port, "starttls", certificate), pytest.raises(ValueError, match=r"."):
        gateway(port, "starttls", certificate.certificate).send(letter)
    assert box.received == []
