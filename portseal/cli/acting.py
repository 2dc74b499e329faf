"""Who acts at the console: options for officers' cards, the same for every administrative command.

The card signs here when it is plugged in here (`--officer`), or on the officer's own computer: the
command prints its statement and ends with exit code 6, `portseal act sign` signs it there, and the
command is given what came of it (`--signed`).
"""

import functools
import os
import pwd
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from kernel.refusals import Forbidden
from portseal.cli.options import default_module, pin_source
from portseal.holder.act import MAX_SIGNED_BYTES, from_json, sign_act
from portseal.holder.card import Card
from ra_portal.console.act import Act

if TYPE_CHECKING:  # commands of an officer's machine do without
    from portseal.wiring import House
    from ra_portal.console.console_acts import Allowed
    from ra_portal.people.identity import Identity

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def account() -> str:
    """Whose process this is, as the kernel says; a variable of the environment says nothing."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid-{os.getuid()}"


@dataclass(frozen=True)
class Acting:
    """What the options said."""

    officers: tuple[str, ...]
    """Labels of cards that are plugged in here."""
    module: str
    pin_envs: tuple[str, ...]
    signed: tuple[Path, ...]
    emergency: str

    def authorise(self, house: "House", act: Act) -> "Identity":
        """Who does the act, now that it is allowed. Prints the statement while a card is missing.

        Raises as `ConsoleActs.sign` and `take`: Forbidden `act.waits` (exit code 6).
        """
        return self.allow(house, act).by

    def allow(self, house: "House", act: Act) -> "Allowed":
        """As `authorise`, and how it came to be allowed."""
        allowed = self._allow(house, act)
        if allowed.exception is not None:
            click.echo(
                f"without an officer's card ({allowed.exception}): the journal tells it, and "
                "`portseal status` until an audit administrator acknowledges it",
                err=True,
            )
        return allowed

    def _allow(self, house: "House", act: Act) -> "Allowed":
        acts, who = house.console_acts, account()
        if not (self.officers or self.signed or self.emergency):
            stands = acts.standing(act, who)
            if stands is not None:
                return stands
        opened = acts.open(act, who)
        for path in self.signed:
            with path.open("rb") as file:
                acts.sign(opened, act, from_json(file.read(MAX_SIGNED_BYTES + 1)))
        if self.officers:
            click.echo(opened.statement, nl=False, err=True)  # what the PINs are given for
        for number, label in enumerate(self.officers):
            pin_env = self.pin_envs[number] if number < len(self.pin_envs) else None
            with closing(Card(self.module, label, pin_source(pin_env, None))) as card:
                acts.sign(opened, act, sign_act(card, opened.statement))
        try:
            return acts.take(opened, act, who, self.emergency)
        except Forbidden as refusal:
            if refusal.code == "act.waits":
                click.echo(opened.statement, nl=False)
            raise


def officer_options(command: CommandT) -> CommandT:
    """Gives the command `acting`, an `Acting`."""

    @functools.wraps(command)
    def with_acting(
        *arguments: Any,
        officers: tuple[str, ...],
        officer_module: str,
        officer_pin_envs: tuple[str, ...],
        signed: tuple[Path, ...],
        emergency: str,
        **options: Any,
    ) -> Any:
        acting = Acting(officers, officer_module, officer_pin_envs, signed, emergency)
        return command(*arguments, acting=acting, **options)

    wrapped: Any = with_acting
    for option in (
        click.option(
            "--emergency",
            default="",
            metavar="WHY",
            help="Why no officer's card can be used; told loudly until it is acknowledged.",
        ),
        click.option(
            "--signed",
            multiple=True,
            type=_FILE,
            help="What `portseal act sign` wrote on an officer's computer.",
        ),
        click.option(
            "--officer-pin-env",
            "officer_pin_envs",
            multiple=True,
            metavar="NAME",
            help="Variable with the card's PIN, in the order of --officer; else it is asked for.",
        ),
        click.option(
            "--officer-module",
            default=default_module,
            show_default="PORTSEAL_CARD_MODULE, or a known one",
            help="PKCS#11 library of officers' cards.",
        ),
        click.option(
            "--officer",
            "officers",
            multiple=True,
            metavar="LABEL",
            help="An officer's card that is plugged in here; twice for two officers.",
        ),
    ):
        wrapped = option(wrapped)
    made: CommandT = wrapped
    return made
