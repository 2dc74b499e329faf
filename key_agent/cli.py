"""`portseal-agent`: run the key agent, read its log, say which sites may use it."""

import json
import logging
import signal
import sys
from typing import Any

import click

from hsm.plugged import plugged_tokens
from kernel.clock import SystemClock
from kernel.refusals import Refusal
from key_agent import VERSION
from key_agent.autostart import switch_off, switch_on
from key_agent.cards import certificates_of
from key_agent.origins import Origins, Standing, parse_origin
from key_agent.places import home
from key_agent.running import (
    LOG_FILE,
    ORIGINS_FILE,
    choose_windows,
    make_agent,
    open_door,
    words_of,
)
from key_agent.settings import AgentSettings, read_settings
from key_agent.uses import UseLog
from key_agent.windows import clean

_REFUSED, _UNAVAILABLE = 1, 3


def main() -> None:
    """The console script: refusals in one line, with an exit code."""
    try:
        commands(prog_name="portseal-agent")
    except Refusal as refusal:
        click.echo(f"portseal-agent: {refusal.detail} ({refusal.code})", err=True)
        sys.exit(_UNAVAILABLE if refusal.status == 503 else _REFUSED)


@click.group()
@click.version_option(VERSION)
def commands() -> None:
    """Lets the web sites that you allow use your USB key, after asking you each time."""


@commands.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Where pages find the agent.")
@click.option(
    "--module", "modules", multiple=True, help="PKCS#11 library; may stand several times."
)
@click.option("--windows", type=click.Choice(["auto", "pinentry", "terminal"]))
@click.option("--pinentry", metavar="PROGRAM", help="Which pinentry to use.")
@click.option("--language", type=click.Choice(["zh", "en"]))
def run(**options: Any) -> None:
    """Serve pages until interrupted."""
    logging.basicConfig(level=logging.WARNING, format="portseal-agent: %(message)s")
    given = {name: value for name, value in options.items() if value}
    settings = AgentSettings.model_validate({**read_settings(home()).model_dump(), **given})
    words = words_of(settings)
    agent = make_agent(settings, home(), choose_windows(settings, words), words)
    server = open_door(agent, settings.port)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _stop)
    click.echo(f"PortSeal key agent {VERSION} on http://127.0.0.1:{settings.port}; Ctrl+C ends it")
    for library in settings.libraries() or ("none",):
        click.echo(f"  PKCS#11 library: {library}")
    try:
        server.run()
    except KeyboardInterrupt:
        server.close()


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


@commands.command()
@click.option("--json", "as_json", is_flag=True, help="As it is kept, one JSON object a line.")
@click.option("-n", "count", type=click.IntRange(1), default=50, show_default=True)
def log(as_json: bool, count: int) -> None:
    """Show how the agent was used, the newest last."""
    entries = list(UseLog(home() / LOG_FILE, SystemClock()).entries())[-count:]
    for entry in entries:
        if as_json:
            click.echo(json.dumps(entry, ensure_ascii=False))
            continue
        click.echo(
            f"{entry['time']}  {entry['outcome']:<24} {entry['method']:<20} {entry['origin']}"
            f"  {entry.get('token', '')}"
        )
        for line in entry.get("shown", ()):
            click.echo(f"    {clean(line)}")


@commands.group("origins")
def origins_group() -> None:
    """The web sites that may use the agent."""


def _origins() -> Origins:
    return Origins(home() / ORIGINS_FILE, SystemClock())


@origins_group.command("list")
def list_origins() -> None:
    """Show them."""
    for each in _origins().all():
        seen = f"{len(each.certificates)} certificates"
        click.echo(f"{each.standing:<8} {each.since}  {each.origin}  {seen}")


@origins_group.command("allow")
@click.argument("origin")
def allow_origin(origin: str) -> None:
    """Allow a site, with the certificates that are plugged in now."""
    plugged = plugged_tokens(read_settings(home()).libraries())
    seen = frozenset(held.identifier for token in plugged for held in certificates_of(token))
    _origins().set(parse_origin(origin), Standing.ALLOWED, seen)
    click.echo(f"{origin} may use the agent and see {len(seen)} certificates")


@origins_group.command("refuse")
@click.argument("origin")
def refuse_origin(origin: str) -> None:
    """Refuse a site without being asked again."""
    _origins().set(parse_origin(origin), Standing.REFUSED, frozenset())
    click.echo(f"{origin} is refused")


@origins_group.command("forget")
@click.argument("origin")
def forget_origin(origin: str) -> None:
    """Forget what was said of a site: it will be asked about again."""
    click.echo(f"{origin} is forgotten" if _origins().forget(origin) else f"{origin} was not known")


@commands.command()
@click.option("--off", is_flag=True, help="Do not start it any more.")
def autostart(off: bool) -> None:
    """Start the agent at login."""
    if off:
        click.echo("the agent is not started at login" + ("" if switch_off() else " (nor was it)"))
        return
    click.echo(f"the agent is started at login: {switch_on()}")


@commands.command()
def tokens() -> None:
    """Show what is plugged in, and the certificates on it."""
    for token in plugged_tokens(read_settings(home()).libraries()):
        state = "blank" if not token.initialised else "locked" if token.locked else "ready"
        click.echo(
            f"{token.label or '-'}  {state}  {token.manufacturer} {token.model} {token.serial}"
        )
        for held in certificates_of(token):
            until = held.certificate.not_after.date().isoformat()
            click.echo(f"    {clean(held.certificate.subject_text())}, valid until {until}")
