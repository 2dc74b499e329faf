"""Certificate revocation lists (RFC 5280, 5): complete, partitioned and delta.

A number is drawn and the entries are read in one transaction, so that a higher number never
tells less; a process killed while signing leaves a gap in the numbers and nothing else. All lists
of an authority share one counter, as a list and its deltas must (5.2.3).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from ca import inventory
from ca.authority import DIRECTORY_CHANNEL
from ca.crl import archive as crl_archive
from ca.crl import entries as crl_entries
from ca.crl.archive import CrlHeading, StoredCrl
from ca.crl.entries import Joined
from ca.crl.template import ListFrame, joined_sequence, tbs_cert_list
from ca.issuing.addresses import StatusAddresses
from ca.linting.lists import ListLinter
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.keys import KeyHandle
from kernel.refusals import Unavailable, Unprocessable
from policies.lints.framework import Finding, Level
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.outbox import Outbox

DEFAULT_LIFETIME = timedelta(days=7)
_DELTAS_IN_A_LIFETIME = 7
_HEAD = 4096


@dataclass(frozen=True)
class ListPlan:
    """How an authority's lists are split and how often they are made."""

    addresses: StatusAddresses | None = None
    """Where lists are found. None: neither parts nor delta lists."""
    shards: int = 0
    """Parts beside the complete list; parts once made are kept up when this becomes less."""
    complete_pause: timedelta = timedelta(0)
    """A change is told by a delta list until the complete list is this old. 0: by both."""


@dataclass(frozen=True)
class _Draft:
    shard: int
    frame: ListFrame
    status_version: int
    tbs: bytes
    head: Joined
    """How many entries there are, and the first of them, for pkilint."""


class CrlIssuer:
    """Issues the revocation lists of one authority."""

    def __init__(
        self,
        authority: str,
        certificate: Certificate,
        key: KeyHandle,
        database: Database,
        journal: Journal,
        outbox: Outbox,
        clock: Clock,
        lifetime: timedelta = DEFAULT_LIFETIME,
        plan: ListPlan | None = None,
    ) -> None:
        """`lifetime`: thisUpdate to nextUpdate of complete lists; delta lists have a seventh.

        Raises Unavailable `authority.wrong-key` when the key is not the certificate's.
        """
        if certificate.spki != key.public_key.spki:
            raise Unavailable(
                "authority.wrong-key", "the key is not the certificate's", name=authority
            )
        self.authority = authority
        self._certificate = certificate
        self._key = key
        self._database = database
        self._journal = journal
        self._outbox = outbox
        self._clock = clock
        self._lifetime = lifetime
        self._plan = plan or ListPlan()
        self._linter = ListLinter()

    # -- what is due ---------------------------------------------------------------------------

    def current(self, shard: int = 0) -> StoredCrl:
        """The latest complete list (of a part) if it is true and not half over; else a new one."""
        with self._database.reading() as connection:
            known = crl_archive.heading(connection, self.authority, shard, delta=False)
            if known is not None and not self._is_due(connection, shard, known):
                stored = crl_archive.latest(connection, self.authority, shard)
                if stored is not None:
                    return stored
        return self.issue(shard=shard)

    def renew(self, pause: timedelta = timedelta(0)) -> list[StoredCrl]:
        """Issue every list that is no longer true or half over, no part more often than `pause`.

        An authority whose certificate has ended makes none. Safe beside other nodes: at worst two
        make the same list, under two numbers.
        """
        if self.has_ended:
            return []
        with self._database.reading() as connection:
            made_before = crl_archive.highest_shard(connection, self.authority)
        made: list[StoredCrl] = []
        for shard in range(max(self._plan.shards, made_before) + 1):
            made += self._renew(shard, pause)
        return made

    def _renew(self, shard: int, pause: timedelta) -> list[StoredCrl]:
        now = self._clock.now()
        with self._database.reading() as connection:
            complete = crl_archive.heading(connection, self.authority, shard, delta=False)
            delta = crl_archive.heading(connection, self.authority, shard, delta=True)
            if complete is None:
                return self._issue_both(shard, "system")
            newest = complete
            if delta is not None and delta.number > complete.number:
                newest = delta
            if now < newest.this_update + pause:
                return []
            is_complete_due = self._is_due(connection, shard, complete)
            is_delta_due = delta is not None and self._is_due(connection, shard, newest)
            if delta is not None and self._is_old(delta):
                is_delta_due = True
        young = now < complete.this_update + self._plan.complete_pause
        waits = young and not self._is_old(complete)
        if is_complete_due and not (waits and self._has_deltas):
            return self._issue_both(shard, "system")
        return [self.issue_delta(shard=shard)] if self._has_deltas and is_delta_due else []

    def _is_due(self, connection: Connection, shard: int, known: CrlHeading) -> bool:
        if self._is_old(known):
            return True
        return crl_entries.changed(connection, self.authority, shard, known.status_version)

    def _is_old(self, known: CrlHeading) -> bool:
        """Half over, and a new one would last longer."""
        end = known.this_update + (known.next_update - known.this_update) / 2
        return self._clock.now() >= end and known.next_update < self._end

    @property
    def _end(self) -> datetime:
        """Of the authority, and of its last list."""
        return self._certificate.not_after

    @property
    def has_ended(self) -> bool:
        """With the authority's certificate: a list would end when it begins."""
        return self._clock.now().replace(microsecond=0) >= self._end

    @property
    def _has_deltas(self) -> bool:
        return self._plan.addresses is not None

    # -- issue ---------------------------------------------------------------------------------

    def issue(self, actor: str = "system", *, shard: int = 0) -> StoredCrl:
        """A complete list of everything or of one part, and a delta list of the same number.

        Lint, sign in the token, verify, record. Raises Unavailable from token or database,
        Unprocessable `lint.failed`, `validity.issuer-expired`.
        """
        return self._issue_both(shard, actor)[0]

    def issue_delta(self, actor: str = "system", *, shard: int = 0) -> StoredCrl:
        """A delta list upon the latest complete one. Raises as `issue`; Unavailable `crl.no-base`
        before the first complete list."""
        with self._database.transaction() as connection:
            base = crl_archive.heading(connection, self.authority, shard, delta=False)
            if base is None:
                raise Unavailable("crl.no-base", "no complete list to start from")
            number = crl_archive.next_number(connection, self.authority)
            draft = self._draft(connection, shard, number, base)
            self._intend(connection, draft, actor)
        return self._sign_and_store([draft], actor)[0]

    def _issue_both(self, shard: int, actor: str) -> list[StoredCrl]:
        if shard and self._plan.addresses is None:
            raise Unavailable("crl.no-address", "a part of a list has an address")
        with self._database.transaction() as connection:
            number = crl_archive.next_number(connection, self.authority)
            drafts = [self._draft(connection, shard, number, None)]
            if self._has_deltas:
                base = crl_archive.heading(connection, self.authority, shard, delta=False)
                drafts.append(self._draft(connection, shard, number, base or _itself(drafts[0])))
            for draft in drafts:
                self._intend(connection, draft, actor)
        return self._sign_and_store(drafts, actor)

    def _draft(
        self, connection: Connection, shard: int, number: int, base: CrlHeading | None
    ) -> _Draft:
        """Of a delta list upon `base`, or of a complete list."""
        now = self._clock.now().replace(microsecond=0)
        if self.has_ended:
            raise Unprocessable("validity.issuer-expired", "the authority's certificate has ended")
        # The version before the entries: what comes between is told twice, never left out.
        version = inventory.status_version(connection, self.authority)
        lifetime = self._lifetime
        if base is None:
            # An entry stays for one list beyond the certificate's end (RFC 5280, 3.3).
            entries = crl_entries.complete(connection, self.authority, shard, now - self._lifetime)
        else:
            lifetime /= _DELTAS_IN_A_LIFETIME
            entries = crl_entries.since(connection, self.authority, shard, base.status_version)
        addresses = self._plan.addresses
        is_delta = base is not None
        frame = ListFrame(
            number,
            now,
            min(now + lifetime, self._end).replace(microsecond=0),
            addresses.crl(self.authority, shard) if shard and addresses else None,
            base.number if base else None,
            None if is_delta or not addresses else addresses.delta_crl(self.authority, shard),
        )
        tbs = tbs_cert_list(self._certificate, self._key.suite, frame, entries)
        head = Joined(entries.count, entries.der[:_HEAD])
        return _Draft(shard, frame, version, tbs, head)

    def _intend(self, connection: Connection, draft: _Draft, actor: str) -> None:
        self._journal.append(
            connection,
            Event.CRL_INTENDED,
            subject=self.authority,
            actor=actor,
            number=draft.frame.number,
            entries=draft.head.count,
            shard=draft.shard,
            base=draft.frame.base_number,
        )

    def _sign_and_store(self, drafts: list[_Draft], actor: str) -> list[StoredCrl]:
        made = []
        while drafts:  # each let go when it is signed: it may be many megabytes
            made.append(self._sign(drafts.pop(0)))
        with self._database.transaction() as connection:
            for crl in made:
                crl_archive.store(connection, crl)
                self._journal.append(
                    connection,
                    Event.CRL_ISSUED,
                    subject=self.authority,
                    actor=actor,
                    number=crl.number,
                    entries=crl.entries,
                    shard=crl.shard,
                    base=crl.base_number,
                    sha256=crl.fingerprint,
                )
                payload = {"kind": "crl", "authority": self.authority, "shard": crl.shard}
                if crl.is_delta:
                    payload["delta"] = True
                self._outbox.put(connection, DIRECTORY_CHANNEL, payload)
        return made

    def _sign(self, draft: _Draft) -> StoredCrl:
        suite, frame, tbs = self._key.suite, draft.frame, draft.tbs
        findings = self._linter.findings(tbs, self._certificate, suite, frame, draft.head)
        for found in findings:
            if found.level is Level.ERROR:
                self._tell_refusal(draft, found)
                raise Unprocessable(
                    "lint.failed", f"{found.message} ({found.clause})", lint=found.lint
                )
        signature = self._key.sign(tbs)
        if not self._key.public_key.verify(suite, signature, tbs):
            raise Unavailable("token.wrong-key", "a signature of the token does not verify")
        return StoredCrl(
            self.authority,
            frame.number,
            frame.this_update,
            frame.next_update,
            draft.status_version,
            draft.head.count,
            joined_sequence(tbs, suite.signature_algorithm, der.bit_string(signature)),
            draft.shard,
            frame.base_number,
        )

    def _tell_refusal(self, draft: _Draft, found: Finding) -> None:
        with self._database.transaction() as connection:
            self._journal.append(
                connection,
                Event.CRL_REFUSED,
                subject=self.authority,
                actor="system",
                number=draft.frame.number,
                shard=draft.shard,
                lint=found.lint,
            )


def _itself(draft: _Draft) -> CrlHeading:
    """The first complete list of all is the base of the delta list beside it."""
    frame = draft.frame
    return CrlHeading(frame.number, frame.this_update, frame.next_update, draft.status_version)
