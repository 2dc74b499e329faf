"""`portseal clock`: the clock that timestamps are made with."""

import click

from kernel.clock import SystemClock
from portseal.cli.output import json_option, show
from portseal.settings import read_settings
from portseal.wiring import House
from signing_service.timestamping.health import kernel_time


@click.group("clock")
def clock() -> None:
    """The clock that timestamps are made with."""


@clock.command("status")
@json_option
def status(as_json: bool) -> None:
    """Tell the time, and what the kernel says of its clock."""
    told = kernel_time()
    show(
        {
            "time": SystemClock().now().isoformat(timespec="milliseconds"),
            "synchronised": "unknown" if told is None else told.synchronised,
            "max_error_seconds": "unknown" if told is None else told.max_error_seconds,
        },
        as_json,
    )


@clock.command("confirm")
def confirm() -> None:
    """Say that the clock is right, after it was set and timestamps were refused."""
    mark = House(read_settings()).clock_confirmation
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    click.echo("confirmed; timestamps are made again")
