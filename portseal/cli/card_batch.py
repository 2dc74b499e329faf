"""`portseal card sign-batch`: a directory of documents under one PIN."""

import sys
import time
from pathlib import Path

import click

from portseal.cli.exit_codes import ExitCode
from portseal.cli.options import LEVELS, card_options, pin_source, url_option
from portseal.cli.output import json_option, show
from portseal.holder.batch import SUFFIXES, BatchSigning
from portseal.holder.card import Card
from portseal.holder.service import Service

_FORMATS = {str(each).lower(): each for each in SUFFIXES}


@click.command("sign-batch")
@card_options
@url_option
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--format", "format_", type=click.Choice(sorted(_FORMATS)), default="cades")
@click.option("--level", type=click.Choice(list(LEVELS)), default="B-T")
@click.option("--output", required=True, type=click.Path(file_okay=False, path_type=Path))
@json_option
def sign_batch(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    directory: Path,
    format_: str,
    level: str,
    output: Path,
    as_json: bool,
) -> None:
    """Sign every XML and PDF document of a directory with one PIN.

    A run that was stopped goes on where it was when it is started again. A document that is
    refused is told at the end and does not hold up the others; then the exit code is 1.
    """
    holder = Card(module, label, pin_source(pin_env, pin_fd))
    service = Service(url)
    service.sign_in(holder)
    run = BatchSigning(service, holder, directory, output, _FORMATS[format_], LEVELS[level])
    started = time.monotonic()
    with click.progressbar(length=1, label="Signing", file=sys.stderr, show_pos=True) as bar:

        def report(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        result = run.run(report)
    show(
        {
            "id": result.id,
            "total": result.total,
            "signed": result.signed,
            "refused": [f"{name}: {code}" for name, code in result.refused],
            "seconds": round(time.monotonic() - started, 1),
        },
        as_json,
    )
    if result.refused:
        sys.exit(ExitCode.REFUSED)
