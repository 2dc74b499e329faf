"""Policies are data: TOML files read strictly, so that a mistake is named and never guessed at."""

import json
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class PolicyData(BaseModel):
    """Base of every shape read from a policy file: frozen, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class InvalidPolicyFile(ValueError):
    """A policy file that cannot be used; the text names the file, the key and the fault."""

    def __init__(self, file: Path, key: str, fault: str) -> None:
        super().__init__(f"{file.name}: {key}: {fault}" if key else f"{file.name}: {fault}")
        self.file = file
        self.key = key
        self.fault = fault


Shape = TypeVar("Shape", bound=PolicyData)


def load_policy_file(file: Path, shape: type[Shape]) -> Shape:
    """Read `file` as `shape`. Raises InvalidPolicyFile, which names the first wrong key."""
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InvalidPolicyFile(file, "", error.strerror or "cannot be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidPolicyFile(file, "", f"not TOML: {error}") from None
    try:
        # By way of JSON: pydantic's strict mode then takes arrays for tuples and text for dates.
        return shape.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InvalidPolicyFile(file, key, first["msg"]) from None
