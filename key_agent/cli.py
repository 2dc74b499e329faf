"""`portseal-agent`: run the key agent, read its log, say which sites may use it.

What only some commands need is loaded by them: those that read a small file of the agent's start at
once.
"""

import logging
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from kernel.clock import SystemClock
from kernel.refusals import Refusal
from key_agent import VERSION
from key_agent.autostart import switch_off, switch_on
from key_agent.command_help import SpokenCommand, SpokenGroup, own_words, refusal_in_words
from key_agent.log_lines import as_json, as_lines, in_local_time
from key_agent.origins import Origins, Standing, parse_origin
from key_agent.places import LOG_FILE, ORIGINS_FILE, home
from key_agent.uses import UseLog
from key_agent.windows import clean

if TYPE_CHECKING:
    from hsm.plugged import PluggedToken
    from key_agent.cards import HeldCertificate

_REFUSED, _UNAVAILABLE = 1, 3
_say = own_words()


def main() -> None:
    """The console script: refusals in one line, with an exit code."""
    try:
        commands(prog_name="portseal-agent")
    except Refusal as refusal:
        click.echo(f"portseal-agent: {refusal_in_words(refusal, _say.language)}", err=True)
        sys.exit(_UNAVAILABLE if refusal.status == 503 else _REFUSED)


@click.group(cls=SpokenGroup, help=_say("about"))
@click.version_option(VERSION, help=_say("version"))
def commands() -> None:
    """Every command says what it does in its user's language."""


@commands.command(cls=SpokenCommand, help=_say("run"))
@click.option("--port", type=click.IntRange(1, 65535), help=_say("run-port"))
@click.option("--module", "modules", multiple=True, metavar="PATH", help=_say("run-module"))
@click.option(
    "--windows", type=click.Choice(["auto", "pinentry", "terminal"]), help=_say("run-windows")
)
@click.option("--pinentry", metavar="PROGRAM", help=_say("run-pinentry"))
@click.option("--language", type=click.Choice(["zh", "en"]), help=_say("run-language"))
def run(**options: Any) -> None:
    from key_agent.running import choose_windows, make_agent, open_door, words_of
    from key_agent.settings import AgentSettings, read_settings

    logging.basicConfig(level=logging.WARNING, format="portseal-agent: %(message)s")
    given = {name: value for name, value in options.items() if value}
    settings = AgentSettings.model_validate({**read_settings(home()).model_dump(), **given})
    words = words_of(settings)
    say = own_words(words.language)
    agent = make_agent(settings, home(), choose_windows(settings, words), words)
    server = open_door(agent, settings.port)
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _stop)
    click.echo(say("started", version=VERSION, port=settings.port))
    for library in settings.libraries():
        click.echo(say("library", path=library))
    if not settings.libraries():
        click.echo(say("no-library"))
    try:
        server.run()
    except KeyboardInterrupt:
        server.close()


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


@commands.command(cls=SpokenCommand, help=_say("log"))
@click.option("--json", "machine", is_flag=True, help=_say("log-json"))
@click.option("--agreed", is_flag=True, help=_say("log-agreed"))
@click.option(
    "-n", "count", type=click.IntRange(1), default=50, show_default=True, help=_say("log-count")
)
def log(machine: bool, agreed: bool, count: int) -> None:
    kept = UseLog(home() / LOG_FILE, SystemClock())
    entries = list(kept.agreed() if agreed else kept.entries())[-count:]
    if not entries and not machine:
        click.echo(_say("log-empty"))
    for line in as_json(entries) if machine else as_lines(entries, _say.language):
        click.echo(line)


@commands.group("origins", cls=SpokenGroup, help=_say("origins"))
def origins_group() -> None:
    """The web sites that may use the agent."""


def _origins() -> Origins:
    return Origins(home() / ORIGINS_FILE, SystemClock())


@origins_group.command("list", cls=SpokenCommand, help=_say("origins-list"))
def list_origins() -> None:
    known = _origins().all()
    for each in known:
        seen = _say("sees", count=len(each.certificates))
        click.echo(f"{_say(each.standing)}  {in_local_time(each.since)}  {each.origin}  {seen}")
    if not known:
        click.echo(_say("origins-none"))


@origins_group.command("allow", cls=SpokenCommand, help=_say("origins-allow"))
@click.argument("origin")
def allow_origin(origin: str) -> None:
    seen = frozenset(held.identifier for _, certificates in _plugged() for held in certificates)
    _origins().set(parse_origin(origin), Standing.ALLOWED, seen)
    click.echo(_say("now-allowed", origin=origin, count=len(seen)))


@origins_group.command("refuse", cls=SpokenCommand, help=_say("origins-refuse"))
@click.argument("origin")
def refuse_origin(origin: str) -> None:
    _origins().set(parse_origin(origin), Standing.REFUSED, frozenset())
    click.echo(_say("now-refused", origin=origin))


@origins_group.command("forget", cls=SpokenCommand, help=_say("origins-forget"))
@click.argument("origin")
def forget_origin(origin: str) -> None:
    was_known = _origins().forget(origin)
    click.echo(_say("now-forgotten" if was_known else "not-known", origin=origin))


@commands.command("change-pin", cls=SpokenCommand, help=_say("change-pin"))
@click.option("--token", metavar="NAME", help=_say("change-pin-token"))
def change_pin(token: str | None) -> None:
    from key_agent.own_pin import change_own_pin
    from key_agent.running import choose_windows, words_of
    from key_agent.settings import read_settings

    settings = read_settings(home())
    words = words_of(settings)
    windows = choose_windows(settings, words)
    changed = change_own_pin(settings.libraries(), home(), windows, words, token)
    click.echo(own_words(words.language)("pin-changed", token=clean(changed)))


@commands.command(cls=SpokenCommand, help=_say("autostart"))
@click.option("--off", is_flag=True, help=_say("autostart-off"))
def autostart(off: bool) -> None:
    if off:
        click.echo(_say("starts-no-more" if switch_off() else "started-not"))
        return
    click.echo(_say("starts", path=switch_on()))


def _plugged() -> "list[tuple[PluggedToken, list[HeldCertificate]]]":
    """Every token, with the certificates on it."""
    from hsm.plugged import plugged_tokens
    from key_agent.cards import certificates_of
    from key_agent.settings import read_settings

    found = plugged_tokens(read_settings(home()).libraries())
    return [(token, certificates_of(token)) for token in found]


@commands.command(cls=SpokenCommand, help=_say("tokens"))
def tokens() -> None:
    found = _plugged()
    for token, certificates in found:
        state = "blank" if not token.initialised else "locked" if token.locked else "ready"
        made = f"{token.manufacturer} {token.model} {token.serial}"
        click.echo(f"{token.label or '-'}  {_say(state)}  {made}")
        for held in certificates:
            until = held.certificate.not_after.date().isoformat()
            subject = clean(held.certificate.subject_text())
            click.echo(f"    {_say('valid-until', subject=subject, date=until)}")
    if not found:
        click.echo(_say("tokens-none"))
