"""Full certificate revocation lists (RFC 5280, 5), joined from ready DER entries.

The number is drawn and the entries are read in one transaction, so that a higher number never
tells less; a process killed while signing leaves a gap in the numbers and nothing else.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from ca import crl_archive, inventory
from ca.authority import DIRECTORY_CHANNEL
from ca.crl_archive import StoredCrl
from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.keys import KeyHandle
from kernel.refusals import Unavailable
from records.database import Database
from records.events import Event
from records.journal import Journal
from records.outbox import Outbox

_VERSION_2 = der.integer(1)
_CRL_NUMBER = der.oid("2.5.29.20")
_AUTHORITY_KEY_IDENTIFIER = der.oid("2.5.29.35")
DEFAULT_LIFETIME = timedelta(days=7)


@dataclass(frozen=True)
class _Draft:
    number: int
    tbs: bytes
    this_update: datetime
    next_update: datetime
    status_version: int
    entries: int


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
    ) -> None:
        """`lifetime`: thisUpdate to nextUpdate.

        Raises Unavailable `authority.wrong-key` when the key is not the certificate's.
        """
        if certificate.spki != key.public_key.spki:
            raise Unavailable(
                "authority.wrong-key", "the key is not the certificate's", name=authority
            )
        self._authority = authority
        self._certificate = certificate
        self._key = key
        self._database = database
        self._journal = journal
        self._outbox = outbox
        self._clock = clock
        self._lifetime = lifetime

    def current(self) -> StoredCrl:
        """The latest list if nothing changed since and half its life is left; else a new one."""
        with self._database.reading() as connection:
            latest = crl_archive.latest(connection, self._authority)
            version = inventory.status_version(connection, self._authority)
        now = self._clock.now()
        if latest is None or latest.status_version != version:
            return self.issue()
        half = latest.this_update + (latest.next_update - latest.this_update) / 2
        return latest if now < half else self.issue()

    def issue(self, actor: str = "system") -> StoredCrl:
        """Build, sign in the token, verify, record. Raises Unavailable from token or database."""
        draft = self._prepare(actor)
        suite = self._key.suite
        signature = self._key.sign(draft.tbs)
        if not self._key.public_key.verify(suite, signature, draft.tbs):
            raise Unavailable("token.wrong-key", "a signature of the token does not verify")
        signed = der.sequence(draft.tbs, suite.signature_algorithm, der.bit_string(signature))
        crl = StoredCrl(
            self._authority,
            draft.number,
            draft.this_update,
            draft.next_update,
            draft.status_version,
            draft.entries,
            signed,
        )
        with self._database.transaction() as connection:
            crl_archive.store(connection, crl)
            self._journal.append(
                connection,
                Event.CRL_ISSUED,
                subject=self._authority,
                actor=actor,
                number=crl.number,
                entries=crl.entries,
                sha256=crl.fingerprint,
            )
            payload = {"kind": "crl", "authority": self._authority}
            self._outbox.put(connection, DIRECTORY_CHANNEL, payload)
        return crl

    def _prepare(self, actor: str) -> _Draft:
        with self._database.transaction() as connection:
            number = crl_archive.next_number(connection, self._authority)
            now = self._clock.now().replace(microsecond=0)
            version = inventory.status_version(connection, self._authority)
            # An entry stays for one list beyond the certificate's end (RFC 5280, 3.3).
            entries = inventory.crl_entries(connection, self._authority, now - self._lifetime)
            self._journal.append(
                connection,
                Event.CRL_INTENDED,
                subject=self._authority,
                actor=actor,
                number=number,
                entries=len(entries),
            )
        next_update = min(now + self._lifetime, self._certificate.not_after)
        tbs = tbs_cert_list(self._certificate, self._key.suite, number, now, next_update, entries)
        return _Draft(number, tbs, now, next_update, version, len(entries))


def tbs_cert_list(
    issuer: Certificate,
    suite: AlgorithmSuite,
    number: int,
    this_update: datetime,
    next_update: datetime,
    entries: list[bytes],
) -> bytes:
    """TBSCertList (RFC 5280, 5.1.2), version 2, with authorityKeyIdentifier and cRLNumber.

    Raises Unavailable `issuer.key-identifier`.
    """
    identifier = issuer.subject_key_identifier
    if identifier is None:
        raise Unavailable("issuer.key-identifier", "the issuer has no key identifier")
    authority_key = der.sequence(der.implicit(0, identifier))
    extensions = der.sequence(
        der.sequence(_AUTHORITY_KEY_IDENTIFIER, der.octet_string(authority_key)),
        der.sequence(_CRL_NUMBER, der.octet_string(der.integer(number))),
    )
    parts = [
        _VERSION_2,
        suite.signature_algorithm,
        issuer.subject_der,
        der.time(this_update),
        der.time(next_update),
    ]
    if entries:  # absent when there is none (5.1.2.6)
        parts.append(der.sequence(*entries))
    parts.append(der.explicit(0, extensions))
    return der.sequence(*parts)
