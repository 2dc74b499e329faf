"""Policies are data: TOML files read strictly, so that a mistake is named and never guessed at."""

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from policies.toml_lines import line_of, line_of_syntax_error

_NAMED_KEY = re.compile(r"^(?:Value error, )?([a-z][a-z0-9_]*): ")
"""How a rule about several keys says which one is at fault."""


class PolicyData(BaseModel):
    """Base of every shape read from a policy file: frozen, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class InvalidPolicyFile(ValueError):
    """A policy file that cannot be used; the text names the file, the line, the key, the fault."""

    def __init__(self, file: Path, key: str, fault: str, line: int | None = None) -> None:
        place = file.name if line is None else f"{file.name}:{line}"
        super().__init__(f"{place}: {key}: {fault}" if key else f"{place}: {fault}")
        self.file = file
        self.key = key
        self.fault = fault
        self.line = line
        """From 1; None where the file as a whole is at fault."""


Shape = TypeVar("Shape", bound=PolicyData)


def load_policy_file(file: Path, shape: type[Shape]) -> Shape:
    """Read `file` as `shape`. Raises InvalidPolicyFile, which names the first wrong key."""
    try:
        text = file.read_text("utf-8")
        values = tomllib.loads(text)
    except OSError as error:
        raise InvalidPolicyFile(file, "", error.strerror or "cannot be read") from None
    except tomllib.TOMLDecodeError as error:
        line = line_of_syntax_error(str(error))
        raise InvalidPolicyFile(file, "", f"not TOML: {error}", line) from None
    except UnicodeDecodeError as error:
        raise InvalidPolicyFile(file, "", f"not TOML: {error}") from None
    try:
        # By way of JSON: pydantic's strict mode then takes arrays for tuples and text for dates.
        return shape.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        line = line_of(text, _place(first["loc"], first["msg"]))
        raise InvalidPolicyFile(file, key, first["msg"], line) from None


def fault_at(file: Path, key: str, fault: str) -> InvalidPolicyFile:
    """A fault that shows only beside other files, at this key of `file`."""
    try:
        line = line_of(file.read_text("utf-8"), [key])
    except (OSError, UnicodeDecodeError):
        return InvalidPolicyFile(file, key, fault)
    return InvalidPolicyFile(file, key, fault, line)


def _place(path: Sequence[str | int], message: str) -> Sequence[str | int]:
    named = _NAMED_KEY.match(message)
    return [*path, named[1]] if named and not path else path
