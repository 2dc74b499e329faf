"""Delegated responder keys that rotate by themselves, before their certificate ends.

Each generation is a new key, born in the token, with a certificate of its own. A generation is
claimed in the database first, so that of several nodes one makes it; a claim whose node died is
taken over, and whatever the dead node had done already is used.
"""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from ca.authority import Authority
from ca.inventory import CertificateState, Inventory
from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields
from ca.linting.answers import RefusedAnswers
from ca.ocsp.signer import OcspSigner
from ca.tables import ocsp_responders
from hsm.token import Token
from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import serial_text
from kernel.keys import KeyHandle
from kernel.refusals import Unavailable
from records.database import Database
from records.events import Event
from records.journal import Journal

_STALE_CLAIM = timedelta(minutes=10)
_COLUMNS = ocsp_responders.c


class ResponderKeys:
    """The generations of one authority's responder key. `profile` names its certificates."""

    def __init__(
        self,
        authority: Authority,
        profile: str,
        first: Certificate,
        suite: AlgorithmSuite,
        token: Token,
        database: Database,
        journal: Journal,
        clock: Clock,
        accounted: Callable[[KeyHandle], KeyHandle] = lambda key: key,
    ) -> None:
        """`first`: the certificate that the ceremony made. `accounted` gives the key that answers
        are signed with, whose uses are recorded."""
        self._authority = authority
        self._profile = profile
        self._first = first
        self._suite = suite
        self._token = token
        self._database = database
        self._journal = journal
        self._clock = clock
        self._accounted = accounted
        self._inventory = Inventory(database)
        self._known = 0

    def newest(self) -> OcspSigner | None:
        """The newest generation, when it is newer than what this gave before; else None. For the
        one responder that signs with it.

        Raises Unavailable from token or database: also while this node's token has not got the
        key yet.
        """
        generation, certificate = self._latest()
        issuer = self._authority.certificate
        if generation <= self._known or issuer is None:
            return None
        key = self._token.key(self._label(generation), self._suite)
        refused = RefusedAnswers(self._database, self._journal, self._authority.name)
        signer = OcspSigner(issuer, self._accounted(key), certificate, refused)
        self._known = generation
        return signer

    @property
    def certificate(self) -> Certificate:
        """Of the newest generation, whoever asked before. Raises Unavailable."""
        return self._latest()[1]

    def rotate_if_due(self) -> bool:
        """Make the next generation when a third of the newest one's life is left, unless it
        would end with that one: both end with the authority at the latest.

        Raises Unavailable from token or database; what was begun is finished by a later call.
        """
        if not self._authority.is_present:
            return False  # a root that is away certifies in its next session
        _, newest = self._latest()
        now, issuer = self._clock.now(), self._authority.certificate
        if issuer is None or newest.not_after >= issuer.not_after or now >= issuer.not_after:
            return False
        left = newest.not_after - now
        if left > (newest.not_after - newest.not_before) / 3:
            return False
        generation = self._claim()
        if generation is None:
            return False
        label = self._label(generation)
        certificate = self._certified(label)
        self._token.write_certificate(label, certificate.der)
        with self._database.transaction() as connection:
            connection.execute(
                update(ocsp_responders)
                .where(_COLUMNS.authority == self._authority.name)
                .where(_COLUMNS.generation == generation)
                .values(certificate=certificate.der)
            )
            self._journal.append(
                connection,
                Event.RESPONDER_ROTATED,
                subject=label,
                actor="system",
                authority=self._authority.name,
                serial=serial_text(certificate.serial),
                key=certificate.public_key.fingerprint,
                until=certificate.not_after.isoformat(),
            )
        return True

    def _latest(self) -> tuple[int, Certificate]:
        query = (
            select(_COLUMNS.generation, _COLUMNS.certificate)
            .where(_COLUMNS.authority == self._authority.name)
            .where(_COLUMNS.certificate.is_not(None))
            .order_by(_COLUMNS.generation.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return (0, self._first) if row is None else (row[0], Certificate.parse(bytes(row[1])))

    def _claim(self) -> int | None:
        """The generation to make now; None: another node is making it."""
        now = self._clock.now()
        query = (
            select(_COLUMNS.generation, _COLUMNS.certificate, _COLUMNS.claimed_at)
            .where(_COLUMNS.authority == self._authority.name)
            .order_by(_COLUMNS.generation.desc())
            .limit(1)
            .with_for_update()
        )
        try:
            with self._database.transaction() as connection:
                row = connection.execute(query).one_or_none()
                if row is not None and row.certificate is None:
                    if row.claimed_at > now - _STALE_CLAIM:
                        return None
                    claim = update(ocsp_responders).where(
                        _COLUMNS.authority == self._authority.name,
                        _COLUMNS.generation == row.generation,
                    )
                    connection.execute(claim.values(claimed_at=now))
                    return int(row.generation)
                generation = 1 if row is None else row.generation + 1
                values = {
                    "authority": self._authority.name,
                    "generation": generation,
                    "label": self._label(generation),
                    "claimed_at": now,
                }
                connection.execute(insert(ocsp_responders), values)
                return int(generation)
        except IntegrityError:
            return None

    def _certified(self, label: str) -> Certificate:
        """The certificate of this generation; key and certificate are made where missing."""
        reference = f"responder:{label}"
        for record in self._inventory.by_reference(reference):
            if record.state is CertificateState.ISSUED and record.certificate is not None:
                return record.certificate
        if label in self._token.key_labels():
            key = self._token.key(label, self._suite)
        else:
            key = self._token.generate_shared(label, self._suite)
        organization, common_name = (self._first.attribute(oid) for oid in ("2.5.4.10", "2.5.4.3"))
        if organization is None or common_name is None:
            raise Unavailable("ocsp.nameless", "the ceremony's responder has no full name")
        request = CertificateRequest(
            key.public_key,
            SubjectFields(organization=organization, common_name=common_name),
            requester="system",
            reference=reference,
        )
        return self._authority.issue(self._authority.prepare(self._profile, request)).certificate

    def _label(self, generation: int) -> str:
        own = self._authority.name
        stem = self._profile if own in ("root", "issuing") else f"{own}-ocsp"
        return f"{stem}-{generation}"
