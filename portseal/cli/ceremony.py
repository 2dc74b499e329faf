"""`portseal init` and `portseal ceremony`: keys are made, and the root's key is used."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from ca.ceremonies.conduct import Conduct, Watchers
from kernel.refusals import Unprocessable
from policies.ceremony_plan import CeremonyPlan, load_ceremony_plan
from policies.data_file import InvalidPolicyFile
from portseal.carrying import carry, replicas_of, wrap_for_replicas
from portseal.cli.acting import Acting, account, officer_options
from portseal.cli.ceremony_output import CeremonyDirectory
from portseal.cli.output import json_option, show
from portseal.custody import CeremonyCustody
from portseal.rehearsal import rehearsal
from portseal.root_session import hold_root_session, require_root
from portseal.settings import Settings, read_settings
from portseal.wiring.ceremony import (
    conduct_ceremony,
    sign_with_new_keys,
    stamp_with_new_keys,
)
from portseal.wiring.house import House
from ra_portal.console.act import Act

_OUTPUT = click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("."),
    help="Directory for the certificates and the signed transcript.",
)


@click.command("init")
@click.option("--organization", default="PortSeal", show_default=True, help="O of every CA name.")
@_OUTPUT
@officer_options
@json_option
def init(organization: str, output: Path, acting: Acting, as_json: bool) -> None:
    """Hold the first key ceremony as our own plan says: every key, and its certificate.

    The token must exist and be empty. Nothing is overwritten: a second ceremony is refused. One
    that was interrupted goes on: what it had made is kept.
    """
    plan, settings = load_ceremony_plan("house"), read_settings()
    conductor = _conductor(plan, settings, organization, acting)
    hold(plan, settings, organization, output, as_json, conductor)


@click.group("ceremony")
def ceremony() -> None:
    """Key ceremonies after a plan, and sessions of the root (docs/ceremony.md)."""


@ceremony.command("run")
@click.argument("plan")
@click.option("--organization", help="O of every CA name, where the plan does not say it.")
@click.option("--rehearse", is_flag=True, help="On throwaway SoftHSM2 tokens and records.")
@_OUTPUT
@officer_options
@json_option
def run(
    plan: str,
    organization: str | None,
    rehearse: bool,
    output: Path,
    acting: Acting,
    as_json: bool,
) -> None:
    """Hold the ceremony of PLAN, a TOML file or the name of one of ours, or the rest of one.

    A rehearsal goes through every step, the custodians' too, on tokens and records that are
    thrown away; it needs no settings and leaves its results in --output. A plan that extends an
    authority is rehearsed after the first ceremony of our own plan.
    """
    chosen = _plan(plan)
    if not rehearse:
        settings = read_settings()
        conductor = _conductor(chosen, settings, organization, acting)
        hold(chosen, settings, organization, output, as_json, conductor)
        return
    who = f"console:{account()}"
    with rehearsal(chosen) as settings:
        if chosen.extends:
            house = load_ceremony_plan("house")
            with tempfile.TemporaryDirectory() as before:
                hold(house, settings, organization, Path(before), True, who)
        hold(chosen, settings, organization, output, as_json, who)


@ceremony.command("root-session")
@officer_options
@json_option
def root_session(acting: Acting, as_json: bool) -> None:
    """Use the root's key, whose token is plugged in for this: new revocation lists, and new keys
    and certificates of its OCSP responders where the old ones run out."""
    with House.opened(with_root=True) as house:
        require_root(house)
        act = Act("root.session", "root.session", "the root")
        done = hold_root_session(house, acting.authorise(house, act).actor)
    show(done, as_json)


def _plan(name: str) -> CeremonyPlan:
    try:
        return load_ceremony_plan(name)
    except InvalidPolicyFile as error:
        raise Unprocessable("ceremony.plan", str(error)) from error


def _conductor(
    plan: CeremonyPlan, settings: Settings, organization: str | None, acting: Acting
) -> str:
    """Who holds the ceremony. Before the first officer has a card, the console does."""
    whole = hashlib.sha256(plan.model_dump_json().encode()).hexdigest()
    told = {"plan-sha256": whole} | ({"organization": organization} if organization else {})
    house = House(settings)
    try:
        house.database.upgrade()  # a first ceremony finds none
        act = Act("ceremony.hold", "ceremony.hold", f"{plan.name} {plan.version}", told)
        return acting.authorise(house, act).actor
    finally:
        house.close()


def hold(
    plan: CeremonyPlan,
    settings: Settings,
    organization: str | None,
    output: Path,
    as_json: bool,
    conductor: str,
) -> None:
    """The ceremony, or the rest of one, with its custodians and its results in `output`.

    Raises as `conduct_ceremony`, and what custodians and tokens refuse.
    """
    conduct = Conduct(plan.organization or organization or "PortSeal", conductor)
    directory = CeremonyDirectory(output, plan)

    def progress(line: str) -> None:
        directory.write_line(line)
        if not as_json:
            click.echo(f"  {line}")

    def say_for(house: House) -> Callable[[str], None]:
        return lambda text: progress(f"{house.clock.now():%Y-%m-%dT%H:%M:%SZ}  {text}")

    def custody(house: House) -> CeremonyCustody:
        return CeremonyCustody(house, plan, conductor, say_for(house))

    def prepare(house: House) -> None:
        with replicas_of(house):
            pass  # one that is not there is told before anything is made
        custody(house).prepare_tokens()

    def secure(house: House) -> None:
        wrapped = custody(house).back_up_keys(output)
        with replicas_of(house) as replicas:
            if replicas:
                wrapped = wrapped or wrap_for_replicas(house)
                carry(house, wrapped, replicas, conductor, say_for(house))

    def conclude(house: House) -> None:
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
            prepare,
            secure,
        )
    finally:
        directory.close()
    certificates = outcome.certificates
    show({name: each.subject_text() for name, each in certificates.items()}, as_json)
