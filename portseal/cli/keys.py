"""`portseal key`: backup, restore on another token, destruction."""

import hashlib
import sys
from pathlib import Path

import click

from ca.shared_factors import find_shared
from hsm.backup import restore as restore_backup
from hsm.token import Token
from kernel.refusals import Conflict, Malformed, Unavailable
from portseal.cli.acting import Acting, officer_options
from portseal.cli.exit_codes import ExitCode
from portseal.cli.options import card_options, pin_source
from portseal.cli.output import json_option, show
from portseal.custodians import collect
from portseal.custody import write_backup
from portseal.wiring import House
from ra_portal.console.act import Act
from records import removals
from records.events import Event

_LARGEST = 16 << 20
_ON = click.option(
    "--on",
    "name",
    type=click.Choice(["root", "issuing"]),
    default="issuing",
    show_default=True,
    help="Which of the authority's tokens.",
)


def _actor(house: House, acting: Acting, what: str, on: str, **told: str) -> str:
    facts = {name.replace("_", "-"): value for name, value in told.items() if value}
    return acting.authorise(house, Act(what, "key.manage", on, facts)).actor


def _token(house: House, name: str) -> Token:
    token = house.token if name == "issuing" else house.root_token
    if token is None:
        raise Unavailable("token.missing", "plug in the root's token")
    return token


@click.group("key")
def key() -> None:
    """The authority's keys: backup, restore drill, destruction (docs/ceremony.md)."""


@key.command("list")
@_ON
@json_option
def list_keys(name: str, as_json: bool) -> None:
    """Each key of a token, and whether it may leave."""
    with House.opened(with_root=name == "root") as house:
        token = _token(house, name)
        told = {}
        for label in token.key_labels():
            suite = token.key(label).public_key.default_suite().name
            told[label] = f"{suite}, leaves: {token.export_of(label)}"
        for label in token.secret_labels():
            use = token.secret_key(label).use
            told[label] = f"secret key, to {use}, leaves: {token.export_of(label, secret=True)}"
    show(told, as_json)


@key.command("backup")
@_ON
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("."),
    help="Directory for the backup.",
)  # fmt: skip
@click.option(
    "--officer/--no-officer", default=True, show_default=True,
    help="Ask the token's custodians for the security officer's PIN.",
)  # fmt: skip
@officer_options
@json_option
def backup(name: str, output: Path, officer: bool, acting: Acting, as_json: bool) -> None:
    """Wrap every key that may leave under the backup key, which its custodians enter."""
    with House.opened(with_root=name == "root") as house:
        actor = _actor(house, acting, "key.backup", f"token {name}")
        _token(house, name).login()
        backup_key = collect("the backup key")
        file, _ = write_backup(house, name, backup_key, output, actor, officer)
    show({"backup": str(file)}, as_json)


@key.command("restore")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@card_options
@officer_options
@json_option
def restore(
    file: Path,
    module: str,
    label: str,
    pin_env: str | None,
    pin_fd: int | None,
    acting: Acting,
    as_json: bool,
) -> None:
    """Put the keys of a backup into another token, which then signs as the first one does.

    Each restored key signs a message that its public key verifies. Can be repeated.
    """
    if file.stat().st_size > _LARGEST:
        raise Malformed("backup.malformed", "not a backup of keys")
    wrapped = file.read_bytes()
    name = hashlib.sha256(wrapped).hexdigest()
    with House.opened() as house:
        token = Token(module, label, pin_source(pin_env, pin_fd))
        found = token.info()  # two tokens may bear one label: the officers sign for this one
        actor = _actor(
            house, acting, "key.restore", f"token {label}", backup_sha256=name,
            token_serial=found.serial, token_make=f"{found.manufacturer} {found.model}",
        )  # fmt: skip
        token.login()
        done = restore_backup(token, wrapped, collect("the backup key"))
        with house.database.transaction() as connection:
            house.journal.append(
                connection, Event.KEY_RESTORED, subject=label, actor=actor, source=done.token,
                keys=", ".join(done.keys)[:500],
            )  # fmt: skip
    show({"restored": ", ".join(done.keys), "there already": ", ".join(done.left_out)}, as_json)


@key.command("destroy")
@click.argument("label")
@_ON
@click.option("--reason", required=True, help="Why, for the journal.")
@click.option("--confirm", prompt="Type the key's label again", help="The key's label again.")
@officer_options
@json_option
def destroy(
    label: str, name: str, reason: str, confirm: str, acting: Acting, as_json: bool
) -> None:
    """Destroy a key for good. One that the services need is refused.

    Copies in backups end when every backup's file is destroyed; the journal records this token's.
    """
    if confirm != label:
        raise Conflict("key.not-confirmed", "the label was not repeated; nothing was destroyed")
    with House.opened(with_root=name == "root") as house:
        token = _token(house, name)
        fingerprint = token.key(label).public_key.fingerprint
        if fingerprint in house.keys_in_use:
            raise Conflict("key.in-use", "the services sign with this key", key=label)
        actor = _actor(
            house, acting, "key.destroy", label, token=token.label, reason=reason, key=fingerprint
        )
        with removals.required(house.database):
            token.destroy(label)
        with house.database.transaction() as connection:
            house.journal.append(
                connection, Event.KEY_DESTROYED, subject=label, actor=actor, key=fingerprint,
                token=token.label, reason=reason[:500],
            )  # fmt: skip
    show({"destroyed": label, "key": fingerprint}, as_json)


@key.command("shared-factors")
@json_option
def shared_factors(as_json: bool) -> None:
    """Look for RSA keys of the register that share a prime with another (exit code 5).

    Such keys are broken: revoke each certificate for keyCompromise, and have new keys made.
    """
    with House.opened() as house:
        found = find_shared(house.database)
    told = {"rsa_keys": found.compared, "broken": ", ".join(found.serials) or "none"}
    show(told, as_json)
    if found.serials:
        sys.exit(ExitCode.NOT_PASSED)
