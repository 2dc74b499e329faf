"""Killed at any step, many times over: the restart accounts for every serial number."""

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from cryptography.x509 import ocsp
from sqlalchemy import select

from ca.crl.archive import CrlArchive
from ca.inventory import CertificateState, Inventory
from ca.issuing.steps import IssuanceStep
from ca.tables import certificates
from hsm.token import Token
from kernel.identifiers import parse_serial
from records.journal import records
from tests.ca.crl.test_crl import crl_issuer
from tests.ca.ocsp.test_ocsp import request_for, responder_of
from tests.ca.world import World, operator_request

STEPS = tuple(str(step) for step in IssuanceStep)


class Killer:
    """A worker whose children die on command."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.told: dict[str, list[str]] = {step: [] for step in STEPS}
        """Serial numbers by the step that was reached, whoever reached it."""
        self.kills = 0

    def kill(self, fatal: str, number: int) -> None:
        """Start a child and see it die: at the step `fatal`, reached for the `number`th time; or,
        for `any`, so many milliseconds after its first step."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{fatal} {number}\n")
        self._process.stdin.flush()
        last = ""
        for line in self._process.stdout:
            step, *serials = line.split()
            if step == "dead":
                self.kills += 1
                break
            assert step != "ended", line
            self.told[step] += serials
            last = step
        assert fatal in ("any", last), "it died where it should"


@contextmanager
def killer(world: World, token: Token) -> Iterator[Killer]:
    url = world.database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.ca.killed_worker", url, token.label]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Killer(process)
        assert process.stdin is not None
        process.stdin.close()


def account(world: World, told: dict[str, list[str]], kills: int) -> None:
    """What the records must say after `kills`, before and after a restart."""
    with world.database.reading() as connection:
        rows = dict(connection.execute(select(certificates.c.serial, certificates.c.state)).all())
        assert world.journal.verify(connection).intact
    intended, recorded = set(told["intended"]), set(told["recorded"])
    assert intended <= set(rows), "no intent that was recorded is lost"
    # One transaction for each child may have been committed before it could say so.
    assert len(set(rows) - intended) <= 3 * kills
    assert set(rows) - intended <= set(told["intending"]), "nothing is there that was not begun"
    issued = {serial for serial, state in rows.items() if state == CertificateState.ISSUED}
    assert recorded <= issued, "no certificate that was handed out is lost"
    assert issued - recorded <= set(told["recording"])

    world.clock.advance(timedelta(minutes=10))
    abandoned = {each for each in rows if each not in issued}
    reconciled = world.issuing.reconcile(timedelta(minutes=5))
    assert set(reconciled) == {parse_serial(each) for each in abandoned}
    with world.database.reading() as connection:
        states = dict(connection.execute(select(certificates.c.serial, certificates.c.state)).all())
        assert set(states.values()) <= {CertificateState.ISSUED, CertificateState.ABANDONED}
        for serial, state in states.items():
            events = [each.event for each in records(connection, serial)]
            end = "issued" if state == CertificateState.ISSUED else "abandoned"
            assert events == ["certificate.intended", f"certificate.{end}"], serial
        assert world.journal.verify(connection).intact
    # A signature may exist for what was signed and never recorded: the world is told it is void.
    crl_issuer(world).issue()
    crl = CrlArchive(world.database).latest("issuing")
    assert crl is not None
    assert crl.entries == len(abandoned)
    responder = responder_of(world)
    for serial in [*sorted(abandoned)[:5], *sorted(issued)[:5]]:
        answer = ocsp.load_der_ocsp_response(
            responder.answer(request_for(world, parse_serial(serial))).der
        )
        revoked = answer.certificate_status is ocsp.OCSPCertStatus.REVOKED
        assert revoked is (serial in abandoned)


@pytest.mark.long
def test_killed_at_each_step_nothing_is_lost_or_left_open(
    any_world: World, ca_token: Token
) -> None:
    with killer(any_world, ca_token) as worker:
        for step in STEPS:
            for number in (1, 2):  # alone, and in a batch
                worker.kill(step, number)
    account(any_world, worker.told, worker.kills)
    assert worker.kills == 2 * len(STEPS)
    any_world.issue()  # and the next process goes on


@pytest.mark.long
def test_killed_at_any_moment_nothing_is_lost_or_left_open(
    any_world: World, ca_token: Token
) -> None:
    draw = random.Random(20261129)
    with killer(any_world, ca_token) as worker:
        for _ in range(12):
            worker.kill("any", draw.randrange(60))
    account(any_world, worker.told, worker.kills)


@pytest.mark.long
def test_killed_two_hundred_times(any_world: World, ca_token: Token) -> None:
    draw = random.Random(200)
    with killer(any_world, ca_token) as worker:
        for _ in range(200):
            fatal = draw.choice((*STEPS, "any", "any", "any"))
            worker.kill(fatal, draw.randrange(1, 6) if fatal != "any" else draw.randrange(120))
    account(any_world, worker.told, worker.kills)


def test_a_key_whose_issue_was_killed_can_be_certified_after_the_restart(
    any_world: World, ca_token: Token
) -> None:
    """The intent holds the key until it is reconciled, and no longer."""
    request = operator_request()
    intent = any_world.issuing.prepare("operator", request)
    del intent  # the process that prepared it is gone
    any_world.clock.advance(timedelta(minutes=10))
    any_world.issuing.reconcile(timedelta(minutes=5))
    issued = any_world.issuing.issue(any_world.issuing.prepare("operator", request))
    record = Inventory(any_world.database).by_serial(issued.serial)
    assert record is not None
    assert record.state is CertificateState.ISSUED
