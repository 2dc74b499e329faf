"""What is to be done with one batch of a re-issue: read in one view, a few statements for all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from sqlalchemy import Connection, select

from ca import inventory
from ca.inventory import CertificateRecord, CertificateState, RevocationReason
from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields
from ca.mass.successors import predecessors
from ca.tables import certificates
from kernel.asn1.certificate import Certificate
from kernel.identifiers import ProfileName, Serial, serial_text
from policies.oids import SUBJECT_ATTRIBUTES

REQUESTER = "reissue"


class Outcome(StrEnum):
    """What became of one certificate of a job."""

    REISSUED = "reissued"
    ENDED = "ended"
    """Revoked or expired since the job was planned."""
    REFUSED = "refused"
    """The new authority refused it: profile, lint or key. The journal says why."""
    HELD = "held"
    """On hold; taken up again when the hold ends, so that it is no end."""


@dataclass(frozen=True)
class Settled:
    """An outcome to be noted."""

    position: int
    serial: str
    outcome: Outcome
    made: str | None = None
    """Serial number of the new certificate."""
    ties: bool = True
    """False: somebody else had it made, so that it does not end with the old one."""


@dataclass(frozen=True)
class Wanted:
    """A certificate to be issued."""

    position: int
    serial: str
    profile: ProfileName
    request: CertificateRequest


ON_HOLD = (certificates.c.state == CertificateState.REVOKED) & (
    certificates.c.reason == RevocationReason.CERTIFICATE_HOLD
)


@dataclass(frozen=True)
class _Made:
    """A certificate of the same key under the new authority."""

    serial: str
    state: str
    requester: str


def look(
    connection: Connection, items: Sequence[tuple[int, str]], authority: str
) -> tuple[list[Settled], list[Wanted]]:
    """What is settled already, and what is to be issued by the new `authority`.

    Of the `items` (position, serial) those are in neither that a process is issuing now, or that
    are to be reconciled. What a dead process issued is found: also of a certificate that has
    ended since, with which it is to end.
    """
    records = inventory.several(connection, [serial for _, serial in items])
    beside = inventory.several(connection, _companions(records.values()))
    made = _made_before(connection, records.values(), authority)
    settled, wanted = [], []
    for position, serial in items:
        record = records.get(serial)
        if record is None or record.der is None:
            settled.append(Settled(position, serial, Outcome.ENDED))
            continue
        known = made.get(record.key_fingerprint)
        if known is not None and known.state == CertificateState.INTENDED:
            continue
        ours = known is not None and known.requester == REQUESTER
        if known is not None and (ours or record.state is CertificateState.ISSUED):
            done = Settled(position, serial, Outcome.REISSUED, known.serial, ties=ours)
            settled.append(done)
        elif record.state is CertificateState.ISSUED:
            request = _request(connection, record, beside)
            wanted.append(Wanted(position, serial, record.profile, request))
        else:
            settled.append(Settled(position, serial, end_of(record)))
    return settled, wanted


def end_of(record: CertificateRecord | None) -> Outcome:
    """Of a certificate for which no other was issued."""
    if record is not None and record.reason is RevocationReason.CERTIFICATE_HOLD:
        return Outcome.HELD
    is_live = record is not None and record.state is CertificateState.ISSUED
    return Outcome.REFUSED if is_live else Outcome.ENDED


def _companions(records: Iterable[CertificateRecord]) -> list[str]:
    return [serial_text(each.companion_of) for each in records if each.companion_of is not None]


def _made_before(
    connection: Connection, records: Iterable[CertificateRecord], authority: str
) -> dict[str, _Made]:
    """By the key's fingerprint; one that is issued before one that is being issued."""
    columns = certificates.c
    query = select(columns.key_fingerprint, columns.serial, columns.state, columns.requester).where(
        columns.key_fingerprint.in_({each.key_fingerprint for each in records}),
        columns.authority == authority,
        columns.state.in_([CertificateState.INTENDED, CertificateState.ISSUED]) | ON_HOLD,
    )
    found: dict[str, _Made] = {}
    for row in connection.execute(query):
        before = found.get(row.key_fingerprint)
        if before is None or before.state == CertificateState.INTENDED:
            found[row.key_fingerprint] = _Made(row.serial, row.state, row.requester)
    return found


def _request(
    connection: Connection, record: CertificateRecord, beside: Mapping[str, CertificateRecord]
) -> CertificateRequest:
    assert record.der is not None
    certificate = Certificate.parse(record.der)
    before: list[Certificate] = []
    if record.companion_of is not None:  # those that it was itself re-issued for
        before = [*predecessors(connection, certificate)]
    return CertificateRequest(
        certificate.public_key,
        _subject_fields(certificate),
        requester=REQUESTER,
        reference=record.reference,
        not_after=record.not_after,
        dns_names=_dns_names(certificate),
        succeeds=(record.serial, *(each.serial for each in before)),
        companion_of=_signing_of(record, beside),
    )


def _signing_of(
    record: CertificateRecord, beside: Mapping[str, CertificateRecord]
) -> Serial | None:
    """The signing certificate that one for encryption goes with. What itself was re-issued goes
    with one of its own key, and is no companion when it is asked for."""
    if record.companion_of is None:
        return None
    other = beside.get(serial_text(record.companion_of))
    if other is None or other.key_fingerprint == record.key_fingerprint:
        return None
    return other.serial


def _subject_fields(certificate: Certificate) -> SubjectFields:
    given = {name: certificate.attribute(oid) for name, oid in SUBJECT_ATTRIBUTES.items()}
    return SubjectFields(**{name: value for name, value in given.items() if value is not None})


def _dns_names(certificate: Certificate) -> tuple[str, ...]:
    parsed = x509.load_der_x509_certificate(certificate.der)
    try:
        names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.value.get_values_for_type(x509.DNSName))
