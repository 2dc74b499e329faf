"""`portseal verify` and `portseal revoke`: what platforms and administrators ask of the service."""

import base64
import json
import sys
from pathlib import Path
from typing import Any

import click

from portseal.cli.exit_codes import ExitCode
from portseal.cli.options import LEVELS, card_options, pin_source, url_option
from portseal.cli.output import json_option, show
from portseal.holder.card import Card
from portseal.holder.service import Service


@click.command("verify")
@url_option
@click.argument("document", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument(
    "signature", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@json_option
def verify(url: str, document: Path, signature: Path | None, as_json: bool) -> None:
    """Verify a signed document, or a document of any size with its detached SIGNATURE.

    Exit code 0 for TOTAL-PASSED, 5 for anything else.
    """
    report = Service(url).verify_files(document, signature)
    if as_json:
        click.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        show(summary(report), as_json=False)
    if report["finding"]["indication"] != "TOTAL-PASSED":
        sys.exit(ExitCode.NOT_PASSED)


@click.command("extend")
@card_options
@url_option
@click.argument("document", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument(
    "signature", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--level", type=click.Choice(["B-T", "B-LT", "B-LTA"]), required=True)
@click.option("--signer", type=click.IntRange(-1), default=0, help="Which signature; -1: the last.")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path))
@json_option
def extend(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    document: Path,
    signature: Path | None,
    level: str,
    signer: int,
    output: Path,
    as_json: bool,
) -> None:
    """Raise a signature, whoever made it, to a higher level; at B-LTA once more, renew it."""
    service = Service(url)
    service.sign_in(Card(module, label, pin_source(pin_env, pin_fd)))
    beside = None if signature is None else signature.read_bytes()
    answer = service.extend(document.read_bytes(), beside, LEVELS[level], signer)
    output.write_bytes(base64.b64decode(answer["signature"], validate=True))
    shown = {name: answer[name] for name in ("level", "indication")}
    show({**shown, "written": str(output)}, as_json)


@click.command("revoke")
@card_options
@url_option
@click.argument("card_number")
@click.option("--reason", required=True, help="CRLReason of RFC 5280, such as keyCompromise.")
@json_option
def revoke(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    card_number: str,
    reason: str,
    as_json: bool,
) -> None:
    """Revoke a card, signed in with an administrator's card (--token)."""
    service = Service(url)
    service.sign_in(Card(module, label, pin_source(pin_env, pin_fd)))
    show(service.revoke(card_number, reason), as_json)


def summary(report: dict[str, Any]) -> dict[str, Any]:
    """The report in a few lines."""
    finding = report["finding"]
    lines: dict[str, Any] = {
        "verdict": " ".join(filter(None, (finding["indication"], finding["sub_indication"])))
    }
    if finding["indication"] != "TOTAL-PASSED":
        lines |= {"why": finding["why"]["en"], "what_helps": finding["help"]["en"]}
    for signature in report["signatures"]:
        signer, time = signature["signer"] or {}, signature["time"]
        lines |= {
            "format": f"{signature['format']} {signature['level']}",
            "signer": signer.get("name"),
            "enterprise": (signer.get("enterprise") or {}).get("name"),
            "rights": signer.get("rights"),
            "signed_at": time["proven"] or time["claimed"],
            "proven_by": time["proven_by"] or "nothing: the time is only claimed",
        }
    return lines
