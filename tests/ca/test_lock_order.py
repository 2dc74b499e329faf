"""Transactions that move the same certificates wait for each other in one order, on PostgreSQL:
neither is ended by the database for a deadlock."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from ca.ceremonies.conduct import CeremonyOutcome
from ca.inventory import CertificateState, Inventory, RevocationReason
from ca.issuing.issuance import CertificateRequest, IssuanceIntent, IssuedCertificate
from ca.mass.job import MassRevocation
from ca.revocation import Revocation
from hsm.token import Token
from kernel.identifiers import Serial, serial_text
from kernel.refusals import Conflict
from records.database import Database, metadata
from tests.ca.world import World, new_clock, open_world, operator_request
from tests.database import load_all_tables
from tests.software_keys import SoftwareKey

_SUPERSEDED = RevocationReason.SUPERSEDED


@pytest.fixture
def world(ca_token: Token, ceremony: CeremonyOutcome, fresh_postgresql_url: str) -> Iterator[World]:
    load_all_tables()
    database = Database(fresh_postgresql_url)
    metadata.create_all(database.engine)
    yield open_world(ca_token, database, new_clock())
    database.dispose()


@pytest.fixture
def revocation(world: World) -> Revocation:
    return Revocation(world.database, world.journal, world.outbox, world.clock)


def mass_of(world: World) -> MassRevocation:
    return MassRevocation(world.database, world.journal, world.outbox, world.clock)


def intended_beside(
    world: World, *, is_lower: bool | None = None
) -> tuple[IssuedCertificate, IssuanceIntent]:
    """A certificate and one for encryption that is about to be issued beside it; `is_lower`:
    whether the latter's serial number is the lower one, which decides who is locked first."""
    for attempt in range(200):
        if attempt % 20 == 0:  # one of the highest or lowest of all would leave hardly a chance
            request: CertificateRequest = operator_request()
            signing = world.issuing.issue(world.issuing.prepare("operator", request))
        key = SoftwareKey.generate().public_key
        wanted = replace(request, public_key=key, companion_of=signing.serial)
        intent = world.issuing.prepare("operator-encryption", wanted)
        if is_lower in (None, serial_text(intent.serial) < serial_text(signing.serial)):
            return signing, intent
    raise AssertionError("serial numbers are not random")


def pair(world: World) -> tuple[Serial, Serial]:
    """Of a signing certificate and its companion, whose serial number is the lower one."""
    signing, intent = intended_beside(world, is_lower=True)
    return signing.serial, world.issuing.issue(intent).serial


@contextmanager
def held(world: World, serial: Serial) -> Iterator[Callable[[int], None]]:
    """A certificate's row in somebody's hands; gives a wait until so many stand behind it."""
    row = text("SELECT 1 FROM ca_certificates WHERE serial = :serial FOR UPDATE")
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    def wait_for(count: int) -> None:
        give_up = time.monotonic() + 30
        while time.monotonic() < give_up:
            with world.database.reading() as looking:
                if looking.execute(waiting).scalar_one() == count:
                    return
            time.sleep(0.02)
        raise AssertionError(f"there are not {count} who wait")

    with world.database.engine.connect() as connection, connection.begin():
        connection.execute(row, {"serial": serial_text(serial)})
        yield wait_for


def one_behind_the_other(
    world: World, serial: Serial, acts: Sequence[Callable[[], object]]
) -> list[Future[object]]:
    """Both acts came as far as this certificate's row, in this order, when it became free."""
    with ThreadPoolExecutor(len(acts)) as threads:
        with held(world, serial) as wait_for:
            done = []
            for count, act in enumerate(acts, start=1):
                done.append(threads.submit(act))
                wait_for(count)
    return done


def states(world: World, *serials: Serial) -> list[str]:
    inventory = Inventory(world.database)
    found = [inventory.by_serial(serial) for serial in serials]
    return [str(record.state) for record in found if record is not None]


def test_a_companion_is_revoked_while_its_signing_certificate_is(
    world: World, revocation: Revocation
) -> None:
    signing, companion = pair(world)
    own, both = one_behind_the_other(
        world,
        companion,
        [
            lambda: revocation.revoke(companion, _SUPERSEDED, "officer-1").changed,
            lambda: revocation.revoke(signing, _SUPERSEDED, "officer-2").changed,
        ],
    )
    assert (own.result(), both.result()) == (True, True)
    assert states(world, signing, companion) == ["revoked"] * 2


def test_a_mass_revocation_and_a_single_one_meet_at_one_pair(
    world: World, revocation: Revocation
) -> None:
    signing, companion = pair(world)
    mass = mass_of(world)
    job = mass.plan([signing], _SUPERSEDED, "officer-1")
    many, one = one_behind_the_other(
        world,
        companion,
        [
            lambda: mass.run(job).revoked == 1,
            lambda: revocation.revoke(signing, _SUPERSEDED, "officer-2").changed,
        ],
    )
    assert (many.result(), one.result()) == (True, False)
    assert states(world, signing, companion) == ["revoked"] * 2


def test_an_intent_is_reconciled_while_somebody_would_revoke_it(
    world: World, revocation: Revocation
) -> None:
    intent = world.issuing.prepare("operator", operator_request())
    world.clock.advance(timedelta(minutes=10))
    refused, reconciled = one_behind_the_other(
        world,
        intent.serial,
        [
            lambda: revocation.revoke(intent.serial, _SUPERSEDED, "officer-1"),
            lambda: world.issuing.reconcile(timedelta(minutes=5)),
        ],
    )
    with pytest.raises(Conflict, match=r"certificate\.not-issued"):
        refused.result()
    assert reconciled.result() == [intent.serial]
    assert states(world, intent.serial) == [str(CertificateState.ABANDONED)]


@pytest.mark.parametrize("is_lower", [True, False])
@pytest.mark.parametrize("revoked_first", [True, False])
def test_a_companion_is_issued_while_its_signing_certificate_is_revoked(
    world: World, revocation: Revocation, is_lower: bool, revoked_first: bool
) -> None:
    signing, intent = intended_beside(world, is_lower=is_lower)
    first = min(signing.serial, intent.serial, key=serial_text)
    acts: list[Callable[[], object]] = [
        lambda: revocation.revoke(signing.serial, _SUPERSEDED, "officer-1").changed,
        lambda: world.issuing.issue(intent).serial == intent.serial,
    ]
    done = one_behind_the_other(world, first, acts if revoked_first else acts[::-1])
    if revoked_first:
        assert done[0].result()
        with pytest.raises(Conflict, match=r"companion\.not-live"):
            done[1].result()
        assert states(world, signing.serial, intent.serial) == ["revoked", "intended"]
    else:
        assert [each.result() for each in done] == [True, True]
        assert states(world, signing.serial, intent.serial) == ["revoked"] * 2
