"""Moves of a certificate between its states, and the rows that they write.

Each is a conditional update: the row decides, so two processes never both succeed.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, text, update
from sqlalchemy.exc import IntegrityError

from ca.crl import entries as crl_entries
from ca.inventory import CertificateState, RevocationReason
from ca.tables import certificates
from kernel.asn1.certificate import Certificate
from kernel.identifiers import Serial, serial_text
from kernel.refusals import Conflict
from records.bulk import insert_rows

# Statements on the path of every certificate, built once.
_RECORD_ISSUED = (
    update(certificates)
    .where(
        certificates.c.serial == bindparam("of_serial"),
        certificates.c.state == CertificateState.INTENDED,
        certificates.c.tbs == bindparam("signed_tbs"),
    )
    .values(
        state=CertificateState.ISSUED,
        certificate=bindparam("certificate"),
        issued_at=bindparam("issued_at"),
        tbs=None,
    )
)
_RECORD_ISSUED_AT_ONCE = text(
    "UPDATE ca_certificates AS known SET state = 'issued', certificate = made.certificate, "
    "issued_at = :at, tbs = NULL "
    "FROM unnest(CAST(:serials AS text[]), CAST(:signed AS bytea[]), "
    "CAST(:certificates AS bytea[])) AS made (serial, tbs, certificate) "
    "WHERE known.serial = made.serial AND known.state = 'intended' AND known.tbs = made.tbs"
)
_BUMP = text(
    "INSERT INTO ca_status_versions (authority, version) VALUES (:authority, 1) "
    "ON CONFLICT (authority) DO UPDATE SET version = ca_status_versions.version + 1 "
    "RETURNING version"
)


def intent_row(
    specimen: Certificate,
    *,
    authority: str,
    profile: str,
    profile_digest: str,
    requester: str,
    reference: str,
    at: datetime,
    crl_shard: int = 0,
    crl_keep: timedelta = timedelta(0),
    companion_of: Serial | None = None,
) -> dict[str, Any]:
    """The row of a certificate that is about to be signed.

    `crl_keep`: how long after its end a revoked certificate stays on the lists. `companion_of`:
    the signing certificate that it ends with.
    """
    fingerprint = specimen.public_key.fingerprint
    return {
        "serial": serial_text(specimen.serial),
        "authority": authority,
        "profile": profile,
        "profile_digest": profile_digest,
        "state": CertificateState.INTENDED,
        "subject": specimen.subject_text()[:1000],
        "subject_digest": _subject_digest(specimen),
        "key_fingerprint": fingerprint,
        "live_key": fingerprint,
        "requester": requester[:200],
        "reference": reference[:200],
        "not_before": specimen.not_before,
        "not_after": specimen.not_after,
        "tbs": specimen.tbs,
        "intended_at": at,
        "crl_shard": crl_shard,
        "crl_until": specimen.not_after + crl_keep,
        "companion_of": None if companion_of is None else serial_text(companion_of),
    }


def _subject_digest(certificate: Certificate) -> str:
    return hashlib.sha256(certificate.subject_der).hexdigest()


def insert_intents(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Raises Conflict `public-key.already-certified`: another process was faster."""
    try:
        insert_rows(connection, certificates, rows)
    except IntegrityError as error:
        raise already_certified() from error


def already_certified() -> Conflict:
    return Conflict("public-key.already-certified", "a certificate for this key exists already")


def release_key(connection: Connection, serials: Iterable[str]) -> None:
    """Say that these certificates, expired, no longer hold their key."""
    connection.execute(
        update(certificates).where(certificates.c.serial.in_(list(serials))).values(live_key=None)
    )


def record_issued(
    connection: Connection, made: Sequence[tuple[Serial, bytes, bytes]], at: datetime
) -> bool:
    """Intended -> issued, where the recorded intent holds the very bytes. False: not for all.

    `made`: serial number, to-be-signed bytes and certificate of each.
    """
    if connection.dialect.name == "postgresql" and made:
        columns = {
            "serials": [serial_text(serial) for serial, _, _ in made],
            "signed": [tbs for _, tbs, _ in made],
            "certificates": [certificate for _, _, certificate in made],
            "at": at,
        }
        return connection.execute(_RECORD_ISSUED_AT_ONCE, columns).rowcount == len(made)
    issued = [
        {
            "of_serial": serial_text(serial),
            "signed_tbs": tbs,
            "certificate": certificate,
            "issued_at": at,
        }
        for serial, tbs, certificate in made
    ]
    return connection.execute(_RECORD_ISSUED, issued).rowcount == len(issued)


def record_revoked(
    connection: Connection,
    serial: str,
    *,
    before: tuple[CertificateState, ...],
    after: CertificateState,
    at: datetime,
    reason: RevocationReason,
    crl_entry: bytes,
    version: int,
) -> bool:
    """Move to `after`; False when the row is in none of the states `before`.

    A certificate on hold keeps its key: nobody else may be given it meanwhile.
    """
    values: dict[str, Any] = {
        "state": after,
        "revoked_at": at,
        "reason": reason,
    }
    if reason is not RevocationReason.CERTIFICATE_HOLD:
        values["live_key"] = None
    done = connection.execute(
        update(certificates)
        .where(certificates.c.serial == serial, certificates.c.state.in_(before))
        .values(**values)
    )
    crl_entries.put(connection, [crl_entries.Change(serial, crl_entry)][: done.rowcount], version)
    return done.rowcount == 1


def record_released(connection: Connection, serial: str, removal: bytes, version: int) -> bool:
    """Hold -> issued again; `removal` is what delta lists tell of it."""
    done = connection.execute(
        update(certificates)
        .where(
            certificates.c.serial == serial,
            certificates.c.state == CertificateState.REVOKED,
            certificates.c.reason == RevocationReason.CERTIFICATE_HOLD,
        )
        .values(
            state=CertificateState.ISSUED,
            revoked_at=None,
            reason=None,
        )
    )
    told = [crl_entries.Change(serial, removal, listed=False)]
    crl_entries.put(connection, told[: done.rowcount], version)
    return done.rowcount == 1


def bump_status_version(connection: Connection, authority: str) -> int:
    """Count a change of status, in the transaction that makes it; locks the counter's row."""
    return int(connection.execute(_BUMP, {"authority": authority}).scalar_one())
