"""The key-management centre on a real authority, with holders whose cards are real tokens."""

import base64
import secrets
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import rsa

from ca.ceremonies.labels import ESCROW
from ca.inventory import Inventory
from hsm.pyca import certificate_request
from hsm.token import Token
from kernel.algorithms import ECDSA_P256_SHA256, RSA_PKCS1_SHA256, AlgorithmSuite, PublicKey
from kernel.asn1.certificate import Certificate
from kernel.identifiers import Serial
from kernel.transport_statement import transport_statement
from key_agent.encryption_slot import EncryptionSlot
from key_centre.delivery import Delivery
from key_centre.pool import KeyPool
from key_centre.requests import CardRequest
from key_centre.services import KeyCentre, open_key_centre
from portseal.key_centre_ports import IssuingCertifier, PortalCards, PortalPeople
from ra_portal.cards.card import Card
from ra_portal.people.identity import Identity, Role
from records.journal import Record, records
from tests.ra_portal.world import ORIGIN, PortalWorld
from tests.software_keys import SoftwareKey
from tests.token import TokenBench

SIGNING = "signing"
TRANSPORT = SoftwareKey(rsa.generate_private_key(65537, 3072), RSA_PKCS1_SHA256)
"""A stand-in for a card's transport key where no card needs to open the envelope."""
OTHER_TRANSPORT = SoftwareKey(rsa.generate_private_key(65537, 3072), RSA_PKCS1_SHA256)


@dataclass
class Holder:
    """Somebody with a card in a token of its own."""

    token: Token
    card: Card
    signing: Certificate
    label: str = SIGNING
    """Of the signing key in use."""

    @property
    def slot(self) -> EncryptionSlot:
        return EncryptionSlot(self.token, lambda: self.token.key(self.label))

    def asks(self, origin: str = ORIGIN, recovers: Serial | None = None) -> CardRequest:
        """A fresh transport key, and the statement that vouches for it."""
        asked = self.slot.ask(self.signing, origin, recovers)
        return CardRequest(
            *(base64.b64decode(each) for each in (
                asked.certificate, asked.transport_key, asked.signature,
            ))
        )  # fmt: skip

    def asks_for(
        self, transport: PublicKey, origin: str = ORIGIN, recovers: Serial | None = None
    ) -> CardRequest:
        """As `asks`, for a transport key that is there already, wherever it is."""
        statement = transport_statement(self.signing, transport, origin, recovers)
        signature = self.token.key(self.label).sign(statement)
        return CardRequest(self.signing.der, transport.spki, signature)

    def installs(self, delivery: Delivery, *, recovered: bool = False) -> None:
        envelope = delivery.envelope.encode()
        self.slot.install(delivery.certificate, envelope, self.signing, recovered=recovered)


@dataclass
class CentreWorld:
    portal: PortalWorld
    centre: KeyCentre
    bench: TokenBench
    inventory: Inventory

    def enterprise(self, number: int = 1) -> Identity:
        """Whoever acts for an enterprise; its card is still to be made."""
        return self.portal.legal_person(number)

    def legal_person(self, number: int = 1) -> Holder:
        application = self.portal.approved(number)
        _, code = self.portal.services.registration.new_activation_code(application.id)
        return self.enrolled(code)

    def operator(
        self,
        by: Identity | None = None,
        suite: AlgorithmSuite = ECDSA_P256_SHA256,
        number: str = "E-001",
    ) -> Holder:
        by = by or self.enterprise()
        added = self.portal.operator(by, "declare-import", employee_number=number)
        return self.enrolled(added.activation_code, suite)

    def enrolled(self, code: str, suite: AlgorithmSuite = ECDSA_P256_SHA256) -> Holder:
        token = self.bench.new_token(f"card-{secrets.token_hex(6)}")
        request = certificate_request(token.generate(SIGNING, suite), "card")
        made = self.portal.services.enrolment.enrol(code, request)
        return Holder(token, made.card, made.certificate)

    def officer(self, *roles: Role) -> Identity:
        return self.portal.officer(*roles)

    def pool(self, sizes: dict[str, int]) -> KeyPool:
        """The pool, wanted to be this large."""
        world = self.portal.authority
        return KeyPool(world.database, world.journal, world.clock, world.token, ESCROW, sizes)

    def told(self, serial: str) -> list[Record]:
        with self.portal.authority.database.reading() as connection:
            return records(connection, serial)


def open_centre_world(portal: PortalWorld, bench: TokenBench) -> CentreWorld:
    world = portal.authority
    inventory = Inventory(world.database)
    centre = open_key_centre(
        world.database,
        world.journal,
        world.clock,
        world.token,
        ESCROW,
        PortalCards(portal.services.directory, inventory, world.clock),
        IssuingCertifier(world.issuing, inventory, world.clock),
        PortalPeople(portal.services.directory),
        ORIGIN,
        {},
    )
    return CentreWorld(portal, centre, bench, inventory)
