"""`portseal serve --demo`: an authority with people in it, kept between runs."""

import shlex
import signal
import sys
import threading
from pathlib import Path

import click

from portseal.cli.options import default_module
from portseal.demo.agent_wheel import offer_agent
from portseal.demo.authority_steps import hold_ceremony
from portseal.demo.ground import renew
from portseal.demo.people_steps import (
    add_operator,
    appoint_officers,
    make_legal_person_card,
    register_enterprise,
)
from portseal.demo.signin_steps import start_platforms
from portseal.demo.signing_steps import import_declaration
from portseal.demo.site import Site
from portseal.demo.stage import Stage
from portseal.demo.usb_keys import UsbKeys
from signing_service.validation.evidence import SignatureFormat

_PREPARATION = (
    hold_ceremony, appoint_officers, register_enterprise, make_legal_person_card, add_operator,
)  # fmt: skip
_NONCE = "NONCE"


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
        offer_agent(site.directory / "agent-wheel")
        stage = Stage(site, output, UsbKeys(site.use_usb_keys(), site.directory / "usb-pins.json"))
        if first:
            for step in _PREPARATION:
                step(stage)
            _leave_signed(stage)
            site.mark_prepared()
        else:
            site.start_directory()
            site.start_services()
        platforms = start_platforms(stage)
        _tell(stage, platforms)
        stop.wait()
    finally:
        site.stop()


def _leave_signed(stage: Stage) -> None:
    """A declaration signed by this authority's operator in two formats, to verify here."""
    service, card = stage.signed_in("operator"), stage.cards["operator"]
    document = import_declaration()
    stage.keep("declaration.xml", document)
    for format_, name in (
        (SignatureFormat.CADES, "declaration.p7s"),
        (SignatureFormat.XADES, "declaration.xades.xml"),
    ):
        stage.keep(name, service.sign(card, document, format_).signature)


def _verify_lines(stage: Stage) -> list[str]:
    """Commands that ask for a report on what `_leave_signed` left."""
    url = f"{stage.site.origin}/api/v1/verifications"
    document, signature, enveloped = (
        f"@{stage.file(name)}"
        for name in ("declaration.xml", "declaration.p7s", "declaration.xades.xml")
    )
    detached = ["-F", f"document={document}", "-F", f"signature={signature}"]
    return [
        shlex.join(["curl", *detached, url]),
        shlex.join(["curl", "-F", f"document={enveloped}", url]),
    ]


def _login_line(stage: Stage, label: str) -> str:
    """What answers the sign-in page's challenge with this USB key, from any directory."""
    keys = stage.site.directory / "usb-keys" / "softhsm2.conf"
    installed = Path(sys.executable).with_name("portseal")
    program = [str(installed)] if installed.exists() else [sys.executable, "-m", "portseal.cli"]
    command = [*program, "card", "login", "--token", label, "--origin", stage.site.origin]
    return shlex.join(["env", f"SOFTHSM2_CONF={keys}", *command, "--nonce", _NONCE])


def _agent_line(stage: Stage) -> str:
    """What starts the key agent on these USB keys, in another terminal."""
    keys = stage.site.directory / "usb-keys" / "softhsm2.conf"
    home = stage.site.directory / "key-agent"
    command = [sys.executable, "-m", "key_agent", "run", "--module", default_module()]
    return shlex.join(["env", f"SOFTHSM2_CONF={keys}", f"PORTSEAL_AGENT_HOME={home}", *command])


def _tell(stage: Stage, platforms: list[str]) -> None:
    site = stage.site
    lines = [
        f"Portal         {site.origin}/          (?lang=en for English)",
        f"Verify         {site.origin}/verify    (anybody may)",
        f"API            {site.origin}/openapi.yaml",
        f"OpenID         {site.origin}/.well-known/openid-configuration",
        f"Key agent      {site.origin}/agent     (its page installs it with one command)",
        f"Status         {site.origin}/ocsp  {site.origin}/crl/issuing.crl  {site.origin}/tsa",
        *(f"Platform {number}     {address}/" for number, address in enumerate(platforms, 1)),
        "",
        "To sign in and sign with the key agent: run this in another terminal, and use the pages.",
        f"    {_agent_line(stage)}",
        "",
        "To sign in without it: open the sign-in page, run one of these lines in another",
        f"terminal with the page's nonce in place of {_NONCE}; paste what it prints into the page.",
        *(
            line
            for key in stage.usb_keys.keys.values()
            for line in (f"  {key.label}, PIN {key.pin}:", f"    {_login_line(stage, key.label)}")
        ),
        "",
        "To verify what its operator signed:",
        *(f"    {line}" for line in _verify_lines(stage)),
        "",
        "Ctrl-C stops everything; the data stay below " + str(site.directory) + ".",
    ]
    click.echo("\n".join(lines))
