"""The demonstration's USB keys: one token each, with a random PIN of its own."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from hsm.admin import initialise_token
from hsm.pins import EnvironmentPin
from portseal.holder.card import Card


@dataclass(frozen=True)
class UsbKey:
    """A synthetic holder's USB key and its PIN, which the demonstration may show."""

    label: str
    pin: str


class UsbKeys:
    """Makes USB keys and plugs them in; PINs are kept in one file that only the owner reads."""

    def __init__(self, module: str, pins_file: Path) -> None:
        self._module = module
        self._file = pins_file
        self.keys: dict[str, UsbKey] = {}
        if pins_file.exists():
            held = json.loads(pins_file.read_text())
            self.keys = {label: UsbKey(label, pin) for label, pin in held.items()}

    def make(self, label: str) -> Card:
        """Initialise a blank token under `label` and plug it in."""
        key = UsbKey(label, f"{secrets.randbelow(10**8):08d}x")
        initialise_token(self._module, label, so_pin=secrets.token_hex(16), pin=key.pin)
        self.keys[label] = key
        self._file.touch(mode=0o600)
        self._file.write_text(json.dumps({key.label: key.pin for key in self.keys.values()}))
        return self.plug(label)

    def plug(self, label: str) -> Card:
        """The card of this label, its PIN at hand."""
        variable = "PORTSEAL_DEMO_PIN_" + "".join(c if c.isalnum() else "_" for c in label).upper()
        os.environ[variable] = self.keys[label].pin
        return Card(self._module, label, EnvironmentPin(variable))
