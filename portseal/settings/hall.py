"""Settings of the front hall: the web server, the database, the nodes, metrics and logs."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator

from portseal.settings.table import SettingsTable, is_loopback


class WebSettings(SettingsTable):
    """Where the service is reached."""

    origin: str = "http://127.0.0.1:8080"
    """Scheme, host and port as browsers see them; sign-in is bound to it."""
    host: str = "127.0.0.1"
    """Address to listen on; put nginx in front for anything but loopback."""
    port: Annotated[int, Field(ge=1, le=65535)] = 8080
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Server processes; each opens the token for itself."""
    threads: Annotated[int, Field(ge=1, le=64)] = 4
    """Requests that one process works on at once."""
    timestamp_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Where `portseal serve --timestamps` listens, if it is used."""
    timestamp_workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Its processes, of one thread each."""
    secret_key: SecretStr
    """Signs form tokens and the language cookie; 32 random characters or more."""
    trusted_proxies: Annotated[int, Field(ge=0, le=8)] = 0
    """How many proxies of ours stand in front, each adding to X-Forwarded-For: so many entries
    from its end are believed, for the rate limit. With 0 the header is ignored."""
    max_upload_bytes: Annotated[int, Field(ge=1 << 20)] = 40 << 20
    agent_port: Annotated[int, Field(ge=1, le=65535)] = 61235
    """Where the key agent listens on the computers of those who open the pages."""
    agent_wheel: Path | None = None
    """The key agent's wheel (`make agent`), for the page /agent to offer."""

    @field_validator("origin")
    @classmethod
    def _an_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/"):
            raise ValueError("an origin is scheme://host[:port], without a path")
        loopback = is_loopback(parts.hostname)
        if parts.scheme == "http" and not loopback:
            raise ValueError("http is accepted on loopback only")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 32:
            raise ValueError("at least 32 characters")
        return value


class DatabaseSettings(SettingsTable):
    url: SecretStr
    """SQLAlchemy URL: `sqlite:////var/lib/portseal/portseal.db`, `postgresql+psycopg://...`."""


class NodeSettings(SettingsTable):
    """Several nodes on one PostgreSQL; see docs/running.md."""

    silence_seconds: Annotated[int, Field(ge=2, le=600)] = 15
    """Without a sign of life from a worker, after which another takes its jobs over."""
    max_clock_difference_milliseconds: Annotated[int, Field(ge=100)] = 2000
    """How far a node's clock may be from the database's; beyond it, the node records nothing,
    and so neither issues nor revokes nor signs lists."""


class MetricsSettings(SettingsTable):
    """The door that Prometheus asks (`portseal metrics`)."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """None: nothing is counted, and there is no door."""
    allowed_networks: tuple[IPvAnyNetwork, ...] = (
        IPv4Network("127.0.0.0/8"),
        IPv6Network("::1/128"),
    )
    """Who may ask."""


class LogSettings(SettingsTable):
    """What serve, worker and metrics write to standard error."""

    format: Literal["text", "json"] = "text"
    level: Literal["warning", "info"] = "warning"
    """`info`: also one line a request (but for status and timestamps), and what the jobs do."""


class JournalSettings(SettingsTable):
    """How often the journal's head is witnessed by a timestamp."""

    checkpoint_minutes: Annotated[int, Field(ge=1, le=10_080)] = 10
    """After which records that are not yet covered are."""
    key_use_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    """Uses of the keys of timestamps and OCSP answers are recorded together, after so long. When
    a record is three seconds late these keys sign nothing."""
    checkpoint_records: Annotated[int, Field(ge=1)] = 1000
    """Records after which it is not waited for."""
