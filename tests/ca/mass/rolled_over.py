"""Cards of an authority after a roll-over: what a re-issue is over."""

import dataclasses
from datetime import timedelta

from ca.inventory import CertificateRecord, CertificateState, Inventory, status_version
from ca.mass.reissue import Reissue
from ca.revocation import Revocation
from hsm.token import Token
from kernel.asn1.certificate import Certificate
from records.database import Database
from tests.ca.world import World, new_clock, open_world, operator_request


@dataclasses.dataclass
class RolledOver:
    """A world with cards under the old authority, and the new one that issues now."""

    token: Token
    world: World
    cards: list[Certificate]
    revocation: Revocation
    jobs: Reissue

    def settle(self) -> None:
        """What a dead process left intended is accounted for, as the worker does."""
        self.world.clock.advance(timedelta(minutes=2))
        self.world.issuing.reconcile(timedelta(minutes=1))

    def status_versions(self) -> list[int]:
        names = ("issuing", "issuing-2", "regional-ningbo")
        with self.world.database.reading() as connection:
            return [status_version(connection, name) for name in names]

    def record_of_successor(self, card: Certificate) -> CertificateRecord:
        found = Inventory(self.world.database).by_key(card.public_key.fingerprint)
        (record,) = [each for each in found if each.authority == "issuing-2"]
        return record

    def successor(self, card: Certificate) -> Certificate | None:
        found = Inventory(self.world.database).by_key(card.public_key.fingerprint)
        made = [
            each.certificate for each in found
            if each.authority == "issuing-2" and each.state is CertificateState.ISSUED
        ]  # fmt: skip
        assert len(made) <= 1
        return made[0] if made else None


def rolled_over(token: Token, database: Database) -> RolledOver:
    world = open_world(token, database, new_clock())
    assert world.authorities.current == "issuing-2"
    old = world.authorities["issuing"].authority
    cards = [old.issue(old.prepare("operator", operator_request())).certificate for _ in range(8)]
    revocation = Revocation(world.database, world.journal, world.outbox, world.clock)
    jobs = Reissue(world.database, world.journal, world.clock, revocation)
    return RolledOver(token, world, cards, revocation, jobs)
