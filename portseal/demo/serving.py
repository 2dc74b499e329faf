"""`portseal serve --demo`: an authority with people in it, kept between runs."""

import signal
import threading
from pathlib import Path

import click

from portseal.demo.authority_steps import hold_ceremony
from portseal.demo.ground import renew
from portseal.demo.people_steps import (
    add_operator,
    appoint_officers,
    make_legal_person_card,
    register_enterprise,
)
from portseal.demo.signin_steps import start_platforms
from portseal.demo.site import Site
from portseal.demo.stage import Stage
from portseal.demo.usb_keys import UsbKeys

_PREPARATION = (
    hold_ceremony, appoint_officers, register_enterprise, make_legal_person_card, add_operator,
)  # fmt: skip


def serve_demo(directory: Path, port: int) -> None:
    """Serve until interrupted. The first start makes the authority, its people and their cards."""
    site = Site(directory, port)
    first = not site.is_prepared
    if first:
        renew(site.directory)
        click.echo("Making a demonstration authority; everybody in it is invented.")
    output = site.directory / "public"
    output.mkdir(exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        stage = Stage(site, output, UsbKeys(site.use_usb_keys(), site.directory / "usb-pins.json"))
        if first:
            for step in _PREPARATION:
                step(stage)
            site.mark_prepared()
        else:
            site.start_directory()
            site.start_services()
        platforms = start_platforms(stage)
        _tell(stage, platforms)
        stop.wait()
    finally:
        site.stop()


def _tell(stage: Stage, platforms: list[str]) -> None:
    site = stage.site
    configuration = site.directory / "usb-keys" / "softhsm2.conf"
    lines = [
        f"Portal         {site.origin}/          (?lang=en for English)",
        f"Verify         {site.origin}/verify    (anybody may)",
        f"API            {site.origin}/openapi.yaml",
        f"OpenID         {site.origin}/.well-known/openid-configuration",
        f"Status         {site.origin}/ocsp  {site.origin}/crl/issuing.crl  {site.origin}/tsa",
        *(f"Platform {number}     {address}/" for number, address in enumerate(platforms, 1)),
        "",
        "To sign in: open the sign-in page, run the command that it shows in another terminal with",
        f"  export SOFTHSM2_CONF={configuration} PATH=.venv/bin:$PATH",
        "and --token with one of these USB keys; paste what it prints into the page.",
        *(f"  {key.label:14} PIN {key.pin}" for key in stage.usb_keys.keys.values()),
        "",
        "Ctrl-C stops everything; the data stay below " + str(site.directory) + ".",
    ]
    click.echo("\n".join(lines))
