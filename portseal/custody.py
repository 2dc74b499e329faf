"""Splitting a ceremony's secrets among its custodians, and tokens whose PINs nobody alone knows."""

import os
from collections.abc import Callable
from pathlib import Path

from hsm.admin import initialise_token, is_plugged_in
from hsm.backup import Backup, back_up
from hsm.shares import new_secret, split, token_pins
from kernel.refusals import Unprocessable
from policies.ceremony_plan import CeremonyPlan, Custody
from portseal.carrying import WrappedToken
from portseal.custodians import CustodiansPin, collect, hand_out
from portseal.settings import Settings, TokenSettings
from portseal.wiring.house import House
from records.events import Event

Say = Callable[[str], None]


class CeremonyCustody:
    """The custody part of one ceremony. `say` takes lines for the transcript."""

    def __init__(self, house: House, plan: CeremonyPlan, conducted_by: str, say: Say) -> None:
        self._house = house
        self._plan = plan
        self._conducted_by = conducted_by
        self._say = say

    def prepare_tokens(self) -> None:
        """Initialise the tokens whose PINs are split, where that was not done before.

        Every custodian confirms a share before the token is initialised: one that died leaves a
        blank token and shares that open nothing.
        Raises Unprocessable `ceremony.custody`, `custody.not-confirmed`; Unavailable.
        """
        for name, configured in _tokens(self._house.settings).items():
            custody = self._plan.custody_of(f"{name}-token")
            if custody is None:
                continue
            if configured is None:
                raise Unprocessable(
                    "ceremony.custody", "the plan splits the PINs of a token that no setting names",
                    token=name,
                )  # fmt: skip
            if not is_plugged_in(configured.module, configured.label):
                self._initialise(custody, configured)

    def _initialise(self, custody: Custody, configured: TokenSettings) -> None:
        secret = self._split(custody, f"token {configured.label}")
        pin, so_pin = token_pins(secret)
        if configured.pin_file is not None:
            _write_new(configured.pin_file, pin)
        initialise_token(configured.module, configured.label, so_pin, pin)
        self._say(f"Token {configured.label} initialised; nobody alone knows its PINs.")

    def back_up_keys(self, output: Path) -> WrappedToken | None:
        """Split a new backup key and write the backup of each token, where the plan asks for it.
        That of the issuing token, for the others of its pool.

        Raises as `hsm.backup.back_up`, and Unavailable from the custodians' terminal.
        """
        custody = self._plan.custody_of("backup-key")
        if custody is None:
            return None
        backup_key = self._split(custody, "the backup key")
        wrapped = None
        for name, configured in _tokens(self._house.settings).items():
            if configured is not None:
                split_pins = self._plan.custody_of(f"{name}-token") is not None
                file, made = write_backup(
                    self._house, name, backup_key, output, self._conducted_by, split_pins
                )
                self._say(f"Backup of token {configured.label} written to {file.name}.")
                if name == "issuing":
                    wrapped = WrappedToken(file.read_bytes(), backup_key, made)
        return wrapped

    def _split(self, custody: Custody, what: str) -> bytes:
        secret = new_secret(self._house.entropy)
        made = split(secret, custody.threshold, len(custody.custodians))
        hand_out(what, made, custody.custodians)
        people = ", ".join(custody.custodians)
        self._say(
            f"Shares of {what} (set {made.set_number}) handed to {people}: any "
            f"{custody.threshold} of them restore it."
        )
        house = self._house
        with house.database.transaction() as connection:
            house.journal.append(
                connection,
                Event.CUSTODY_SPLIT,
                subject=what,
                actor=self._conducted_by,
                set=made.set_number,
                threshold=custody.threshold,
                custodians=people[:500],
            )
        return secret


def write_backup(
    house: House, name: str, backup_key: bytes, output: Path, actor: str, split_pins: bool
) -> tuple[Path, Backup]:
    """Back up the token of this name into `output`. `split_pins`: custodians hold its officer's
    PIN, and are asked for it; without it, only keys that leave under any key are written."""
    token = house.root_token if name == "root" else house.token
    assert token is not None
    so_pin = _so_pin(house, name) if split_pins else None
    document, made = back_up(token, backup_key, house.clock.now(), so_pin)
    file = output / f"backup-{name}.json"
    file.touch(mode=0o600)
    file.write_bytes(document)
    with house.database.transaction() as connection:
        house.journal.append(
            connection,
            Event.KEY_BACKED_UP,
            subject=token.label,
            actor=actor,
            keys=", ".join(made.keys)[:500],
            left_out=", ".join(made.left_out)[:500],
        )
    return file, made


def _so_pin(house: House, name: str) -> str:
    token = house.root_token if name == "root" else house.token
    assert token is not None
    pin = token.pin_source
    if isinstance(pin, CustodiansPin):
        return pin.so_pin(token.label)
    return token_pins(collect(f"token {token.label}"))[1]


def _tokens(settings: Settings) -> dict[str, TokenSettings | None]:
    return {"root": settings.root_token, "issuing": settings.token}


def _write_new(path: Path, text: str) -> None:
    """For the service alone to read; never over another."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
