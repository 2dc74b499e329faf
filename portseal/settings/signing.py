"""Settings of the signing service: signing, timestamps, the archive, strangers' signatures."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, IPvAnyNetwork, SecretStr, model_validator

from portseal.settings.table import OID, SettingsTable


class SigningSettings(SettingsTable):
    """What holders sign here."""

    max_document_megabytes: Annotated[int, Field(ge=0, le=2046)] = 1024
    """Of a document that is sent ahead of its signature and kept on disk; 0: none is taken, and
    32 MiB in a message remain."""


class TimestampSettings(SettingsTable):
    """Our timestamp authority, and others to ask when it cannot answer."""

    accuracy_milliseconds: Annotated[int, Field(ge=1, le=60_000)] = 1000
    """How far a token's time may be from UTC, as the token says."""
    further_policies: tuple[Annotated[str, Field(pattern=OID)], ...] = ()
    """Policies granted on request, beside the operator's own."""
    ordering: bool = False
    """Promise that times alone order the tokens; one server process only."""
    require_synchronised_clock: bool = True
    """Refuse while the kernel does not say that NTP keeps its clock. One node alone has nothing
    else to compare its clock with; switch it off only where NTP is kept out of the kernel's sight
    (a container's clock that its host keeps), or to try things out."""
    max_clock_error_milliseconds: Annotated[int, Field(ge=1)] = 1000
    """The kernel's bound on its clock's error, beyond which time is not told."""
    max_clock_drift_milliseconds: Annotated[int, Field(ge=1)] = 500
    """How far the clock may part from the machine's steady one before time is not told."""
    others: tuple[str, ...] = ()
    """Addresses of further authorities (RFC 3161 over HTTP), asked in this order when our own
    cannot answer. They must be trusted for timestamps."""
    others_timeout_seconds: Annotated[int, Field(ge=1, le=60)] = 5


class ObjectStoreSettings(SettingsTable):
    """An S3-compatible store for the archive's bytes."""

    bucket: str
    endpoint: str | None = None
    """Address of a store of one's own; without it, AWS in `region`."""
    region: str = "us-east-1"
    prefix: str = "portseal"
    access_key: str
    secret_key: SecretStr


class ArchiveSettings(SettingsTable):
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


class TrustedListSettings(SettingsTable):
    """An ETSI trusted list (TS 119 612) whose authorities are trusted beside our own."""

    file: Path | None = None
    url: Annotated[str, Field(pattern=r"^https?://\S+$", max_length=2048)] | None = None
    """Fetched by the worker; the last good copy is kept."""
    signers: Path
    """The certificates that may have signed it, PEM."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.url is None):
            raise ValueError("a trusted list has a file or a url")
        return self


class VerificationSettings(SettingsTable):
    """How strangers' signatures are judged, and for whom."""

    libcrypto: str | None = None
    """OpenSSL 3's libcrypto, or another build of the same functions, which SM2 is verified with;
    default: the system's, by its usual name."""
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
