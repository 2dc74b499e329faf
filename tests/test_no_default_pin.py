"""No PIN stands anywhere by default: not in the code, not in a signature, not on a token."""

import inspect
import re
import subprocess
from pathlib import Path

import pytest

from hsm import admin
from kernel.refusals import Unprocessable

ROOT = Path(__file__).parents[1]
ROOMS = (
    "ca", "hsm", "kernel", "key_agent", "key_centre", "policies", "portseal", "ra_portal",
    "records", "signing_service",
)  # fmt: skip
_USUAL = r"8{6,8}|0{6,8}|1{6,8}|12345678|123456|87654321|1234567890"


def test_no_source_holds_a_usual_default_pin() -> None:
    listed = subprocess.run(
        ["git", "ls-files", *ROOMS, "scripts"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    found = []
    for name in listed:
        if not name.endswith((".py", ".html", ".js", ".toml", ".sh")) or "vendor" in name:
            continue
        for number, line in enumerate((ROOT / name).read_text("utf-8").splitlines(), start=1):
            about = re.search(r"\bpin\b|password", line, re.IGNORECASE)
            if about and re.search(rf"[\"'=:]\s*(?:{_USUAL})\b", line):
                found.append(f"{name}:{number}")
    assert found == []


@pytest.mark.parametrize("function", [admin.initialise_token, admin.change_pin])
def test_no_function_has_a_pin_by_default(function: object) -> None:
    for name, parameter in inspect.signature(function).parameters.items():  # type: ignore[arg-type]
        if "pin" in name or name in {"old", "new"}:
            assert parameter.default is inspect.Parameter.empty


@pytest.mark.parametrize("pin", ["88888888", "12345678", "000000", "87654321", "111111"])
def test_no_token_is_given_one(pin: str) -> None:
    with pytest.raises(Unprocessable, match=r"pin\.weak"):
        admin.check_pin(pin)
