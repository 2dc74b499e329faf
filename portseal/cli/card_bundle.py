"""`portseal card sign-bundle`: declarations for several agencies under one signature."""

from pathlib import Path

import click

from portseal.cli.options import LEVELS, card_options, pin_source, url_option
from portseal.cli.output import json_option, show
from portseal.holder.card import Card
from portseal.holder.service import Service
from signing_service.formats.bundle import Part

SUFFIX = ".proof.json"


@click.command("sign-bundle")
@card_options
@url_option
@click.argument("parts", nargs=-1, required=True, metavar="AGENCY=FILE...")
@click.option("--level", type=click.Choice(list(LEVELS)), default="B-T")
@click.option("--output", required=True, type=click.Path(file_okay=False, path_type=Path))
@json_option
def sign_bundle(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    parts: tuple[str, ...],
    level: str,
    output: Path,
    as_json: bool,
) -> None:
    """Sign declarations for several agencies with one signature of the card.

    Each agency gets its own declaration, unchanged, and the proof that is written for it into
    the --output directory: it verifies both alone (`portseal verify FILE PROOF`) and learns
    nothing of the others but how many there are.
    """
    named = [_part(each) for each in parts]
    holder = Card(module, label, pin_source(pin_env, pin_fd))
    service = Service(url)
    service.sign_in(holder)
    made = [Part(recipient, file.read_bytes()) for recipient, file in named]
    signed = service.sign_bundle(holder, made, LEVELS[level])
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for number, ((_, file), part) in enumerate(zip(named, signed, strict=True), 1):
        target = output / f"{number:02}-{file.name}{SUFFIX}"
        target.write_bytes(part.proof)
        written.append(f"{part.recipient}: {target}")
    show({"parts": written, "indications": sorted({each.indication for each in signed})}, as_json)


def _part(text: str) -> tuple[str, Path]:
    recipient, found, name = text.partition("=")
    file = Path(name)
    if not found or not recipient or not file.is_file():
        raise click.BadParameter(f"AGENCY=FILE, with a file that is there: {text}")
    return recipient, file
