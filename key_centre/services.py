"""The centre put together."""

from collections.abc import Mapping
from dataclasses import dataclass

from hsm.token import Token
from kernel.clock import Clock
from key_centre.delivery import Deliveries
from key_centre.oversight import Oversight
from key_centre.pool import KeyPool
from key_centre.ports import Cards, Certifier, People
from key_centre.recoveries import Recoveries
from key_centre.rewrapping import Rewrapping
from records.database import Database
from records.journal import Journal


@dataclass(frozen=True)
class KeyCentre:
    """What the centre does for others."""

    deliveries: Deliveries
    recoveries: Recoveries
    oversight: Oversight
    pool: KeyPool
    rewrapping: Rewrapping


def open_key_centre(
    database: Database,
    journal: Journal,
    clock: Clock,
    token: Token,
    escrow_label: str,
    cards: Cards,
    certifier: Certifier,
    people: People,
    origin: str,
    pool_sizes: Mapping[str, int],
) -> KeyCentre:
    """`escrow_label`: the first wrapping key in `token`; `origin`: the service's, in statements;
    `pool_sizes`: how many keys are made ahead, by the suite's name."""
    pool = KeyPool(database, journal, clock, token, escrow_label, pool_sizes)
    rewrapping = Rewrapping(database, journal, clock, token, escrow_label)
    deliveries = Deliveries(database, journal, clock, token, escrow_label, cards, certifier, origin)
    recoveries = Recoveries(database, journal, clock, deliveries, cards, certifier, origin)
    oversight = Oversight(database, clock, cards, people, pool, rewrapping)
    return KeyCentre(deliveries, recoveries, oversight, pool, rewrapping)
