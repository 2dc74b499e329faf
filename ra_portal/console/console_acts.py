"""Acts at the machine's console: none without an officer's card, and a second where the table of
permissions says so (docs/decisions/0048-console-acts.md).

In numbered lines, with what is left when the process dies after each:

1. `open` writes the act down with a statement that names it, on what, when, and a nonce of ours.
   The same act, asked for again, is found open: nothing is lost when the command ends here.
2. `sign` takes one officer's signature of the statement: by a card that is in force, of somebody
   at the head office who carries the permission, or the second's. It is kept.
3. `take` closes the act when everybody has signed, or with a named exception; the command then does
   it, once. Dying after this leaves an act that was allowed and not done: it is signed anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from ca.inventory import CertificateState, Inventory
from kernel.asn1.certificate import Certificate
from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Conflict, Forbidden, Refusal, Unauthenticated, Unprocessable
from policies.permissions import permissions
from ra_portal.console import act_rows
from ra_portal.console.act import Act, SignedAct, statement
from ra_portal.console.act_rows import ActRecord, Missing
from ra_portal.console.tables import console_acts, console_signatures
from ra_portal.directory import HolderDirectory, HolderRecord
from ra_portal.people.identity import HolderKind, Identity, Role, console
from ra_portal.people.people import Officer
from records import named_lock
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

GATHERING = timedelta(hours=24)
"""How long an act waits for its signatures."""
LONGEST_STANDING = timedelta(days=400)
_MAX_SIGNATURE_BYTES = 1024
_SHORTEST_REASON, _LONGEST_REASON = 10, 200
_PAGE = 200


@dataclass(frozen=True)
class Allowed:
    """Who does the act, and how it came to be allowed."""

    by: Identity
    """The officer who carries the permission; the console itself for an exception."""
    act: str
    """Its id."""
    others: tuple[Identity, ...] = ()
    """Who signed beside `by`."""
    exception: Missing | None = None


class ConsoleActs:
    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        directory: HolderDirectory,
        inventory: Inventory,
        service: str,
    ) -> None:
        """`service`: our origin, as statements name it."""
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._directory = directory
        self._inventory = inventory
        self._service = service

    # -- at the console ------------------------------------------------------------------------

    def open(self, act: Act, account: str) -> ActRecord:
        """The act, open for signatures: the one that waits already, or a new one.

        Raises Unprocessable `act.standing` where it would stand for too long.
        """
        now = self._clock.now()
        if act.stands_until is not None and not now < act.stands_until <= now + LONGEST_STANDING:
            raise Unprocessable("act.standing", "an act stands for 400 days at most")
        digest, closes, identifier = act.digest, now + GATHERING, new_id()
        waiting = (
            (console_acts.c.digest == digest)
            & console_acts.c.done_at.is_(None)
            & (console_acts.c.closes_at > now)
        )
        with self._database.transaction() as connection:
            named_lock.take(connection, f"console act {digest}")
            found = connection.execute(select(console_acts).where(waiting)).first()
            if found is not None:
                return act_rows.of_row(connection, found)
            nonce = self._entropy.token(32).hex()
            values = {
                "id": identifier,
                "what": act.what,
                "permission": act.permission,
                "subject": act.subject,
                "kind": act.kind,
                "digest": digest,
                "statement": statement(act, self._service, now, closes, nonce),
                "account": account[:64],
                "opened_at": now,
                "closes_at": closes,
                "stands_until": act.stands_until,
            }
            connection.execute(insert(console_acts), values)
            return act_rows.by_id(connection, identifier)

    def sign(self, opened: ActRecord, act: Act, signed: SignedAct) -> Identity:
        """Take an officer's signature; whose it is.

        Raises Unauthenticated `act.signer`, `act.signature`, Conflict `act.other-statement`,
        `act.state`, Forbidden `role.missing`, `branch.foreign`, `approval.same-officer`; Malformed
        as `Certificate.parse`. A refusal is journalled.
        """
        try:
            certificate = Certificate.parse(signed.certificate)
            holder = self._signer(opened, certificate, signed)
            self._require_permitted(opened, act, holder)
        except Refusal as refusal:
            self._tell_refused(opened, refusal)
            raise
        now = self._clock.now()
        values = {
            "act": opened.id,
            "officer": holder.subject,
            "card": holder.card,
            "certificate": certificate.fingerprint,
            "signature": signed.signature,
            "at": now,
        }
        with self._database.transaction() as connection:
            self._require_open(connection, opened.id)
            record = act_rows.by_id(connection, opened.id)
            before = dict(zip(record.officers, record.cards, strict=True))
            if before.get(holder.subject) != holder.card:
                # Again with another card: the one before is no longer in force.
                mine = (console_signatures.c.act == opened.id) & (
                    console_signatures.c.officer == holder.subject
                )
                connection.execute(delete(console_signatures).where(mine))
                row = {**values, "position": len(before) + 1}
                connection.execute(insert(console_signatures), row)
                self._append(connection, Event.ACT_SIGNED, opened, f"officer:{holder.subject}")
        return _identity(holder)

    def take(self, opened: ActRecord, act: Act, account: str, emergency: str = "") -> Allowed:
        """Allow the act, once: everybody who must has signed with a card that is still in force,
        or one of the exceptions holds. `emergency`: why no officer's card can be used.

        Raises Forbidden `act.waits` naming who is missing, Conflict `act.state`, Unprocessable
        `act.reason`.
        """
        why = " ".join(emergency.split())
        if why and not _SHORTEST_REASON <= len(why) <= _LONGEST_REASON:
            raise Unprocessable("act.reason", "say in 10 to 200 characters what the emergency is")
        now = self._clock.now()
        with self._database.transaction() as connection:
            self._require_open(connection, opened.id)
            record = act_rows.by_id(connection, opened.id)
            signers = self._in_force(connection, record)
            exception = self._exception(connection, act, signers, bool(why))
            first = next((each for each in signers if each.may(act.permission)), None)
            by = first if first is not None else console(account)
            done = {"done_at": now, "exception": exception, "reason": why or None}
            connection.execute(
                update(console_acts).where(console_acts.c.id == record.id).values(done)
            )
            if exception is None:
                self._append(connection, Event.ACT_ALLOWED, record, by.actor)
            else:
                self._append(
                    connection, Event.ACT_WITHOUT_CARD, record, f"console:{account}"[:200],
                    exception=str(exception), reason=why or None,
                )  # fmt: skip
        others = tuple(each for each in signers if each.subject != by.subject)
        return Allowed(by, record.id, others, exception)

    def standing(self, act: Act, account: str) -> Allowed | None:
        """The same act as officers allowed for longer, who are in office still; None: no such
        thing stands."""
        now = self._clock.now()
        stands = (
            (console_acts.c.kind == act.kind)
            & console_acts.c.done_at.is_not(None)
            & console_acts.c.exception.is_(None)
            & (console_acts.c.stands_until > now)
        )
        with self._database.transaction() as connection:
            query = select(console_acts).where(stands).order_by(console_acts.c.stands_until.desc())
            row = connection.execute(query).first()
            if row is None:
                return None
            record = act_rows.of_row(connection, row)
            signers = self._in_force(connection, record)
            if len(signers) < len(record.officers):
                return None  # one of them has left, or lost the card: somebody else signs
            self._append(connection, Event.ACT_REPEATED, record, f"console:{account}"[:200])
        by = next(each for each in signers if each.may(act.permission))
        return Allowed(by, record.id)

    def without_records(self, act: Act, account: str, reason: str = "") -> None:
        """Tell of an act that was done when there were no records to ask: a restored backup."""
        opened = self.open(act, account)
        with self._database.transaction() as connection:
            self._require_open(connection, opened.id)
            done = {"done_at": self._clock.now(), "exception": Missing.NO_RECORDS}
            connection.execute(
                update(console_acts).where(console_acts.c.id == opened.id).values(done)
            )
            self._append(
                connection, Event.ACT_WITHOUT_CARD, opened, f"console:{account}"[:200],
                exception=str(Missing.NO_RECORDS), reason=reason or None,
            )  # fmt: skip

    # -- afterwards ----------------------------------------------------------------------------

    def unacknowledged(self) -> list[ActRecord]:
        """Acts without a card that no audit administrator has looked at, oldest first."""
        with self._database.reading() as connection:
            return _found(connection, _UNACKNOWLEDGED, console_acts.c.done_at)

    def count_unacknowledged(self) -> int:
        with self._database.reading() as connection:
            query = select(func.count()).select_from(console_acts).where(_UNACKNOWLEDGED)
            return int(connection.execute(query).scalar_one())

    def exceptions(self, by: Identity) -> list[ActRecord]:
        """All acts without a card, newest first. Raises Forbidden `role.missing`."""
        by.require("journal.read")
        with self._database.reading() as connection:
            wanted = console_acts.c.exception.is_not(None)
            return _found(connection, wanted, console_acts.c.done_at.desc())

    def waiting(self) -> list[ActRecord]:
        """Acts that wait for signatures, oldest first."""
        now = self._clock.now()
        wanted = console_acts.c.done_at.is_(None) & (console_acts.c.closes_at > now)
        with self._database.reading() as connection:
            return _found(connection, wanted, console_acts.c.opened_at)

    def acknowledge(self, by: Identity, identifiers: Sequence[str]) -> int:
        """An audit administrator has looked at these exceptions; how many were new.

        Raises Forbidden `role.missing`, NotFound `act.unknown`.
        """
        by.require("journal.acknowledge")
        done = 0
        with self._database.transaction() as connection:
            for identifier in identifiers:
                record = act_rows.by_id(connection, identifier)
                mine = (console_acts.c.id == record.id) & _UNACKNOWLEDGED
                values = {"acknowledged_by": by.subject, "acknowledged_at": self._clock.now()}
                if connection.execute(update(console_acts).where(mine).values(values)).rowcount:
                    self._append(connection, Event.ACT_ACKNOWLEDGED, record, by.actor)
                    done += 1
        return done

    # -- the rules -----------------------------------------------------------------------------

    def _signer(
        self, opened: ActRecord, certificate: Certificate, signed: SignedAct
    ) -> HolderRecord:
        """The officer whose card signed this very statement."""
        if signed.statement != opened.statement:
            raise Conflict("act.other-statement", "another act was signed, or an older one")
        now = self._clock.now()
        holder = self._directory.by_certificate(certificate, now)
        kept = self._inventory.by_serial(certificate.serial)
        if (
            holder is None
            or holder.kind is not HolderKind.OFFICER
            or holder.card_state != "active"
            or kept is None
            or kept.state is not CertificateState.ISSUED
            or kept.der != certificate.der
            or not certificate.not_before <= now < certificate.not_after
        ):
            raise Unauthenticated("act.signer", "no officer's card that is in force signed this")
        key, text = certificate.public_key, opened.statement.encode()
        if len(signed.signature) > _MAX_SIGNATURE_BYTES or not key.verify(
            key.default_suite(), signed.signature, text
        ):
            raise Unauthenticated("act.signature", "the card has not signed this statement")
        return holder

    def _require_permitted(self, opened: ActRecord, act: Act, holder: HolderRecord) -> None:
        if holder.branch is not None:
            raise Forbidden("branch.foreign", "this is for the head office alone")
        by = _identity(holder)
        by.require_one_of(*filter(None, (act.permission, act.second_permission)))

    def _in_force(self, connection: Connection, record: ActRecord) -> list[Identity]:
        """Who signed with a card that is active still: what a card signed that was lost since
        counts no more, though its officer has another."""
        able = {
            (officer.id, card): officer
            for officer, card in act_rows.officers_with_cards(connection)
        }
        signed = zip(record.officers, record.cards, strict=True)
        return [_officer(able[each]) for each in signed if each in able]

    def _exception(
        self, connection: Connection, act: Act, signers: list[Identity], emergency: bool
    ) -> Missing | None:
        """Why a signature may be missing; None: none is. Raises Forbidden `act.waits`."""
        missing = _missing(act, signers)
        if missing is None:
            return None
        console_may = permissions()[act.permission].console
        signed = {each.subject for each in signers}
        others = [
            _officer(each)
            for each, _ in act_rows.officers_with_cards(connection)
            if each.id not in signed
        ]
        if console_may != "never" and not any(each.may(missing) for each in others):
            return Missing.NO_OFFICER
        if console_may == "emergency" and emergency:
            return Missing.EMERGENCY
        roles = ", ".join(permissions()[missing].roles)
        raise Forbidden(
            "act.waits",
            f"a card must sign this act: of {roles}"
            + (", another than has signed" if signed else ""),
            permission=missing,
            signed=len(signed),
        )

    def _require_open(self, connection: Connection, identifier: str) -> None:
        row = connection.execute(
            select(console_acts.c.done_at, console_acts.c.closes_at)
            .where(console_acts.c.id == identifier)
            .with_for_update()
        ).one()
        if row.done_at is not None or self._clock.now() >= row.closes_at:
            raise Conflict("act.state", "this act is done already, or waited for too long")

    def _append(
        self, connection: Connection, event: Event, record: ActRecord, actor: str,
        **facts: str | None,
    ) -> None:  # fmt: skip
        self._journal.append(
            connection, event, subject=f"act:{record.id}", actor=actor, what=record.what,
            on=record.subject, account=record.account,
            officers=",".join(record.officers) or None, **facts,
        )  # fmt: skip

    def _tell_refused(self, opened: ActRecord, refusal: Refusal) -> None:
        with self._database.transaction() as connection:
            self._append(
                connection, Event.ACT_REFUSED, opened, f"console:{opened.account}",
                code=refusal.code,
            )  # fmt: skip


_UNACKNOWLEDGED: ColumnElement[bool] = console_acts.c.exception.is_not(
    None
) & console_acts.c.acknowledged_at.is_(None)


def _found(
    connection: Connection, wanted: ColumnElement[bool], order: ColumnElement[Any]
) -> list[ActRecord]:
    query = select(console_acts).where(wanted).order_by(order).limit(_PAGE)
    return [act_rows.of_row(connection, row) for row in connection.execute(query).all()]


def _missing(act: Act, signers: Sequence[Identity]) -> str | None:
    """The permission that nobody who signed stands for, each person for one; None: all is there."""
    second = act.second_permission
    firsts = [each for each in signers if each.may(act.permission)]
    if not firsts:
        return act.permission
    if second is None:
        return None
    others = [each for each in signers if each.may(second)]
    complete = any(one.subject != other.subject for one in firsts for other in others)
    return None if complete else second


def _identity(holder: HolderRecord) -> Identity:
    roles = frozenset(Role(each) for each in holder.roles)
    return Identity(HolderKind.OFFICER, holder.subject, holder.name, roles, branch=holder.branch)


def _officer(officer: Officer) -> Identity:
    return Identity(
        HolderKind.OFFICER, officer.id, officer.name, officer.roles, branch=officer.branch_id
    )
