"""`portseal init`, `status`, `officer`: what is done at the authority's console."""

import getpass
import os
import sys
from pathlib import Path
from typing import TextIO

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ca.ceremony import CeremonyPlan
from kernel.asn1.certificate import Certificate
from kernel.refusals import Unavailable
from portseal.cli.exit_codes import ExitCode
from portseal.cli.output import json_option, show
from portseal.settings import read_settings
from portseal.status import BROKEN, NOT_IN_ORDER, status_of
from portseal.wiring import House, conduct_ceremony
from ra_portal.identity import Identity, Role, console

_RESULTS = ("root.pem", "issuing.pem", "transcript.txt")


def _operator() -> Identity:
    return console(getpass.getuser())


@click.command("init")
@click.option("--organization", default="PortSeal", show_default=True, help="O of every CA name.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("."),
    help="Directory for root.pem, issuing.pem and transcript.txt.",
)
@json_option
def init(organization: str, output: Path, as_json: bool) -> None:
    """Hold the key ceremony: make every key in the token and issue its certificate.

    The token must exist and be empty. Nothing is overwritten: a second ceremony is refused. One
    that was interrupted goes on: what it had made is kept.
    """
    settings = read_settings()
    plan = CeremonyPlan(organization=organization, conducted_by=f"console:{getpass.getuser()}")
    transcript = _opened_transcript(output)

    def progress(line: str) -> None:
        transcript.write(line + "\n")
        transcript.flush()
        os.fsync(transcript.fileno())
        if not as_json:
            click.echo(f"  {line}")

    def certified(label: str, certificate: Certificate) -> None:
        if label in ("root", "issuing"):
            (output / f"{label}.pem").write_bytes(_pem(certificate))

    try:
        with transcript:
            outcome = conduct_ceremony(settings, plan, progress, certified)
    finally:
        for name in _RESULTS:
            if not (output / name).stat().st_size:
                (output / name).unlink()
    certificates = outcome.certificates
    show({name: each.subject_text() for name, each in certificates.items()}, as_json)


def _opened_transcript(directory: Path) -> TextIO:
    """Open before any key is made; an interrupted ceremony's transcript is continued."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in _RESULTS:
            (directory / name).open("ab").close()
        return (directory / "transcript.txt").open("a", encoding="utf-8")
    except OSError as error:
        raise Unavailable(
            "output.unwritable", "nothing was made: --output cannot be written", path=str(directory)
        ) from error


@click.command("status")
@json_option
def status(as_json: bool) -> None:
    """Tell whether everything is in order: database, token, keys, certificates, journal, worker.

    Exit code 5 when the journal is not intact, 3 when another part is not in order.
    """
    with House.opened() as house:
        told = status_of(house)
    show(told, as_json)
    if any(words.startswith(BROKEN) for words in told.values()):
        sys.exit(ExitCode.NOT_PASSED)
    if any(words.startswith(NOT_IN_ORDER) for words in told.values()):
        sys.exit(ExitCode.UNAVAILABLE)


@click.group("officer")
def officer() -> None:
    """The authority's officers."""


@officer.command("add")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=click.Choice([str(role) for role in Role]),
)
@click.option(
    "--emergency",
    default="",
    help="Why the console appoints though an officer with a card could; the journal tells it.",
)
@json_option
def add_officer(name: str, roles: tuple[str, ...], emergency: str, as_json: bool) -> None:
    """Add the first officers; prints the activation code for the officer's own USB key, once.

    Once an officer who may appoint others holds a card, that is done in the portal.
    """
    with House.opened() as house:
        added = house.portal.officers.add(_operator(), name, roles, emergency)
        show(
            {
                "officer": added.officer.id,
                "card": added.card.number,
                "activation_code": added.activation_code,
            },
            as_json,
        )


def _pem(certificate: Certificate) -> bytes:
    return x509.load_der_x509_certificate(certificate.der).public_bytes(Encoding.PEM)
