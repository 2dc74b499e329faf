"""Settings of the PKCS#11 tokens."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from portseal.settings.table import SettingsTable


class TokenSettings(SettingsTable):
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
    limit_seconds: Annotated[float, Field(gt=0, le=600)] | None = None
    """A call that takes longer is left behind, and refused or served by another token. Default: 5
    where there are several (`token_replicas`), none for one alone."""
    write_limit_seconds: Annotated[float, Field(gt=0, le=3600)] = 180.0
    """The same for making and destroying keys and for writing certificates, which is refused then
    (`token.timeout`): a slow card takes a minute for a key of RSA-4096. Not where a person gives
    the PIN."""


class KeyCentreSettings(SettingsTable):
    """The key-management centre."""

    token: TokenSettings | None = None
    """A token of its own, with the escrow key in it (`portseal key-centre init`). Default: the
    authority's, where the ceremony made one."""
    pool: dict[
        Literal["ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pkcs1-sha256"],
        Annotated[int, Field(ge=0, le=100_000)],
    ] = Field(default={"ecdsa-p256-sha256": 32})
    """How many encryption keys the worker keeps made ahead, by the suite of the cards that they
    are for. Where cards are RSA, add `rsa-pkcs1-sha256`: each takes a token seconds to make."""
