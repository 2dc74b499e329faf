"""Settings of sessions and of sign-in for platforms."""

import re
from typing import Annotated, Self

from pydantic import (
    Field,
    IPvAnyAddress,
    IPvAnyNetwork,
    SecretStr,
    field_validator,
    model_validator,
)

from portseal.settings.table import SettingsTable


class SessionSettings(SettingsTable):
    idle_minutes: Annotated[int, Field(ge=1, le=240)] = 30
    absolute_hours: Annotated[int, Field(ge=1, le=24)] = 8


class SsoSettings(SettingsTable):
    """Sign-in for platforms, and by TLS client certificate behind a proxy of ours."""

    certificate_origin: str | None = None
    """Where the proxy asks browsers and platforms for a client certificate: our own host at
    another port, `https://id.example:8443`. Without it that way is closed."""
    certificate_proxies: tuple[IPvAnyAddress, ...] = ()
    """Addresses that the proxy connects from; only from there its headers are believed."""
    certificate_session_minutes: Annotated[int, Field(ge=1, le=480)] = 15
    """How long a session lasts that a certificate opened: no agent watches over its USB key, so
    this bounds how long the session outlives a key that is pulled out."""
    proxy_secret: SecretStr | None = None
    """What the proxy sends beside them in `X-PortSeal-Proxy`: 32 to 200 random letters, digits,
    `-` and `_`. Any process on the proxy's machine could take its address, but not know this."""
    dpop_nonces: bool = True
    """Whether a platform's proof of its key must hold a nonce that we gave (RFC 9449, 8)."""
    key_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """After so long the worker makes the next key of ID tokens."""
    presence_seconds: Annotated[int, Field(ge=6, le=300)] = 15
    """A session that a key agent watches over ends so long after the agent's last word."""
    platform_networks: tuple[IPvAnyNetwork, ...] = ()
    """Networks of one's own (10.0.0.0/8) in which platforms are told that a session is over. Others
    that are not public are never asked, whatever address was registered."""
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
