"""Settings: one frozen object, read once, from the environment and a TOML file.

`PORTSEAL_CONFIG` names the file (default `portseal.toml` in the working directory, if there).
A variable `PORTSEAL_DATABASE__URL` overrides `url` in the file's table `[database]`. Unknown
names are refused. No secret has a default.
"""

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from kernel.refusals import Unprocessable


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
    max_upload_bytes: Annotated[int, Field(ge=1 << 20)] = 40 << 20

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


class TokenSettings(_Table):
    """The authority's PKCS#11 token."""

    module: str
    """Path of the PKCS#11 library."""
    label: str = "portseal"
    pin_variable: str | None = None
    """Name of the environment variable that holds the PIN."""
    pin_file: Path | None = None
    """A file that only the service can read (a mounted secret)."""
    sessions: Annotated[int, Field(ge=1, le=64)] = 4


class DirectorySettings(_Table):
    """The LDAP directory that certificates and CRLs are published to."""

    url: str
    """`ldap://host:389` or `ldaps://host:636`."""
    bind_dn: str
    password: SecretStr
    base: str
    """Suffix under which entries are made."""


class StatusSettings(_Table):
    crl_lifetime_hours: Annotated[int, Field(ge=1, le=240)] = 168
    crl_refresh_hours: Annotated[int, Field(ge=1, le=168)] = 24
    """A new CRL is made at least this often, and at once after a revocation when asked."""
    ocsp_lifetime_minutes: Annotated[int, Field(ge=1, le=1440)] = 60


class SessionSettings(_Table):
    idle_minutes: Annotated[int, Field(ge=1, le=240)] = 30
    absolute_hours: Annotated[int, Field(ge=1, le=24)] = 8


class CeremonySettings(_Table):
    """Names in the authority's own certificates."""

    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] = "CN"
    organization: str = "PortSeal"
    suite: Literal["ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pkcs1-sha256"] = (
        "ecdsa-p256-sha256"
    )


class Settings(BaseSettings):
    """All settings. Raises pydantic's ValidationError, which names the setting at fault."""

    model_config = SettingsConfigDict(
        env_prefix="PORTSEAL_", env_nested_delimiter="__", frozen=True, extra="forbid"
    )

    data_directory: Path = Path("var")
    web: WebSettings
    database: DatabaseSettings
    token: TokenSettings
    directory: DirectorySettings | None = None
    status: StatusSettings = StatusSettings()
    session: SessionSettings = SessionSettings()
    ceremony: CeremonySettings = CeremonySettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = Path(os.environ.get("PORTSEAL_CONFIG", "portseal.toml"))
        return (
            init_settings,
            env_settings,
            TomlConfigSettingsSource(settings_cls, toml_file=file),
        )


def read_settings() -> Settings:
    """Read the environment and the file.

    Raises Unprocessable `settings.invalid`, which names each setting at fault and no value.
    """
    named = os.environ.get("PORTSEAL_CONFIG")
    if named and not Path(named).is_file():
        raise Unprocessable("settings.invalid", f"the settings file {named} does not exist")
    try:
        return Settings()
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        )
        raise Unprocessable("settings.invalid", faults) from None
