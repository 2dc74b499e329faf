"""What commands print: words for people, or JSON for programs."""

import json
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import click

from kernel.refusals import Refusal, Unavailable
from portseal.cli.exit_codes import ExitCode

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program.")


def show(values: Mapping[str, Any], as_json: bool) -> None:
    """Print a small record."""
    if as_json:
        click.echo(json.dumps(values, ensure_ascii=False, indent=2, default=str))
        return
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        if isinstance(value, list | tuple):
            value = ", ".join(str(each) for each in value) or "none"
        click.echo(f"{name.replace('_', ' '):{width}}  {value}")


def fail(refusal: Refusal) -> NoReturn:
    """Say why and leave with the documented code."""
    click.echo(f"portseal: {refusal.detail} [{refusal.code}]", err=True)
    for name, value in refusal.facts.items():
        click.echo(f"  {name}: {value}", err=True)
    sys.exit(exit_code_of(refusal))


def exit_code_of(refusal: Refusal) -> ExitCode:
    if refusal.code.startswith("pin.") or refusal.code in {
        "token.pin-wrong", "token.locked", "token.no-pin", "token.pin-expired",
    }:  # fmt: skip
        return ExitCode.PIN
    if refusal.code == "act.waits":
        return ExitCode.WAITS
    return ExitCode.UNAVAILABLE if isinstance(refusal, Unavailable) else ExitCode.REFUSED
