"""Settings of the registration portal and of its notices by mail and text message."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from portseal.settings.table import SettingsTable, is_loopback


class PortalSettings(SettingsTable):
    """The registration portal."""

    saves_per_minute: Annotated[int, Field(ge=1)] = 60
    """Drafts and applications of one address, after a burst of 120; a form saves as it is typed."""
    scans_per_minute: Annotated[int, Field(ge=1)] = 6
    """Scans of papers, of up to 5 MiB each, that one address uploads, after a burst of 30."""
    asks_per_minute: Annotated[int, Field(ge=1)] = 6
    """One-time codes and recoveries that one address asks for without a card, after a burst of 20:
    each sends a message or waits for officers."""


class MailSettings(SettingsTable):
    """The mail server that takes our notices."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`none` is accepted on loopback alone."""
    sender: Annotated[str, Field(pattern=r"^[^@\s<>]+@[^@\s<>]+$")]
    sender_name: str = "PortSeal"
    user: str | None = None
    password_file: Path | None = None
    """A file that only the service can read."""
    ca_file: Path | None = None
    """Who vouches for the server's certificate; default: the system's authorities."""
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 15.0

    @model_validator(mode="after")
    def _is_protected(self) -> Self:
        if self.security == "none" and not is_loopback(self.host):
            raise ValueError("security: over TLS, to a mail server that is not on loopback")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file stand together")
        if self.user is not None and self.security == "none":
            raise ValueError("security: no password is sent without TLS")
        return self


class SmsSettings(SettingsTable):
    """A provider's SMS gateway, as `ra_portal/notices/sms.py` speaks to it; none is bundled."""

    url: str | None = None
    token_file: Path | None = None
    ca_file: Path | None = None
    spool: Path | None = None
    """Instead of a gateway: a directory that messages are written to, for trying things out."""
    language: Literal["zh", "en"] = "zh"
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.url is None) == (self.spool is None):
            raise ValueError("url or spool, one of them")
        if self.url is None:
            return self
        address = urlsplit(self.url)
        loopback = is_loopback(address.hostname)
        if address.scheme != "https" and not (address.scheme == "http" and loopback):
            raise ValueError("url: https://, or http:// on loopback")
        if self.token_file is None:
            raise ValueError("token_file: a gateway is given a token")
        return self
