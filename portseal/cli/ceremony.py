"""`portseal init` and `portseal ceremony`: keys are made, and the root's key is used."""

import getpass
from pathlib import Path

import click

from ca.ceremony import Conduct, Watchers
from kernel.refusals import Unprocessable
from policies.ceremony_plan import CeremonyPlan, load_ceremony_plan
from policies.data_file import InvalidPolicyFile
from portseal.cli.ceremony_output import CeremonyDirectory
from portseal.cli.output import json_option, show
from portseal.settings import read_settings
from portseal.wiring.ceremony import (
    conduct_ceremony,
    sign_with_new_keys,
    stamp_with_new_keys,
)
from portseal.wiring.house import House

_OUTPUT = click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("."),
    help="Directory for the certificates and the signed transcript.",
)


@click.command("init")
@click.option("--organization", default="PortSeal", show_default=True, help="O of every CA name.")
@_OUTPUT
@json_option
def init(organization: str, output: Path, as_json: bool) -> None:
    """Hold the first key ceremony as our own plan says: every key, and its certificate.

    The token must exist and be empty. Nothing is overwritten: a second ceremony is refused. One
    that was interrupted goes on: what it had made is kept.
    """
    _hold(load_ceremony_plan("house"), organization, output, as_json)


@click.group("ceremony")
def ceremony() -> None:
    """Key ceremonies after a plan, and sessions of the root (docs/ceremony.md)."""


@ceremony.command("run")
@click.argument("plan")
@click.option("--organization", help="O of every CA name, where the plan does not say it.")
@_OUTPUT
@json_option
def run(plan: str, organization: str | None, output: Path, as_json: bool) -> None:
    """Hold the ceremony of PLAN, a TOML file or the name of one of ours, or the rest of one."""
    _hold(_plan(plan), organization, output, as_json)


def _plan(name: str) -> CeremonyPlan:
    try:
        return load_ceremony_plan(name)
    except InvalidPolicyFile as error:
        raise Unprocessable("ceremony.plan", str(error)) from error


def _hold(plan: CeremonyPlan, organization: str | None, output: Path, as_json: bool) -> None:
    settings = read_settings()
    conduct = Conduct(
        plan.organization or organization or "PortSeal", f"console:{getpass.getuser()}"
    )
    directory = CeremonyDirectory(output, plan)

    def progress(line: str) -> None:
        directory.write_line(line)
        if not as_json:
            click.echo(f"  {line}")

    def conclude(house: House) -> None:
        directory.seal_transcript(
            lambda content: sign_with_new_keys(house, content),
            lambda content: stamp_with_new_keys(house, content),
        )

    watchers = Watchers(progress, directory.write_certificate)
    try:
        outcome = conduct_ceremony(settings, plan, conduct, watchers, conclude)
    finally:
        directory.close()
    certificates = outcome.certificates
    show({name: each.subject_text() for name, each in certificates.items()}, as_json)
