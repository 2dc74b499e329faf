"""What the centre's officers see: recoveries, each with its evidence and history, and numbers."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import serial_text
from key_centre import escrow, recovery_rows
from key_centre.escrow import EscrowedKey
from key_centre.pool import KeyPool, Level
from key_centre.ports import Caller, Cards, LiveCard, People
from key_centre.recovery import Recovery
from key_centre.recovery_rows import Wanted
from key_centre.rewrapping import Rewrapping, RewrapProgress
from key_centre.tables import escrowed_keys
from records.database import Database
from records.events import Event
from records.journal import records

READ = "key.recovery.read"
_COUNTED_FOR = timedelta(minutes=1)
"""Counting millions of keys takes longer than a page may."""
_STEPS = frozenset(
    {
        Event.KEY_RECOVERY_REQUESTED,
        Event.KEY_RECOVERY_APPROVED,
        Event.KEY_RECOVERY_REFUSED,
        Event.KEY_RECOVERED,
    }
)


@dataclass(frozen=True)
class RecoveryPage:
    found: list[tuple[Recovery, EscrowedKey]]
    next: str | None
    """The recovery after which the next page begins; None: this is the last."""
    names: Mapping[str, str]
    """Of those who asked and decided, by how the journal names them."""


@dataclass(frozen=True)
class Step:
    """One thing that happened to a recovery, as the journal has it."""

    at: datetime
    event: Event
    actor: str


@dataclass(frozen=True)
class Dossier:
    """All that an officer needs to decide on one recovery."""

    recovery: Recovery
    key: EscrowedKey
    asking: Certificate | None
    """The signing certificate of the card that asks; None for an order."""
    live: LiveCard | None
    """That card, when it is good now."""
    evidence_size: int
    """Octets of the order's PDF; 0 without an order."""
    steps: list[Step]
    """Oldest first."""
    names: Mapping[str, str]


@dataclass(frozen=True)
class Figures:
    escrowed: int
    pool: Mapping[str, Level]
    """Keys made ahead, by the suite's name."""
    escrow: RewrapProgress
    states: Mapping[str, int]
    """Recoveries by state."""


class Oversight:
    """Every method raises Forbidden `role.missing`."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        cards: Cards,
        people: People,
        pool: KeyPool,
        rewrapping: Rewrapping,
    ) -> None:
        self._database = database
        self._clock = clock
        self._cards = cards
        self._people = people
        self._pool = pool
        self._rewrapping = rewrapping
        self._counted: tuple[datetime, int, RewrapProgress] | None = None

    def listed(self, by: Caller, wanted: Wanted, after: str | None = None) -> RecoveryPage:
        """Those that wait oldest first, others newest first.

        `after`: as `RecoveryPage.next` says. Raises NotFound `key-recovery.unknown`.
        """
        by.require(READ)
        with self._database.reading() as connection:
            found, following = recovery_rows.listed(connection, wanted, after)
            keys = escrow.by_ids(connection, {each.key_id for each in found})
        actors = {each.requested_by for each in found} | {each.decided_by for each in found}
        return RecoveryPage(
            [(each, keys[each.key_id]) for each in found], following, self._names(actors)
        )

    def dossier(self, by: Caller, identifier: str) -> Dossier:
        """Raises NotFound `key-recovery.unknown`."""
        by.require(READ)
        with self._database.reading() as connection:
            found = recovery_rows.find(connection, identifier)
            key = escrow.by_id(connection, found.key_id)
            size = recovery_rows.evidence_size(connection, identifier)
            steps = _steps(connection, found, key)
        asking, live = None, None
        if found.signing_certificate is not None:
            asking = Certificate.parse(found.signing_certificate)
            live = self._cards.live(asking)
        actors = {found.requested_by, found.decided_by, *(step.actor for step in steps)}
        return Dossier(found, key, asking, live, size, steps, self._names(actors))

    def evidence(self, by: Caller, identifier: str) -> bytes:
        """The order's PDF. Raises NotFound `key-recovery.unknown`, `key-recovery.no-evidence`."""
        by.require(READ)
        with self._database.reading() as connection:
            return recovery_rows.evidence(connection, identifier)

    def figures(self, by: Caller) -> Figures:
        """How much there is; the numbers of escrowed keys are up to a minute old."""
        by.require(READ)
        counted = self._count()
        with self._database.reading() as connection:
            states = recovery_rows.count_by_state(connection)
        return Figures(counted[1], self._pool.levels(), counted[2], states)

    def _count(self) -> tuple[datetime, int, RewrapProgress]:
        now, known = self._clock.now(), self._counted
        if known is None or now - known[0] >= _COUNTED_FOR:
            with self._database.reading() as connection:
                query = select(func.count()).select_from(escrowed_keys)
                escrowed = connection.execute(query).scalar_one()
            known = self._counted = (now, escrowed, self._rewrapping.progress())
        return known

    def _names(self, actors: Iterable[str | None]) -> Mapping[str, str]:
        return self._people.names({each for each in actors if each is not None})


def _steps(connection: Connection, recovery: Recovery, key: EscrowedKey) -> list[Step]:
    assert key.certificate is not None, "a recovery names a certificate"
    told = records(connection, serial_text(key.certificate.serial))
    return [
        Step(datetime.fromisoformat(each.at), Event(each.event), each.actor)
        for each in told
        if each.event in _STEPS and json.loads(each.facts).get("recovery") == recovery.id
    ]
