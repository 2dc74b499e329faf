"""All settings in one object, and how it is read."""

import os
import re
import tomllib
from pathlib import Path
from typing import Self

from pydantic import ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from kernel.refusals import Unprocessable
from portseal.settings.authority import AuthoritySettings, PolicySettings, StatusSettings
from portseal.settings.directories import DirectorySettings, RegistrySettings
from portseal.settings.hall import (
    DatabaseSettings,
    JournalSettings,
    LogSettings,
    MetricsSettings,
    NodeSettings,
    WebSettings,
)
from portseal.settings.portal import MailSettings, PortalSettings, SmsSettings
from portseal.settings.retention import RetentionSettings
from portseal.settings.sign_in import SessionSettings, SsoSettings
from portseal.settings.signing import (
    ArchiveSettings,
    SigningSettings,
    TimestampSettings,
    VerificationSettings,
)
from portseal.settings.tokens import KeyCentreSettings, TokenSettings

JOURNAL_POLICY = "2.2"
"""Arc of the policy of the journal's checkpoints below the operator's own identifier."""


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
    signing: SigningSettings = SigningSettings()
    archive: ArchiveSettings = ArchiveSettings()
    retention: RetentionSettings = RetentionSettings()
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
