"""Re-issue under a new authority: every live certificate of the old one, in one recorded job.

Each gets a second certificate of the same key, subject and end, from the new authority. The old
one stays valid: both chains hold during the change. The new one ends with the old one, whoever
revokes that. A job is recorded whole before it begins; it is run in batches, by any node, and
goes on where a dead process left it: what that one issued is found and kept. A certificate on
hold gets its successor when the hold ends; until then the job waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from cryptography import x509
from sqlalchemy import ColumnElement, Connection, func, insert, literal, not_, or_, select, update

from ca import inventory
from ca.authority import Authority
from ca.inventory import CertificateRecord, CertificateState, RevocationReason
from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields
from ca.mass.successors import predecessors
from ca.revocation import Revocation
from ca.tables import certificates, reissue_items, reissues
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.identifiers import Serial, parse_serial, serial_text
from kernel.refusals import Conflict, NotFound, Refusal, Unavailable
from policies.oids import SUBJECT_ATTRIBUTES
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

_BATCH = 200
_SERVICES = ("ceremony:%", "responder:%")
"""References of the house's own certificates; those are made anew by ceremonies and rotation."""
_OPEN_AT_LEAST = timedelta(days=1)
"""A certificate that ends sooner is not worth a successor."""


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
class ReissueProgress:
    job: str
    total: int
    reissued: int
    ended: int
    refused: int
    held: int
    """On hold: left, but for later."""

    @property
    def left(self) -> int:
        return self.total - self.reissued - self.ended - self.refused


class Reissue:
    """Plans and runs re-issues."""

    def __init__(
        self, database: Database, journal: Journal, clock: Clock, revocation: Revocation
    ) -> None:
        self._revocation = revocation
        self._database = database
        self._journal = journal
        self._clock = clock

    def plan(self, old: str, new: str, actor: str) -> str:
        """Record the job; its identifier. Nothing is issued yet.

        Raises Conflict `reissue.same-authority`; Unavailable.
        """
        if old == new:
            raise Conflict("reissue.same-authority", "old and new authority are the same")
        job, columns = new_id(), certificates.c
        numbered = (
            select(
                func.row_number().over(order_by=columns.serial).label("position"), columns.serial
            )
            .where(
                columns.authority == old,
                or_(columns.state == CertificateState.ISSUED, _ON_HOLD),
                columns.not_after > self._clock.now() + _OPEN_AT_LEAST,
                not_(or_(*(columns.reference.like(each) for each in _SERVICES))),
            )
            .subquery()
        )
        chosen = select(literal(job).label("job"), numbered.c.position, numbered.c.serial)
        with self._database.transaction() as connection:
            connection.execute(
                insert(reissue_items).from_select(["job", "position", "serial"], chosen)
            )
            total = connection.execute(
                select(func.count()).select_from(reissue_items).where(reissue_items.c.job == job)
            ).scalar_one()
            values = {
                "id": job,
                "old_authority": old,
                "new_authority": new,
                "actor": actor[:200],
                "total": total,
                "created_at": self._clock.now(),
            }
            connection.execute(insert(reissues), values)
            self._journal.append(
                connection, Event.REISSUE_PLANNED, subject=job, actor=actor, old=old, new=new,
                total=total,
            )  # fmt: skip
        return job

    def unfinished(self) -> list[str]:
        """Jobs that are not done, oldest first."""
        query = select(reissues.c.id).where(reissues.c.finished_at.is_(None))
        with self._database.reading() as connection:
            return list(connection.execute(query.order_by(reissues.c.created_at)).scalars())

    def has_work(self) -> bool:
        """Whether a run would do anything: jobs that only wait for holds to end need none."""
        return any(self._has_work(job) for job in self.unfinished())

    def _has_work(self, job: str) -> bool:
        items = reissue_items.c
        with self._database.reading() as connection:
            mine = select(items.outcome).where(items.job == job)
            is_open = connection.execute(mine.where(items.outcome.is_(None)).limit(1)).first()
            held = connection.execute(mine.where(items.outcome == Outcome.HELD).limit(1)).first()
            released = connection.execute(mine.where(_released(job)).limit(1)).first()
        return is_open is not None or held is None or released is not None

    def new_authority_of(self, job: str) -> str:
        """Raises NotFound `reissue.unknown`."""
        query = select(reissues.c.new_authority).where(reissues.c.id == job)
        with self._database.reading() as connection:
            found = connection.execute(query).scalar()
        if found is None:
            raise NotFound("reissue.unknown", "no such job", job=job)
        return str(found)

    def run(
        self, job: str, authority: Authority, *, batch: int = _BATCH, batches: int | None = None
    ) -> ReissueProgress:
        """Do what is left, or at most so many batches of it. `authority`: the new one.

        Raises NotFound `reissue.unknown`, Conflict `reissue.other-authority`; Unavailable, after
        which it can be run again.
        """
        if self.new_authority_of(job) != authority.name:
            raise Conflict("reissue.other-authority", "the job names another new authority")
        self._take_up_released(job)
        done = 0
        after = 0
        while batches is None or done < batches:
            items = self._open_items(job, after, batch)
            if not items:
                break
            for position, serial in items:
                self._one(job, position, serial, authority)
            after = items[-1][0]
            done += 1
        self._finish(job)
        return self.progress(job)

    def progress(self, job: str) -> ReissueProgress:
        """Raises NotFound `reissue.unknown`."""
        query = select(reissue_items.c.outcome, func.count()).where(reissue_items.c.job == job)
        with self._database.reading() as connection:
            total = connection.execute(
                select(reissues.c.total).where(reissues.c.id == job)
            ).scalar()
            rows = connection.execute(query.group_by(reissue_items.c.outcome)).all()
        if total is None:
            raise NotFound("reissue.unknown", "no such job", job=job)
        counts = {row[0]: row[1] for row in rows}
        return ReissueProgress(job, total, *(counts.get(outcome, 0) for outcome in Outcome))

    def _open_items(self, job: str, after: int, size: int) -> Sequence[tuple[int, str]]:
        query = (
            select(reissue_items.c.position, reissue_items.c.serial)
            .where(
                reissue_items.c.job == job,
                reissue_items.c.outcome.is_(None),
                reissue_items.c.position > after,
            )
            .order_by(reissue_items.c.position)
            .limit(size)
        )
        with self._database.reading() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def _one(self, job: str, position: int, serial: str, authority: Authority) -> None:
        """A refusal of one holds up no other; what is unsettled stays open for the next run."""
        with self._database.reading() as connection:
            record = inventory.find(connection, parse_serial(serial))
            signing = None if record is None else _signing_of(connection, record)
            older = None if record is None else record.certificate
            before = [] if older is None else [*predecessors(connection, older)]
        if record is not None and record.reason is RevocationReason.CERTIFICATE_HOLD:
            self._note(job, position, Outcome.HELD)
            return
        if record is None or record.state is not CertificateState.ISSUED or record.der is None:
            self._note(job, position, Outcome.ENDED)
            return
        made, unsettled = self._made_before(record, authority.name)
        if unsettled:
            return
        if made is None:
            try:
                intent = authority.prepare(record.profile, _request(record, signing, before))
                made = authority.issue(intent).serial
            except Unavailable:
                raise
            except Refusal:
                held = self._is_held(record.serial)  # since it was looked at
                self._note(job, position, Outcome.HELD if held else Outcome.REFUSED)
                return
        self._note(job, position, Outcome.REISSUED, of=serial, made=serial_text(made))

    def _take_up_released(self, job: str) -> None:
        """Open again what is on hold no more."""
        with self._database.transaction() as connection:
            connection.execute(update(reissue_items).where(_released(job)).values(outcome=None))

    def _is_held(self, serial: Serial) -> bool:
        with self._database.reading() as connection:
            record = inventory.find(connection, serial)
        return record is not None and record.reason is RevocationReason.CERTIFICATE_HOLD

    def _made_before(self, record: CertificateRecord, name: str) -> tuple[Serial | None, bool]:
        """The serial that a dead process issued; True: one is being issued, or to be reconciled."""
        with self._database.reading() as connection:
            found = inventory.of_key(connection, record.key_fingerprint)
        ours = [each for each in found if each.authority == name]
        for each in ours:
            if each.state is CertificateState.ISSUED:
                return each.serial, False
        return None, any(each.state is CertificateState.INTENDED for each in ours)

    def _note(
        self, job: str, position: int, outcome: Outcome, of: str = "", made: str | None = None
    ) -> None:
        with self._database.transaction() as connection:
            lives = made is None or self._tie(connection, of, made)
            connection.execute(
                update(reissue_items)
                .where(reissue_items.c.job == job, reissue_items.c.position == position)
                .values(outcome=outcome, successor=made)
            )
        if made is not None and not lives:
            self._revocation.revoke(parse_serial(made), RevocationReason.SUPERSEDED, "reissue")

    def _tie(self, connection: Connection, old: str, new: str) -> bool:
        """The new certificate ends with the old one. False: that ended meanwhile."""
        locked = inventory.lock(connection, [parse_serial(old), parse_serial(new)])
        record = locked.get(parse_serial(old))
        tied = update(certificates).where(certificates.c.serial == new)
        connection.execute(
            tied.where(certificates.c.companion_of.is_(None)).values(companion_of=old)
        )
        return record is not None and record.state is CertificateState.ISSUED

    def _finish(self, job: str) -> None:
        open_items = select(reissue_items.c.job).where(
            reissue_items.c.job == job,
            or_(reissue_items.c.outcome.is_(None), reissue_items.c.outcome == Outcome.HELD),
        )
        with self._database.transaction() as connection:
            if connection.execute(open_items.limit(1)).first() is not None:
                return
            ended = connection.execute(
                update(reissues)
                .where(reissues.c.id == job, reissues.c.finished_at.is_(None))
                .values(finished_at=self._clock.now())
            )
            if ended.rowcount:
                self._journal.append(
                    connection, Event.REISSUE_FINISHED, subject=job, actor="system"
                )


_ON_HOLD = (certificates.c.state == CertificateState.REVOKED) & (
    certificates.c.reason == RevocationReason.CERTIFICATE_HOLD
)


def _released(job: str) -> ColumnElement[bool]:
    """Items of the job that were on hold, and whose certificates are no more."""
    still = select(certificates.c.serial).where(
        certificates.c.serial == reissue_items.c.serial, _ON_HOLD
    )
    held = (reissue_items.c.job == job) & (reissue_items.c.outcome == Outcome.HELD)
    return held & not_(still.exists())


def _signing_of(connection: Connection, record: CertificateRecord) -> Serial | None:
    """The signing certificate that one for encryption goes with. What itself was re-issued goes
    with one of its own key, and is no companion when it is asked for."""
    if record.companion_of is None:
        return None
    beside = inventory.find(connection, record.companion_of)
    if beside is None or beside.key_fingerprint == record.key_fingerprint:
        return None
    return beside.serial


def _request(
    record: CertificateRecord, signing: Serial | None, before: Sequence[Certificate]
) -> CertificateRequest:
    """`before`: those that the certificate itself was re-issued for."""
    assert record.der is not None
    certificate = Certificate.parse(record.der)
    return CertificateRequest(
        certificate.public_key,
        _subject_fields(certificate),
        requester="reissue",
        reference=record.reference,
        not_after=record.not_after,
        dns_names=_dns_names(certificate),
        succeeds=(record.serial, *(each.serial for each in before)),
        companion_of=signing,
    )


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
