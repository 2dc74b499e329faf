"""The agent's settings: a small TOML file in its home, and options of the command line."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hsm.libraries import installed_libraries
from kernel.refusals import Malformed
from key_agent import DEFAULT_PORT


class AgentSettings(BaseModel):
    """What a user or an administrator may choose; every setting has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: int = Field(DEFAULT_PORT, ge=1, le=65535)
    modules: tuple[str, ...] = ()
    """PKCS#11 libraries; those that are usually there when none is named."""
    windows: Literal["auto", "pinentry", "terminal"] = "auto"
    pinentry: str | None = None
    """A program that speaks the pinentry protocol; the system's own when left out."""
    language: Literal["zh", "en"] | None = None

    def libraries(self) -> tuple[str, ...]:
        return self.modules or installed_libraries()


def read_settings(home: Path) -> AgentSettings:
    """`agent.toml` in the agent's home. Raises Malformed `settings.malformed`."""
    path = home / "agent.toml"
    try:
        return AgentSettings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return AgentSettings()
    except ValidationError as error:
        names = sorted({".".join(map(str, fault["loc"])) for fault in error.errors()})
        raise Malformed("settings.malformed", f"{path}: check {', '.join(names)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError):
        raise Malformed("settings.malformed", f"{path} cannot be read") from None
