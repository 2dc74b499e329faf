"""Options that several commands share: which token, and where its PIN comes from."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from hsm.admin import token_labels
from hsm.libraries import installed_libraries, known_libraries
from hsm.pins import DescriptorPin, EnvironmentPin, PinSource, PromptPin
from signing_service.validation.evidence import SignatureLevel

LEVELS = {
    str(level): level
    for level in (
        SignatureLevel.B_B,
        SignatureLevel.B_T,
        SignatureLevel.B_LT,
        SignatureLevel.B_LTA,
    )
}
CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def default_module() -> str:
    """`PORTSEAL_CARD_MODULE`, or the first known module on this machine."""
    named = os.environ.get("PORTSEAL_CARD_MODULE")
    return named or next(iter((*installed_libraries(), *known_libraries())))


def card_options(command: CommandT) -> CommandT:
    """`--module`, `--token`, and the PIN options."""
    for option in (
        click.option(
            "--pin-fd", type=click.IntRange(min=0), help="Read the PIN from this descriptor."
        ),
        click.option("--pin-env", metavar="NAME", help="Read the PIN from this variable."),
        click.option(
            "--token",
            "label",
            default=None,
            callback=_only_token,
            help="Label of the USB key; not needed when only one is plugged in.",
        ),
        click.option(
            "--module",
            default=default_module,
            show_default="PORTSEAL_CARD_MODULE, or a known one",
            is_eager=True,
            help="PKCS#11 library of the USB key.",
        ),
    ):
        command = option(command)
    return command


def _only_token(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    if value is not None or context.resilient_parsing:
        return value
    labels = sorted(token_labels(context.params["module"]))
    if len(labels) == 1:
        return labels[0]
    found = ", ".join(labels) or "none"
    raise click.BadParameter(f"name one USB key; plugged in: {found}", context, parameter)


def url_option(command: CommandT) -> CommandT:
    """`--url`: the service's origin."""
    return click.option(
        "--url",
        "--origin",
        "url",
        envvar="PORTSEAL_URL",
        default="http://127.0.0.1:8080",
        show_default=True,
        help="Origin of the PortSeal service (or PORTSEAL_URL).",
    )(command)


def pin_source(
    pin_env: str | None, pin_fd: int | None, question: str = "PIN of {token}: "
) -> PinSource:
    """A PIN never stands among the arguments: prompt, descriptor or variable."""
    if pin_env is not None and pin_fd is not None:
        raise click.UsageError("--pin-env or --pin-fd, not both")
    if pin_env is not None:
        return EnvironmentPin(pin_env)
    return PromptPin(question) if pin_fd is None else DescriptorPin(pin_fd)
