"""A whole authority for tests: ceremony in a real token, a database, a clock."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ca.authority import Authority
from ca.ceremonies.ceremony import Ceremony
from ca.ceremonies.conduct import CeremonyOutcome, Conduct, Watchers
from ca.issuing.addresses import StatusAddresses
from ca.issuing.issuance import CertificateRequest, IssuedCertificate
from ca.issuing.subject import SubjectFields, organization_identifier
from ca.opening import Authorities, open_authorities
from hsm.token import Token
from kernel.clock import FixedClock
from kernel.entropy import SystemEntropy
from kernel.identifiers import uscc_check_character
from policies.catalogue import ProfileCatalogue, load_catalogue
from policies.ceremony_plan import load_ceremony_plan
from records.database import Database
from records.journal import Journal
from records.outbox import Outbox
from tests.software_keys import SoftwareKey

BASE_URL = "http://status.portseal.example"


@dataclass
class World:
    """Everything that an authority is wired from, opened from the token."""

    token: Token
    database: Database
    clock: FixedClock
    catalogue: ProfileCatalogue
    journal: Journal
    outbox: Outbox
    authorities: Authorities

    @property
    def issuing(self) -> Authority:
        return self.authorities.issuing

    def issue(self, **subject: str) -> IssuedCertificate:
        """An operator's certificate for a fresh key."""
        return self.issuing.issue(
            self.issuing.prepare("operator", operator_request(None, **subject))
        )


def operator_request(key: SoftwareKey | None = None, **subject: str) -> CertificateRequest:
    fields = {
        "organization": "宁波远航进出口有限公司",
        "organization_identifier": organization_identifier(sample_uscc()),
        "common_name": "张三",
        "serial_number": "OP" + secrets.token_hex(6).upper(),
    }
    return CertificateRequest(
        (key or SoftwareKey.generate()).public_key,
        SubjectFields(**{**fields, **subject}),
        requester="officer-1",
        reference=f"card-{secrets.token_hex(8)}",
    )


def sample_uscc() -> str:
    body = "91330200MA2CLABC1"
    return body + uscc_check_character(body)


def hold_ceremony(token: Token, database: Database, clock: FixedClock) -> CeremonyOutcome:
    return ceremony_of(token, database, clock).run()


def ceremony_of(
    token: Token,
    database: Database,
    clock: FixedClock,
    progress: Callable[[str], None] = lambda line: None,
    *,
    root_token: Token | None = None,
    plan: str | Path = "house",
) -> Ceremony:
    return Ceremony(
        {"root": root_token or token, "issuing": token},
        load_ceremony_plan(plan),
        Conduct("Example E-Port", "Ceremony Operator"),
        load_catalogue(),
        database,
        Journal(clock),
        Outbox(clock),
        clock,
        SystemEntropy(),
        StatusAddresses(BASE_URL),
        Watchers(progress=progress),
    )


def open_world(
    token: Token, database: Database, clock: FixedClock, *, root_token: Token | None = None
) -> World:
    catalogue, journal, outbox = load_catalogue(), Journal(clock), Outbox(clock)
    authorities = open_authorities(
        token,
        catalogue,
        database,
        journal,
        outbox,
        clock,
        SystemEntropy(),
        StatusAddresses(BASE_URL),
        root_token=root_token,
    )
    return World(token, database, clock, catalogue, journal, outbox, authorities)


def new_clock() -> FixedClock:
    """A clock that stands still now: strangers' tools use the machine's own."""
    return FixedClock(datetime.now(UTC))
