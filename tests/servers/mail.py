"""A real SMTP server (aiosmtpd) with STARTTLS or TLS, accounts, and moods."""

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

USER = "portseal"


@dataclass
class Mailbox:
    """What arrived, and how the server behaves."""

    received: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str], bool]] = field(default_factory=list)
    """Sender, recipients, whether over TLS."""
    answer_recipient: Callable[[str], str | None] = lambda address: None
    """A refusal (`450 ...`, `550 ...`) of a recipient; None: welcome."""

    async def handle_RCPT(
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = self.answer_recipient(address)
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.received.append(message_from_bytes(content, policy=policy.default))
        encrypted = server.transport.get_extra_info("sslcontext") is not None
        self.envelopes.append((str(envelope.mail_from), list(envelope.rcpt_tos), encrypted))
        return "250 taken"


@dataclass(frozen=True)
class Certificate:
    """For 127.0.0.1, signed by itself: whoever trusts it names it."""

    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_certificate(directory: Path) -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.test")])
    now = datetime.datetime.now(datetime.UTC)
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    directory.mkdir(exist_ok=True)
    paths = Certificate(directory / "mail.pem", directory / "mail.key")
    paths.certificate.write_bytes(made.public_bytes(Encoding.PEM))
    paths.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


@contextmanager
def running(
    mailbox: Mailbox,
    port: int,
    security: str,
    certificate: Certificate,
    password: str | None = None,
) -> Iterator[None]:
    """Serve on 127.0.0.1; with `password` only who logs in over TLS may send."""

    def authenticate(
        server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (
            USER.encode(),
            (password or "").encode(),
        )
        return AuthResult(success=right, handled=False)

    options: dict[str, Any] = {}
    if security == "starttls":
        options = {"tls_context": certificate.context(), "require_starttls": True}
    elif security == "tls":
        options = {"ssl_context": certificate.context()}
    if password is not None:
        options |= {
            "authenticator": authenticate,
            "auth_required": True,
            "auth_require_tls": security == "starttls",
        }
    controller = Controller(mailbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield
    finally:
        controller.stop()
