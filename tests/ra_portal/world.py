"""A portal on a real authority in a real token, with officers, and shortcuts through the life."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from ca.ceremonies.labels import PERSONAL_DATA, PERSONAL_INDEX
from ca.inventory import Inventory
from ca.revocation import Revocation
from hsm.token import Token
from kernel.entropy import SystemEntropy
from policies.rights import load_rights
from portseal.adapters import SealToken
from ra_portal.applications.application import Application
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card, Holder
from ra_portal.notices.channels import Channel, Gateway, Letter
from ra_portal.people import people_rows
from ra_portal.people.branches import Branch
from ra_portal.people.identity import HolderKind, Identity, Role, console
from ra_portal.people.operators import AddedOperator
from ra_portal.people.personal_data import PersonalData
from ra_portal.services import PortalServices, Posting, open_portal
from records.database import Database, metadata
from records.journal import records
from signing_service.timestamping.authority import TimestampAuthority
from signing_service.timestamping.client import LocalTimestamper
from tests.ca.world import World, hold_ceremony, new_clock
from tests.database import load_all_tables
from tests.ra_portal import samples
from tests.software_keys import SoftwareKey
from tests.token import TokenBench

ORIGIN = "https://id.example"


class Post:
    """A gateway that keeps what it is given, or does what `mood` does."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.mood: Callable[[Letter], None] = self.letters.append

    def send(self, letter: Letter) -> None:
        self.mood(letter)


@dataclass
class PortalWorld:
    authority: World
    services: PortalServices
    ended: list[Card] = field(default_factory=list)
    """Cards whose sessions were to be ended, in order."""
    changed: list[Card] = field(default_factory=list)
    """Cards of officers who were changed, whose sessions were to be ended."""
    post: dict[Channel, "Post"] = field(default_factory=dict)
    """What was sent, by channel; the gateways have tests of their own."""

    def officer(self, *roles: Role, name: str = "李审核") -> Identity:
        added = self.services.officers.add(console("tests"), name, roles)
        return Identity(HolderKind.OFFICER, added.officer.id, name, frozenset(roles))

    def officer_at(self, branch: Branch, *roles: Role) -> Identity:
        added = self.services.officers.add(console("tests"), "李分部", roles, branch=branch.code)
        return Identity(
            HolderKind.OFFICER, added.officer.id, "李分部", frozenset(roles), branch=branch.id
        )

    def approved(self, number: int = 1) -> Application:
        """An application that two officers took through."""
        registration = self.services.registration
        submitted = registration.apply(samples.details(number), samples.scan())
        identifier = submitted.application.id
        registration.register(self.officer(Role.REGISTRAR), identifier)
        return registration.approve(self.officer(Role.APPROVER), identifier)[0]

    def legal_person(self, number: int = 1) -> Identity:
        """An approved enterprise; its card is still to be made."""
        application = self.approved(number)
        self._leave_unread()  # that it was approved
        assert application.enterprise_id is not None
        return Identity(
            HolderKind.LEGAL_PERSON,
            application.enterprise_id,
            application.details.name,
            enterprise_id=application.enterprise_id,
        )

    def _leave_unread(self) -> None:
        """What waits goes to nobody: tests tell of what happens afterwards."""
        moods = {channel: post.mood for channel, post in self.post.items()}
        for post in self.post.values():
            post.mood = lambda _letter: None
        try:
            self.services.notices.deliver(at_once=True)
        finally:
            for channel, mood in moods.items():
                self.post[channel].mood = mood

    def operator(
        self, by: Identity, *rights: str, employee_number: str = "E-001", name: str = "张操作"
    ) -> AddedOperator:
        values = {"name": name, "employee_number": employee_number}
        return self.services.operators.add(by, values, rights)

    def legal_person_of(self, card: Card) -> Identity:
        """Who has charge of an operator's card."""
        with self.authority.database.reading() as connection:
            enterprise = people_rows.enterprise_of(connection, card.holder)
        assert enterprise is not None
        kind = HolderKind.LEGAL_PERSON
        return Identity(kind, enterprise.id, enterprise.name, enterprise_id=enterprise.id)

    def cards_of(self, holder: Holder) -> list[Card]:
        with self.authority.database.reading() as connection:
            return card_rows.of_holder(connection, holder)

    def column(self, table: str, column: str) -> list[str]:
        with self.authority.database.reading() as connection:
            return list(connection.execute(select(metadata.tables[table].c[column])).scalars())

    def everything_written(self) -> str:
        """The whole database as text: what must not stand in it can be looked for."""
        with self.authority.database.reading() as connection:
            return "\n".join(
                repr(tuple(row))
                for table in metadata.sorted_tables
                for row in connection.execute(select(table))
            )

    def demand_renewal(self, card: Card) -> None:
        """As an approved change of the holder's name does."""
        changes = self.services.data_changes
        owner = self.legal_person_of(card)
        proposed = changes.propose(owner, card.holder, {"name": "章操作"}, "更名")
        changes.approve(self.officer(Role.APPROVER), proposed.id)

    def sent(self, channel: Channel) -> list[Letter]:
        """Everything that has gone by this channel, after a round of the worker."""
        self.services.without_card.send_codes(at_once=True)
        self.services.reference_again.send_asked(at_once=True)
        self.services.access_again.send_asked(at_once=True)
        self.services.notices.deliver(at_once=True)
        return self.post[channel].letters

    def events(self, subject: str) -> list[str]:
        with self.authority.database.reading() as connection:
            return [record.event for record in records(connection, subject)]


def open_portal_world(authority: World) -> PortalWorld:
    inventory = Inventory(authority.database)
    revocation = Revocation(
        authority.database, authority.journal, authority.outbox, authority.clock
    )
    ended: list[Card] = []
    changed: list[Card] = []
    post = {channel: Post() for channel in Channel}
    gateways: dict[Channel, Gateway] = dict(post)
    services = open_portal(
        authority.database,
        authority.journal,
        authority.clock,
        SystemEntropy(),
        authority.issuing,
        inventory,
        revocation,
        load_rights(),
        SealToken(authority.token),
        timestamping_of(authority),
        Posting(
            authority.outbox,
            authority.token.secret_key(PERSONAL_DATA),
            gateways,
            ORIGIN,
        ),
        personal_data_of(authority.token),
        on_cards_ended=ended.extend,
        on_officer_changed=changed.append,
    )
    return PortalWorld(authority, services, ended, changed, post)


def personal_data_of(token: Token) -> PersonalData:
    """With the token's own keys, which the ceremony made."""
    return PersonalData(
        lambda: token.secret_key(PERSONAL_DATA), lambda: token.secret_key(PERSONAL_INDEX)
    )


def timestamping_of(authority: World) -> Callable[[bytes], bytes]:
    """The authority's own timestamps, from its token."""
    pair = authority.authorities.tsa
    made = TimestampAuthority(
        pair.key,
        pair.certificate,
        pair.chain[:1],
        "1.3.6.1.4.1.32473.2.1",
        authority.clock,
        SystemEntropy(),
    )
    return lambda digest: LocalTimestamper(made).stamp(digest, "sha256")


def token_after_ceremony(bench: TokenBench, label: str, directory: Path) -> Token:
    """A fresh token with an authority's keys; the ceremony's own database is left behind."""
    load_all_tables()
    token = bench.new_token(label)
    database = Database(f"sqlite:///{directory / 'ceremony.db'}")
    metadata.create_all(database.engine)
    hold_ceremony(token, database, new_clock())
    database.dispose()
    return token


def pkcs10(key: SoftwareKey | None = None, common_name: str = "token") -> bytes:
    """A request, DER, signed by its own key."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    request = builder.sign((key or SoftwareKey.generate()).private_key, hashes.SHA256())
    return request.public_bytes(Encoding.DER)
