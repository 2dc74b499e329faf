"""What every table of the settings is, and what several of them say."""

from pydantic import BaseModel, ConfigDict

OID = r"^[0-2](\.(0|[1-9]\d*))+$"


class SettingsTable(BaseModel):
    """One table of the file: frozen, and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def is_loopback(host: str | None) -> bool:
    return host in {"127.0.0.1", "localhost", "::1"}
