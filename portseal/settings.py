"""Settings: one frozen object, read once, from the environment and a TOML file.

`PORTSEAL_CONFIG` names the file (default `portseal.toml` in the working directory, if there).
A variable `PORTSEAL_DATABASE__URL` overrides `url` in the file's table `[database]`. Unknown
names are refused. No secret has a default.
"""

import os
import re
import tomllib
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyAddress,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from kernel.refusals import Unprocessable
from policies.oids import PLACEHOLDER_ARC

JOURNAL_POLICY = "2.2"
"""Arc of the policy of the journal's checkpoints below the operator's own identifier."""
OID = r"^[0-2](\.(0|[1-9]\d*))+$"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WebSettings(_Table):
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
    secret_key: SecretStr
    """Signs form tokens and the language cookie; 32 random characters or more."""
    trusted_proxies: Annotated[int, Field(ge=0, le=8)] = 0
    """How many proxies of ours stand in front, each adding to X-Forwarded-For: so many entries
    from its end are believed, for the rate limit. With 0 the header is ignored."""
    max_upload_bytes: Annotated[int, Field(ge=1 << 20)] = 40 << 20
    agent_port: Annotated[int, Field(ge=1, le=65535)] = 61235
    """Where the key agent listens on the computers of those who open the pages."""

    @field_validator("origin")
    @classmethod
    def _an_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/"):
            raise ValueError("an origin is scheme://host[:port], without a path")
        loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if parts.scheme == "http" and not loopback:
            raise ValueError("http is accepted on loopback only")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < 32:
            raise ValueError("at least 32 characters")
        return value


class DatabaseSettings(_Table):
    url: SecretStr
    """SQLAlchemy URL: `sqlite:////var/lib/portseal/portseal.db`, `postgresql+psycopg://...`."""


class NodeSettings(_Table):
    """Several nodes on one PostgreSQL; see docs/running.md."""

    silence_seconds: Annotated[int, Field(ge=2, le=600)] = 15
    """Without a sign of life from a worker, after which another takes its jobs over."""
    max_clock_difference_milliseconds: Annotated[int, Field(ge=100)] = 2000
    """How far a node's clock may be from the database's; beyond it, the node records nothing,
    and so neither issues nor revokes nor signs lists."""


class MetricsSettings(_Table):
    """The door that Prometheus asks (`portseal metrics`)."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """None: nothing is counted, and there is no door."""
    allowed_networks: tuple[IPvAnyNetwork, ...] = (
        IPv4Network("127.0.0.0/8"),
        IPv6Network("::1/128"),
    )
    """Who may ask."""


class LogSettings(_Table):
    """What serve, worker and metrics write to standard error."""

    format: Literal["text", "json"] = "text"
    level: Literal["warning", "info"] = "warning"
    """`info`: also one line a request (but for status and timestamps), and what the jobs do."""


class TokenSettings(_Table):
    """The authority's PKCS#11 token."""

    module: str
    """Path of the PKCS#11 library."""
    label: str = "portseal"
    pin_variable: str | None = None
    """Name of the environment variable that holds the PIN."""
    pin_file: Path | None = None
    """A file that only the service can read (a mounted secret)."""
    server_address: str | None = None
    """Where `module` is a copy of p11-kit's client: its server, `unix:path=/run/hsm-1`."""
    module_parameters: str | None = None
    """What the module's C_Initialize wants, where it does: NSS softokn's `configdir=...`."""
    custodians: bool = False
    """The PIN is held in shares by custodians, who are asked at a terminal."""
    sessions: Annotated[int, Field(ge=1, le=64)] = 4


class AuthoritySettings(_Table):
    """Which of several authorities does what."""

    issuing: str | None = None
    """Name of the one that issues where no region has its own; default: the newest."""
    regions: dict[str, tuple[Annotated[str, Field(pattern=r"^\d{2,6}$")], ...]] = {}
    """Regional authorities by name, each with the beginnings of its districts' codes (GB/T 2260):
    `regional-ningbo = ["3302"]`. They stand in the third to eighth character of an enterprise's
    unified social credit code."""


class KeyCentreSettings(_Table):
    """The key-management centre."""

    token: TokenSettings | None = None
    """A token of its own, with the escrow key in it (`portseal key-centre init`). Default: the
    authority's, where the ceremony made one."""


class DirectorySettings(_Table):
    """The LDAP directory that certificates and CRLs are published to."""

    url: str
    """`ldap://host:389`, `ldaps://host:636` or `ldapi://%2Frun%2Fslapd%2Fldapi`."""
    bind_dn: str | None = None
    """None: the directory knows us by certificate or socket (SASL EXTERNAL)."""
    password: SecretStr | None = None
    base: str
    """Suffix under which entries are made."""
    starttls: bool = False
    """On `ldap://`: TLS before anything else; required unless the directory is on loopback."""
    ca_file: Path | None = None
    """Who vouches for the directory's certificate; default: the system's authorities."""
    certificate_file: Path | None = None
    key_file: Path | None = None
    """Our own certificate, for SASL EXTERNAL over TLS."""

    @model_validator(mode="after")
    def _is_protected(self) -> Self:
        address = urlsplit(self.url)
        if address.scheme not in {"ldap", "ldaps", "ldapi"}:
            raise ValueError("url: ldap://, ldaps:// or ldapi://")
        loopback = address.hostname in {"127.0.0.1", "localhost", "::1"}
        if address.scheme == "ldap" and not (loopback or self.starttls):
            raise ValueError("starttls: a directory that is not on loopback is spoken to over TLS")
        if address.scheme == "ldaps" and self.starttls:
            raise ValueError("starttls: ldaps:// begins with TLS already")
        if (self.bind_dn is None) != (self.password is None):
            raise ValueError("bind_dn and password stand together, or neither (SASL EXTERNAL)")
        if self.bind_dn is None and address.scheme != "ldapi" and self.certificate_file is None:
            raise ValueError("certificate_file: SASL EXTERNAL over TLS needs our own certificate")
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file stand together")
        return self


class StatusSettings(_Table):
    base_url: str | None = None
    """Where certificates say that OCSP, CRLs and issuers are found: `http://status.example`,
    plain http. Default: the web origin, where that is http."""
    crl_lifetime_hours: Annotated[int, Field(ge=1, le=240)] = 168
    """From thisUpdate to nextUpdate; when half of it is over a new CRL is made in any case."""
    root_crl_lifetime_days: Annotated[int, Field(ge=1, le=366)] = 190
    """Of a root whose token is its own: root sessions must be closer together than this."""
    crl_pause_seconds: Annotated[int, Field(ge=0, le=86_400)] = 10
    """After a revocation the worker makes a new CRL, but not more often than this."""
    crl_complete_pause_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    """A change is told by a delta list alone until the complete list is this old; 0: by both."""
    ocsp_lifetime_minutes: Annotated[int, Field(ge=1, le=1440)] = 10
    """Of an OCSP answer that is signed when it is asked for."""
    ocsp_ahead: Literal["off", "recent", "all"] = "recent"
    """Which answers the worker signs ahead: what was asked for in the last day, or all."""
    ocsp_ahead_hours: Annotated[int, Field(ge=1, le=168)] = 12
    """Lifetime of those; a revocation shows at once all the same."""


class RegistryAttributes(_Table):
    """What the registry's directory calls things."""

    uscc: str = "serialNumber"
    name: str = "o"
    customs_code: str = "businessCategory"
    legal_representative: str = "cn"
    region: str = "l"
    status: str = "description"


class RegistrySettings(_Table):
    """A directory of enterprises that applications are compared with; it is only read."""

    url: str
    """`ldap://host:389`, `ldaps://host:636`."""
    base: str
    bind_dn: str | None = None
    """None: anybody may read it."""
    password: SecretStr | None = None
    starttls: bool = False
    """On `ldap://`: TLS before anything else; required unless the directory is on loopback."""
    ca_file: Path | None = None
    attributes: RegistryAttributes = RegistryAttributes()

    @model_validator(mode="after")
    def _is_protected(self) -> Self:
        address = urlsplit(self.url)
        if address.scheme not in {"ldap", "ldaps"}:
            raise ValueError("url: ldap:// or ldaps://")
        loopback = address.hostname in {"127.0.0.1", "localhost", "::1"}
        if address.scheme == "ldap" and not (loopback or self.starttls):
            raise ValueError("starttls: a directory that is not on loopback is spoken to over TLS")
        if (self.bind_dn is None) != (self.password is None):
            raise ValueError("bind_dn and password stand together, or neither")
        return self


class PortalSettings(_Table):
    """The registration portal."""

    saves_per_minute: Annotated[int, Field(ge=1)] = 60
    """Drafts and applications of one address, after a burst of 120; a form saves as it is typed."""
    asks_per_minute: Annotated[int, Field(ge=1)] = 6
    """One-time codes and recoveries that one address asks for without a card, after a burst of 20:
    each sends a message or waits for officers."""


class SessionSettings(_Table):
    idle_minutes: Annotated[int, Field(ge=1, le=240)] = 30
    absolute_hours: Annotated[int, Field(ge=1, le=24)] = 8


class SsoSettings(_Table):
    """Sign-in for platforms, and by TLS client certificate behind a proxy of ours."""

    certificate_origin: str | None = None
    """Where the proxy asks browsers and platforms for a client certificate: our own host at
    another port, `https://id.example:8443`. Without it that way is closed."""
    certificate_proxies: tuple[IPvAnyAddress, ...] = ()
    """Addresses that the proxy connects from; only from there its headers are believed."""
    proxy_secret: SecretStr | None = None
    """What the proxy sends beside them in `X-PortSeal-Proxy`: 32 to 200 random letters, digits,
    `-` and `_`. Any process on the proxy's machine could take its address, but not know this."""
    key_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """After so long the worker makes the next key of ID tokens."""
    presence_seconds: Annotated[int, Field(ge=6, le=300)] = 15
    """A session that a key agent watches over ends so long after the agent's last word."""
    challenges_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] = 300
    """Sign-ins that one address begins, after a burst of as many: each writes a row that is kept
    five minutes. A whole office may stand behind one address."""

    @model_validator(mode="after")
    def _has_a_proxy(self) -> Self:
        needed = (self.certificate_origin, self.certificate_proxies, self.proxy_secret)
        if any(needed) and not all(needed):
            raise ValueError(
                "certificate_origin, certificate_proxies and proxy_secret stand together"
            )
        return self

    @field_validator("proxy_secret")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[\w-]{32,200}", value.get_secret_value(), re.A):
            raise ValueError("32 to 200 letters, digits, - and _")
        return value


class PolicySettings(_Table):
    """What may be issued and accepted."""

    arc: Annotated[str, Field(pattern=OID)] = PLACEHOLDER_ARC
    """The operator's own object identifier, below which the certificate policies stand. The
    default is the number for documentation (RFC 5612) and must be replaced in earnest."""
    contact: Annotated[str, Field(max_length=200)] = ""
    """Whom to write to about certificates: stands on the page of the practice statement."""
    signature_policy: str = "declaration"
    """A file of `policies/signature_policies/`."""


class ObjectStoreSettings(_Table):
    """An S3-compatible store for the archive's bytes."""

    bucket: str
    endpoint: str | None = None
    """Address of a store of one's own; without it, AWS in `region`."""
    region: str = "us-east-1"
    prefix: str = "portseal"
    access_key: str
    secret_key: SecretStr


class JournalSettings(_Table):
    """How often the journal's head is witnessed by a timestamp."""

    checkpoint_minutes: Annotated[int, Field(ge=1, le=10_080)] = 10
    """After which records that are not yet covered are."""
    checkpoint_records: Annotated[int, Field(ge=1)] = 1000
    """Records after which it is not waited for."""


class TimestampSettings(_Table):
    """Our timestamp authority, and others to ask when it cannot answer."""

    accuracy_milliseconds: Annotated[int, Field(ge=1, le=60_000)] = 1000
    """How far a token's time may be from UTC, as the token says."""
    further_policies: tuple[Annotated[str, Field(pattern=OID)], ...] = ()
    """Policies granted on request, beside the operator's own."""
    ordering: bool = False
    """Promise that times alone order the tokens; one server process only."""
    require_synchronised_clock: bool = False
    """Refuse while the kernel does not say that NTP keeps its clock."""
    max_clock_error_milliseconds: Annotated[int, Field(ge=1)] = 1000
    """The kernel's bound on its clock's error, beyond which time is not told."""
    max_clock_drift_milliseconds: Annotated[int, Field(ge=1)] = 500
    """How far the clock may part from the machine's steady one before time is not told."""
    others: tuple[str, ...] = ()
    """Addresses of further authorities (RFC 3161 over HTTP), asked in this order when our own
    cannot answer. They must be trusted for timestamps."""
    others_timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 5


class ArchiveSettings(_Table):
    """How accepted signatures are kept."""

    retention_years: Annotated[int, Field(ge=5, le=100)] = 10
    """After the signer's certificate expired; the law asks for 5 at least."""
    reserve_megabytes: Annotated[int, Field(ge=0)] = 64
    """Room that stays free on the disk: the archive refuses before the disk is full."""
    s3: ObjectStoreSettings | None = None
    """Default: files below `data_directory`/archive."""
    digest: Literal["sha256", "sha384", "sha512"] = "sha256"
    """Of new hash trees."""
    stamp_every_minutes: Annotated[int, Field(ge=1, le=10_080)] = 60
    """How often the signatures since the last time are covered by one archive timestamp."""
    renew_before_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Archive timestamps are renewed so long before their certificate or algorithm ends."""


class TrustedListSettings(_Table):
    """An ETSI trusted list (TS 119 612) whose authorities are trusted beside our own."""

    file: Path | None = None
    url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2048)] | None = None
    """Fetched by the worker; the last good copy is kept."""
    signers: Path
    """The certificates that may have signed it, PEM."""

    @model_validator(mode="after")
    def _one_place(self) -> "TrustedListSettings":
        if (self.file is None) == (self.url is None):
            raise ValueError("a trusted list has a file or a url")
        return self


class VerificationSettings(_Table):
    """How strangers' signatures are judged, and for whom."""

    fetch_status: bool = True
    """Ask OCSP responders and fetch CRLs where neither our records nor the signature tell."""
    fetch_seconds: Annotated[float, Field(gt=0, le=60)] = 5.0
    allowed_networks: tuple[IPvAnyNetwork, ...] = ()
    """Networks that status may be fetched from though they are not public."""
    trusted_lists: tuple[TrustedListSettings, ...] = ()
    trusted_list_hours: Annotated[float, Field(gt=0, le=168)] = 12.0
    """Between two fetches of a list that is published at a url."""
    max_streamed_megabytes: Annotated[int, Field(ge=0, le=16_384)] = 2048
    """Of a document beside its signature that is read piece by piece, over the API; 0: none."""
    requests_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 120
    """For one client address, on the public page and the API."""


class MailSettings(_Table):
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
        if self.security == "none" and self.host not in {"127.0.0.1", "localhost", "::1"}:
            raise ValueError("security: over TLS, to a mail server that is not on loopback")
        if (self.user is None) != (self.password_file is None):
            raise ValueError("user and password_file stand together")
        if self.user is not None and self.security == "none":
            raise ValueError("security: no password is sent without TLS")
        return self


class SmsSettings(_Table):
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
        loopback = address.hostname in {"127.0.0.1", "localhost", "::1"}
        if address.scheme != "https" and not (address.scheme == "http" and loopback):
            raise ValueError("url: https://, or http:// on loopback")
        if self.token_file is None:
            raise ValueError("token_file: a gateway is given a token")
        return self


class Settings(BaseSettings):
    """All settings. Raises pydantic's ValidationError, which names the setting at fault."""

    model_config = SettingsConfigDict(
        env_prefix="PORTSEAL_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    data_directory: Path = Path("var")
    web: WebSettings
    database: DatabaseSettings
    token: TokenSettings
    token_replicas: tuple[TokenSettings, ...] = ()
    """Further tokens, of other labels, that hold the same keys: what one cannot serve another
    does."""
    root_token: TokenSettings | None = None
    """The roots' own token, which is plugged in for ceremonies and root sessions alone."""
    authority: AuthoritySettings = AuthoritySettings()
    key_centre: KeyCentreSettings = KeyCentreSettings()
    directory: DirectorySettings | None = None
    mail: MailSettings | None = None
    sms: SmsSettings | None = None
    status: StatusSettings = StatusSettings()
    journal: JournalSettings = JournalSettings()
    nodes: NodeSettings = NodeSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    session: SessionSettings = SessionSettings()
    sso: SsoSettings = SsoSettings()
    portal: PortalSettings = PortalSettings()
    registry: RegistrySettings | None = None
    policy: PolicySettings = PolicySettings()
    archive: ArchiveSettings = ArchiveSettings()
    verification: VerificationSettings = VerificationSettings()
    timestamp: TimestampSettings = TimestampSettings()

    @model_validator(mode="after")
    def _order_needs_one_process(self) -> Self:
        if self.timestamp.ordering and self.web.workers != 1:
            raise ValueError("timestamp.ordering needs web.workers = 1")
        return self

    @model_validator(mode="after")
    def _the_witness_is_not_for_hire(self) -> Self:
        if f"{self.policy.arc}.{JOURNAL_POLICY}" in self.timestamp.further_policies:
            raise ValueError("timestamp.further_policies: one is the journal's own")
        return self

    @property
    def status_base_url(self) -> str:
        """Raises Unprocessable `settings.invalid` when it must be set and is not."""
        base = self.status.base_url or self.web.origin
        if not base.startswith("http://"):
            raise Unprocessable("settings.invalid", "status.base_url: set it to an http:// address")
        return base.rstrip("/")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, toml_file=_file()),
        )


def read_settings() -> Settings:
    """Read the environment and the file.

    Raises Unprocessable `settings.invalid`, which names the file, each setting at fault, and no
    value.
    """
    file = _file().absolute()
    if os.environ.get("PORTSEAL_CONFIG") and not file.is_file():
        raise Unprocessable(
            "settings.invalid", f"the settings file {file}, which PORTSEAL_CONFIG names, is missing"
        )
    try:
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Unprocessable(
            "settings.invalid",
            f"the settings file {file} is not TOML",
            why=_position(error),
        ) from None
    except OSError as error:
        raise Unprocessable(
            "settings.invalid", f"the settings file {file} cannot be read", why=error.strerror
        ) from None
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        there = "read" if file.is_file() else "looked for, not there"
        raise Unprocessable(
            "settings.invalid",
            faults,
            settings_file=f"{file} ({there}); the variable PORTSEAL_CONFIG names another",
        ) from None


def _file() -> Path:
    return Path(os.environ.get("PORTSEAL_CONFIG") or "portseal.toml")


def _position(error: ValueError) -> str:
    """Where the file goes wrong. What stands there may be half a secret, so it is not told."""
    place = re.search(r"\(at [^)]*\)$", str(error))
    return place[0].strip("()") if place else "not UTF-8"
