"""What the steps of the demonstration share, and how they tell what they did."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from kernel.refusals import Refusal, Unprocessable
from portseal.demo.site import Site
from portseal.demo.usb_keys import UsbKeys
from portseal.holder.card import Card
from portseal.holder.service import Service


@dataclass
class Stage:
    """One run. Steps leave here what later steps need."""

    site: Site
    output: Path
    usb_keys: UsbKeys
    cards: dict[str, Card] = field(default_factory=dict)
    """USB keys by label."""
    numbers: dict[str, str] = field(default_factory=dict)
    """Card numbers by label."""
    sessions: dict[str, Service] = field(default_factory=dict)
    """Signed-in conversations with the service, by label."""
    facts: dict[str, Any] = field(default_factory=dict)

    def file(self, name: str) -> Path:
        return self.output / name

    def keep(self, name: str, data: bytes | str) -> Path:
        """Write one of the results."""
        path = self.file(name)
        if isinstance(data, str):
            path.write_text(data, encoding="utf-8")
        else:
            path.write_bytes(data)
        return path

    def anonymous(self) -> Service:
        return Service(self.site.origin)

    def signed_in(self, label: str) -> Service:
        """A conversation signed in with this USB key; the PIN is used once for it."""
        if label not in self.sessions:
            service = self.anonymous()
            service.sign_in(self.cards[label])
            self.sessions[label] = service
        return self.sessions[label]


Step = Callable[[Stage], str]
"""Does one thing and says in a sentence what was done; raises when it did not come out so."""


def expect(condition: bool, what: str) -> None:
    """Raises Unprocessable `demo.unexpected`: the demonstration does not show what it should."""
    if not condition:
        raise Unprocessable("demo.unexpected", what)


def expect_refusal(code: str, act: Callable[[], object]) -> str:
    """`act` must be refused with this code; returns the refusal's words."""
    try:
        act()
    except Refusal as refusal:
        expect(refusal.code == code, f"refused with {refusal.code}, not {code}: {refusal.detail}")
        return refusal.detail
    raise Unprocessable("demo.unexpected", f"not refused, though {code} was due")


def perform(number: int, title: str, step: Step, stage: Stage) -> None:
    """Run one step and print its line."""
    started = time.monotonic()
    try:
        said = step(stage)
    except Exception:
        click.echo(f"{number:3}  {click.style('FAILED', fg='red')}  {title}")
        raise
    took = time.monotonic() - started
    click.echo(f"{number:3}  {click.style('passed', fg='green')}  {title} ({took:.1f} s)")
    for line in said.splitlines():
        click.echo(f"             {line}")
