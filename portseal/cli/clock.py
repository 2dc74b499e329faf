"""`portseal clock`: the clock that timestamps are made with."""

import socket

import click

from kernel.clock import SystemClock
from portseal.cli.acting import Acting, officer_options
from portseal.cli.output import json_option, show
from portseal.wiring import House
from ra_portal.console.act import Act
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
@officer_options
def confirm(acting: Acting) -> None:
    """Say that the clock is right, after it was set and timestamps were refused."""
    with House.opened() as house:
        acting.authorise(house, Act("clock.confirm", "clock.confirm", socket.gethostname()))
        mark = house.clock_confirmation
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    click.echo("confirmed; timestamps are made again")
