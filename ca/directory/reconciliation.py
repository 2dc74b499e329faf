"""Compare the directory with the records, and repair it.

For a directory that was restored from an old copy, that lost entries it had accepted, or that
somebody else wrote to. Both sides are read in pages, whatever their size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from ca import inventory
from ca.crl.archive import CrlArchive
from ca.directory.publishing import Directory, DirectoryPublisher
from ca.inventory import CertificateState, Inventory
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import parse_serial
from kernel.refusals import Malformed
from records.database import Database

_PAGE = 200


@dataclass(frozen=True)
class Differences:
    """How directory and records differed; after a repair they do not any more."""

    compared: int
    """Certificates that shall stand in the directory."""
    missing: int
    other: int
    """Entries that hold another certificate, or several."""
    surplus: int
    """Entries of certificates that are revoked, expired or unknown."""
    authorities: int
    """Certificates and lists of authorities that were missing or not the latest."""

    @property
    def none(self) -> bool:
        return not (self.missing or self.other or self.surplus or self.authorities)


class DirectoryReconciler:
    """Repairs pass through the publisher: it reads each record anew and journals what it does."""

    def __init__(
        self,
        directory: Directory,
        publisher: DirectoryPublisher,
        database: Database,
        clock: Clock,
        profiles: Sequence[str],
        authorities: Mapping[str, Certificate],
    ) -> None:
        """`profiles`: whose certificates are published; `authorities` by name."""
        self._directory = directory
        self._publisher = publisher
        self._database = database
        self._clock = clock
        self._profiles = profiles
        self._authorities = authorities
        self._inventory = Inventory(database)
        self._crls = CrlArchive(database)

    def run(self, *, repair: bool = True) -> Differences:
        """Compare and, unless only a check is wanted, repair.

        Raises Unavailable `directory.unavailable`, `database.unavailable`; what was repaired
        until then stays so.
        """
        compared = missing = other = surplus = 0
        for profile in self._profiles:
            counts = self._compare_live(profile, repair)
            compared, missing, other = (
                a + b for a, b in zip((compared, missing, other), counts, strict=True)
            )
            surplus += self._compare_held(profile, repair)
        return Differences(compared, missing, other, surplus, self._compare_authorities(repair))

    def _compare_live(self, profile: str, repair: bool) -> tuple[int, int, int]:
        """What shall stand there: how many, how many missing, how many different."""
        compared = missing = other = 0
        place = ""
        while True:
            now = self._clock.now()
            with self._database.reading() as connection:
                rows = inventory.published_after(connection, profile, place, now, _PAGE)
            if not rows:
                return compared, missing, other
            held = self._directory.certificates(profile, [row.serial for row in rows])
            for row in rows:
                known = held.get(row.serial)
                if known != bytes(row.certificate):
                    missing += known is None
                    other += known is not None
                    self._publish(row.serial, repair)
            compared += len(rows)
            place = rows[-1].serial

    def _compare_held(self, profile: str, repair: bool) -> int:
        """What stands there and shall not."""
        surplus = []
        held = self._directory.serials(profile)
        while page := list(islice(held, _PAGE)):
            surplus += [serial for serial in page if not self._lives(serial)]
        for serial in surplus if repair else ():
            self._directory.remove(profile, serial)
        return len(surplus)

    def _lives(self, serial: str) -> bool:
        try:
            record = self._inventory.by_serial(parse_serial(serial))
        except Malformed:
            return False
        return (
            record is not None
            and record.state is CertificateState.ISSUED
            and record.not_after > self._clock.now()
        )

    def _publish(self, serial: str, repair: bool) -> None:
        if repair:
            self._publisher({"kind": "certificate", "serial": serial})

    def _compare_authorities(self, repair: bool) -> int:
        different = 0
        for name, certificate in self._authorities.items():
            if self._directory.authority_value(name, "cACertificate") != certificate.der:
                different += 1
                if repair:
                    self._directory.put_authority(name, certificate.der)
            for shard in range(self._crls.shards(name) + 1):
                for delta in (False, True):
                    different += self._compare_list(name, shard, delta, repair)
        return different

    def _compare_list(self, authority: str, shard: int, delta: bool, repair: bool) -> bool:
        latest = self._crls.latest(authority, shard, delta=delta)
        if latest is None:
            return False
        name = f"{authority}-{shard}" if shard else authority
        kind = "deltaRevocationList" if delta else "certificateRevocationList"
        if self._directory.authority_value(name, kind) == latest.der:
            return False
        if repair:
            payload = {"kind": "crl", "authority": authority, "shard": shard, "delta": delta}
            self._publisher(payload)
        return True
