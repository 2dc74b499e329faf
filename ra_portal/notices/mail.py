"""Mail over SMTP (RFC 5321), always under verified TLS but on loopback."""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Literal

from kernel.clock import Clock
from kernel.refusals import Unavailable
from ra_portal.notices.channels import AddressRefused, Letter
from records.outbox import Deferred, Undeliverable

_SERVICE_NOT_AVAILABLE = 421
"""RFC 5321, 4.2.3: whatever the command, the server closes."""
_NO_MAILBOX = {550, 551, 552, 553, 556}
"""Replies to RCPT that are about the mailbox (RFC 5321, 4.2.3 and 4.3.2; RFC 7504). The others,
such as 530 or 554, are as often about us: no login, no relaying, a blocked sender."""


@dataclass(frozen=True)
class MailServer:
    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    """`none` on loopback alone; the settings see to it."""
    sender: str
    sender_name: str = "PortSeal"
    user: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    """Who vouches for the server's certificate; None: the system's authorities."""
    timeout_seconds: float = 15.0


class SmtpGateway:
    """Sends each letter in a conversation of its own."""

    def __init__(self, server: MailServer, clock: Clock) -> None:
        self._server = server
        self._clock = clock

    def send(self, letter: Letter) -> None:
        """Raises Unavailable `mail.unavailable`, `mail.untrusted`, `mail.login`; Deferred;
        AddressRefused; Undeliverable."""
        with _translating(), self._connected() as smtp:
            smtp.send_message(self._message(letter), self._server.sender, [letter.to])

    def _message(self, letter: Letter) -> EmailMessage:
        server = self._server
        message = EmailMessage(policy=SMTP)
        message["From"] = Address(server.sender_name, addr_spec=server.sender)
        message["To"] = Address(addr_spec=letter.to)
        message["Subject"] = letter.subject
        message["Date"] = format_datetime(self._clock.now())
        message["Message-ID"] = f"<{letter.id}@{server.sender.partition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834
        message.set_content(letter.text)
        return message

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        server = self._server
        context = ssl.create_default_context(cafile=server.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        smtp: smtplib.SMTP
        if server.security == "tls":
            smtp = smtplib.SMTP_SSL(
                server.host, server.port, timeout=server.timeout_seconds, context=context
            )
        else:
            smtp = smtplib.SMTP(server.host, server.port, timeout=server.timeout_seconds)
        with smtp:
            if server.security == "starttls":
                smtp.starttls(context=context)
            if server.user is not None and server.password_file is not None:
                smtp.login(server.user, server.password_file.read_text().rstrip("\r\n"))
            yield smtp


@contextmanager
def _translating() -> Iterator[None]:
    """The server's refusals, with its code alone: its words may repeat an address."""
    try:
        yield
    except smtplib.SMTPRecipientsRefused as refused:
        codes = [code for code, _ in refused.recipients.values()]
        if codes[0] in _NO_MAILBOX:
            raise AddressRefused(f"the mail server refuses the recipient: {codes[0]}") from None
        raise _refusal(codes[0], "recipient") from None
    except smtplib.SMTPAuthenticationError as error:
        raise Unavailable(
            "mail.login", "the mail server refuses us", reply=error.smtp_code
        ) from None
    except smtplib.SMTPResponseException as error:
        raise _refusal(error.smtp_code, "message") from None
    except ssl.SSLError as error:
        raise Unavailable(
            "mail.untrusted", "the mail server's TLS does not hold", error=type(error).__name__
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise Unavailable(
            "mail.unavailable", "the mail server does not answer", error=type(error).__name__
        ) from None


def _refusal(code: int, what: str) -> Exception:
    if code == _SERVICE_NOT_AVAILABLE:
        return Unavailable("mail.unavailable", "the mail server closes", reply=code)
    if 400 <= code < 500:
        return Deferred(f"the mail server puts the {what} off: {code}")
    return Undeliverable(f"the mail server refuses the {what}: {code}")
