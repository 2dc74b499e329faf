"""The centre put together."""

from dataclasses import dataclass

from hsm.token import Token
from kernel.clock import Clock
from key_centre.delivery import Deliveries
from key_centre.oversight import Oversight
from key_centre.ports import Cards, Certifier, People
from key_centre.recoveries import Recoveries
from records.database import Database
from records.journal import Journal


@dataclass(frozen=True)
class KeyCentre:
    """What the centre does for others."""

    deliveries: Deliveries
    recoveries: Recoveries
    oversight: Oversight


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
) -> KeyCentre:
    """`escrow_label`: the wrapping key in `token`; `origin`: the service's, in statements."""
    deliveries = Deliveries(database, journal, clock, token, escrow_label, cards, certifier, origin)
    recoveries = Recoveries(database, journal, clock, deliveries, cards, origin)
    return KeyCentre(deliveries, recoveries, Oversight(database, clock, cards, people))
