"""`portseal init` and `portseal ceremony`: keys are made, and the root's key is used."""

import getpass
import tempfile
from pathlib import Path

import click

from ca.ceremonies.conduct import Conduct, Watchers
from kernel.refusals import Unprocessable
from policies.ceremony_plan import CeremonyPlan, load_ceremony_plan
from policies.data_file import InvalidPolicyFile
from portseal.cli.ceremony_output import CeremonyDirectory
from portseal.cli.output import json_option, show
from portseal.custody import CeremonyCustody
from portseal.rehearsal import rehearsal
from portseal.root_session import hold_root_session
from portseal.settings import Settings, read_settings
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
    _hold(load_ceremony_plan("house"), read_settings(), organization, output, as_json)


@click.group("ceremony")
def ceremony() -> None:
    """Key ceremonies after a plan, and sessions of the root (docs/ceremony.md)."""


@ceremony.command("run")
@click.argument("plan")
@click.option("--organization", help="O of every CA name, where the plan does not say it.")
@click.option("--rehearse", is_flag=True, help="On throwaway SoftHSM2 tokens and records.")
@_OUTPUT
@json_option
def run(plan: str, organization: str | None, rehearse: bool, output: Path, as_json: bool) -> None:
    """Hold the ceremony of PLAN, a TOML file or the name of one of ours, or the rest of one.

    A rehearsal goes through every step, the custodians' too, on tokens and records that are
    thrown away; it needs no settings and leaves its results in --output. A plan that extends an
    authority is rehearsed after the first ceremony of our own plan.
    """
    chosen = _plan(plan)
    if not rehearse:
        _hold(chosen, read_settings(), organization, output, as_json)
        return
    with rehearsal(chosen) as settings:
        if chosen.extends:
            with tempfile.TemporaryDirectory() as before:
                _hold(load_ceremony_plan("house"), settings, organization, Path(before), True)
        _hold(chosen, settings, organization, output, as_json)


@ceremony.command("root-session")
@json_option
def root_session(as_json: bool) -> None:
    """Use the root's key, whose token is plugged in for this: new revocation lists, and new keys
    and certificates of its OCSP responders where the old ones run out."""
    with House.opened(with_root=True) as house:
        done = hold_root_session(house, f"console:{getpass.getuser()}")
    show(done, as_json)


def _plan(name: str) -> CeremonyPlan:
    try:
        return load_ceremony_plan(name)
    except InvalidPolicyFile as error:
        raise Unprocessable("ceremony.plan", str(error)) from error


def _hold(
    plan: CeremonyPlan, settings: Settings, organization: str | None, output: Path, as_json: bool
) -> None:
    conductor = f"console:{getpass.getuser()}"
    conduct = Conduct(plan.organization or organization or "PortSeal", conductor)
    directory = CeremonyDirectory(output, plan)

    def progress(line: str) -> None:
        directory.write_line(line)
        if not as_json:
            click.echo(f"  {line}")

    def custody(house: House) -> CeremonyCustody:
        def say(text: str) -> None:
            progress(f"{house.clock.now():%Y-%m-%dT%H:%M:%SZ}  {text}")

        return CeremonyCustody(house, plan, conductor, say)

    def conclude(house: House) -> None:
        custody(house).back_up_keys(output)
        directory.seal_transcript(
            lambda content: sign_with_new_keys(house, content),
            lambda content: stamp_with_new_keys(house, content),
        )

    try:
        outcome = conduct_ceremony(
            settings,
            plan,
            conduct,
            Watchers(progress, directory.write_certificate),
            conclude,
            prepare=lambda house: custody(house).prepare_tokens(),
        )
    finally:
        directory.close()
    certificates = outcome.certificates
    show({name: each.subject_text() for name, each in certificates.items()}, as_json)
