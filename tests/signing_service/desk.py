"""The signing use case in a world of its own, and a card whose key lives in a real token."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select

from hsm.pyca import as_pyca_private_key
from hsm.token import Token
from hsm.token_key import TokenKey
from kernel.algorithms import ECDSA_P256_SHA256
from kernel.asn1.certificate import Certificate
from kernel.refusals import (
    Refusal,
)
from policies.rights import load_rights
from records.database import Database, new_id
from records.journal import Journal
from records.tables import journal
from signing_service.archive.files import FileStore
from signing_service.archive.keeping import Archive
from signing_service.archive.retention import Retention
from signing_service.batch import Batches
from signing_service.formats.manner import Manner, Subject
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.signing import Preparation, Receipt, Signing
from signing_service.tables import prepared_signatures
from signing_service.uploads import Uploads
from signing_service.validation.evidence import SignatureFormat, SignatureLevel
from tests.signing_service.validation.scenery import Card, World
from tests.software_keys import SoftwareKey

DOCUMENT = (Path(__file__).parents[1] / "samples" / "dec-import.xml").read_bytes()
CADES = SignatureFormat.CADES
SECOND = timedelta(seconds=1)


class NoMaterial:
    """B-B and B-T signatures carry none."""

    def of(self, certificates: object) -> ValidationMaterial:
        return ValidationMaterial()


MAX_BYTES = 80 << 20


@dataclass
class Desk:
    """The use case in a world of its own, and a card whose key lives in a real token."""

    world: World
    database: Database
    signing: Signing
    archive: Archive
    key: TokenKey
    certificate: Certificate

    def enrol(self, **changes: object) -> None:
        """Register the holder, or what has changed of them."""
        holder = self.world.registry.enrol(self.card)
        changed = replace(holder, **changes)  # type: ignore[arg-type]
        self.world.registry.holders[self.certificate.fingerprint] = changed

    @property
    def card(self) -> Card:
        return Card(SoftwareKey(as_pyca_private_key(self.key), self.key.suite), self.certificate)

    def prepare(self, card: str = "card-1") -> Preparation:
        return self.signing.prepare(
            Subject.of(DOCUMENT), self.certificate, Manner(CADES), card, level=SignatureLevel.B_T
        )

    def complete(self, made: Preparation, card: str = "card-1") -> Receipt:
        return self.signing.complete(made.id, self.key.sign(made.to_be_signed), card)

    def journalled(self, event: str) -> int:
        of_event = select(func.count()).where(journal.c.event == event)
        with self.database.reading() as connection:
            return connection.execute(of_event).scalar_one()

    def prepared(self) -> int:
        with self.database.reading() as connection:
            return connection.execute(
                select(func.count()).select_from(prepared_signatures)
            ).scalar_one()


def open_desk(database: Database, token: Token, directory: Path) -> Desk:
    world = World()
    key = token.generate(new_id(), ECDSA_P256_SHA256)
    signer = SoftwareKey(as_pyca_private_key(key), key.suite)
    certificate = world.issuing.card(key=signer).certificate
    records = Journal(world.clock)
    rights, store = load_rights(), FileStore(directory / "archive", 0)
    archive = Archive(database, store, records, world.clock)
    signing = Signing(
        holders=world.registry,
        status=world.book,
        rights=rights,
        anchors=world.anchors(),
        timestamper=world.timestamper(),
        verifier=world.verification(rights),
        archive=archive,
        material=NoMaterial(),
        retention=Retention(),
        batches=Batches(database, records, world.clock),
        uploads=Uploads(database, store, world.clock, MAX_BYTES),
        database=database,
        journal=records,
        clock=world.clock,
    )
    desk = Desk(world, database, signing, archive, key, certificate)
    desk.enrol()
    return desk


def at_once(count: int, act: Callable[[], object]) -> list[str]:
    """`act` from so many threads together: `done`, or the code of each one's refusal."""
    start = threading.Barrier(count)

    def run(_: int) -> str:
        start.wait()
        try:
            act()
        except Refusal as refusal:
            return refusal.code
        return "done"

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))
