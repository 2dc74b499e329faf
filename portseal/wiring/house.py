"""The house put together: every room gets what it needs, and nothing else.

Parts are made when first asked for, so that `portseal status` opens no session that it does not
use. A House belongs to one process.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ca.authority import DIRECTORY_CHANNEL
from ca.ceremony import (
    KEYS,
    Ceremony,
    CeremonyOutcome,
    CeremonyPlan,
)
from kernel.asn1.certificate import Certificate
from portseal.settings import Settings, read_settings
from portseal.wiring.sign_in import SignInFloor


class House(SignInFloor):
    """Every part, wired from the settings."""

    @classmethod
    @contextmanager
    def opened(cls) -> Iterator["House"]:
        """From the settings of this process; closed again at the end."""
        house = cls(read_settings())
        try:
            yield house
        finally:
            house.close()

    def check(self) -> None:
        """Raises Unavailable when the database or the token does not answer."""
        with self.database.reading() as connection:
            self.outbox.waiting(connection, DIRECTORY_CHANNEL)
        self.token.login()

    def self_test(self) -> None:
        """Sign and verify with every key. Raises Unavailable; serve nothing then."""
        for name in KEYS:
            self.token.key(name).self_test()
        _ = self.authorities


def conduct_ceremony(
    settings: Settings,
    plan: CeremonyPlan,
    progress: Callable[[str], None],
    certified: Callable[[str, Certificate], None] = lambda label, certificate: None,
) -> CeremonyOutcome:
    """Bring the database up to date and hold the key ceremony on the (empty) token, or the rest
    of one that died. `progress` and `certified`: see `Ceremony`."""
    house = House(settings)
    house.database.upgrade()
    try:
        return Ceremony(
            house.token,
            plan,
            house.profiles,
            house.database,
            house.journal,
            house.outbox,
            house.clock,
            house.entropy,
            house.addresses,
            progress,
            certified,
        ).run()
    finally:
        house.close()
