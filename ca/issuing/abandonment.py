"""Intents that are given up: they may have been signed, so that they count as revoked."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from ca import inventory, transitions
from ca.crl.entry import crl_entry
from ca.inventory import CertificateState, RevocationReason
from kernel.identifiers import Serial, parse_serial
from records.events import Event
from records.journal import Journal


def abandon(
    connection: Connection,
    journal: Journal,
    authority: str,
    intents: Sequence[tuple[str, str, str]],
    now: datetime,
) -> list[Serial]:
    """Intents (serial, profile, reference) of an authority that are still open count as revoked
    from now on; which they were."""
    abandoned = []
    inventory.lock(connection, [parse_serial(serial) for serial, _, _ in intents])
    version = transitions.bump_status_version(connection, authority) if intents else 0
    for serial, profile, reference in intents:
        entry = crl_entry(parse_serial(serial), now, RevocationReason.UNSPECIFIED)
        moved = transitions.record_revoked(
            connection,
            serial,
            before=(CertificateState.INTENDED,),
            after=CertificateState.ABANDONED,
            at=now,
            reason=RevocationReason.UNSPECIFIED,
            crl_entry=entry,
            version=version,
        )
        if moved:
            abandoned.append(parse_serial(serial))
            journal.append(
                connection,
                Event.CERTIFICATE_ABANDONED,
                subject=serial,
                actor="system",
                authority=authority,
                profile=profile,
                reference=reference,
            )
    return abandoned
