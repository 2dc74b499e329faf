"""`portseal card`: what a holder does with a USB key."""

import json
import secrets

import click

from hsm.admin import change_pin, initialise_token
from kernel.refusals import Unprocessable
from portseal.cli import card_encryption, card_life
from portseal.cli.card_batch import sign_batch
from portseal.cli.card_bundle import sign_bundle
from portseal.cli.card_encryption import encryption_key_beside
from portseal.cli.card_sign import sign
from portseal.cli.options import card_options, pin_source, url_option
from portseal.cli.output import json_option, show
from portseal.holder.card import Card
from portseal.holder.service import Service
from signing_service.sso.confirmation import Confirmation


@click.group()
def card() -> None:
    """What a holder does with a USB key."""


for _command in (*card_life.COMMANDS, *card_encryption.COMMANDS, sign, sign_batch, sign_bundle):
    if _command.name in card.commands:
        raise ImportError(f"two commands are named {_command.name}")
    card.add_command(_command)


@card.command("init")
@card_options
@click.option("--so-pin-env", metavar="NAME", help="Security officer's PIN; default: random.")
def init(
    module: str, label: str, pin_env: str | None, pin_fd: int | None, so_pin_env: str | None
) -> None:
    """Initialise a blank USB key and set its PIN.

    There is no default PIN. Without --so-pin-env the security officer's PIN is random and
    forgotten: a lost PIN then means a new card.
    """
    pin = pin_source(pin_env, pin_fd, "New PIN for {token}: ").pin(label)
    if pin_env is None and pin_fd is None:
        again = pin_source(None, None, "The same PIN again: ").pin(label)
        if not secrets.compare_digest(pin.encode(), again.encode()):
            raise Unprocessable("pin.differs", "the two PINs differ")
    officer = secrets.token_hex(16)
    if so_pin_env is not None:
        officer = pin_source(so_pin_env, None).pin(label)
    initialise_token(module, label, officer, pin)
    click.echo(f"USB key {label} is ready; enrol it with: portseal card enrol --token {label}")


@card.command("change-pin")
@card_options
@click.option("--new-pin-env", metavar="NAME", help="Read the new PIN from this variable.")
def change(
    module: str, label: str, pin_env: str | None, pin_fd: int | None, new_pin_env: str | None
) -> None:
    """Change the PIN of a USB key; the new one is asked for twice."""
    old = pin_source(pin_env, pin_fd, "Old PIN of {token}: ").pin(label)
    new = pin_source(new_pin_env, None, "New PIN for {token}: ").pin(label)
    if new_pin_env is None:
        again = pin_source(None, None, "The same PIN again: ").pin(label)
        if not secrets.compare_digest(new.encode(), again.encode()):
            raise Unprocessable("pin.differs", "the two PINs differ")
    change_pin(module, label, old, new)
    click.echo(f"the PIN of USB key {label} is changed")


@card.command("enrol")
@card_options
@url_option
@click.option("--code-env", metavar="NAME", help="Variable that holds the activation code.")
@json_option
def enrol(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    code_env: str | None,
    as_json: bool,
) -> None:
    """Make the signing key on the USB key, fetch its certificate, and then the encryption key
    with its own (an officer's card has none).

    Asks for the activation code that the portal showed.
    """
    code = pin_source(code_env, None, "Activation code for {token}: ").pin(label)
    holder = Card(module, label, pin_source(pin_env, pin_fd))
    service = Service(url)
    shown = service.enrol(holder, code)["card"]
    show({**shown, **encryption_key_beside(service, holder, shown)}, as_json)


@card.command("fetch")
@card_options
@url_option
@json_option
def fetch(
    module: str, label: str, pin_env: str | None, pin_fd: int | None, url: str, as_json: bool
) -> None:
    """Fetch the newest certificate of the key on the USB key.

    After a roll-over the authority certifies every card's key anew; the key and the PIN stay.
    """
    holder = Card(module, label, pin_source(pin_env, pin_fd))
    Service(url).fetch_certificate(holder)
    show(_shown(holder), as_json)


@card.command("show")
@card_options
@json_option
def show_card(
    module: str, label: str, pin_env: str | None, pin_fd: int | None, as_json: bool
) -> None:
    """Show the certificate on a USB key."""
    show(_shown(Card(module, label, pin_source(pin_env, pin_fd))), as_json)


def _shown(holder: Card) -> dict[str, str]:
    certificate = holder.certificate
    return {
        "token": holder.label,
        "subject": certificate.subject_text(),
        "serial": f"{certificate.serial:X}",
        "valid_from": certificate.not_before.isoformat(),
        "valid_until": certificate.not_after.isoformat(),
        "fingerprint": certificate.fingerprint,
    }


def _tell(confirmed: Confirmation) -> None:
    """Before the PIN is asked for: what it is for."""
    lines = (confirmed.platform, *confirmed.acts)
    if not all(line.isprintable() for line in lines):
        raise click.UsageError("--confirm-for and --act are printable texts of one line")
    click.echo(f"{confirmed.platform} asks you to confirm with your card:", err=True)
    for act in confirmed.acts:
        click.echo(f"  {act}", err=True)


@card.command("login")
@card_options
@url_option
@click.option("--nonce", help="Challenge shown by the sign-in page: print the answer to paste.")
@click.option("--confirm-for", help="Platform that asks for --act.")
@click.option("--act", "acts", multiple=True, help="What the card confirms; may stand repeatedly.")
@json_option
def login(
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    url: str,
    nonce: str | None,
    confirm_for: str | None,
    acts: tuple[str, ...],
    as_json: bool,
) -> None:
    """Sign in, or answer the challenge of a sign-in page.

    With --nonce the answer is printed for pasting into the page. It holds for --url alone:
    make sure that the browser's address bar shows the same origin. With --act the card also
    signs what is confirmed, which is shown before the PIN is asked for.
    """
    if bool(acts) != (confirm_for is not None) or (acts and nonce is None):
        raise click.UsageError("--confirm-for, --act and --nonce stand together")
    holder = Card(module, label, pin_source(pin_env, pin_fd))
    service = Service(url)
    if nonce is not None:
        confirmed = None
        if confirm_for is not None:
            confirmed = Confirmation(confirm_for, acts)
            _tell(confirmed)
        click.echo(json.dumps(holder.answer(service.origin, nonce, confirmed)))
        return
    show(service.sign_in(holder), as_json)
