"""Answers made ahead, as rows: every node serves them, and needs no token to do so.

A row says under which version of status its answer was made. It is served only while the
certificate's status has not changed since, so a revocation needs not find and remove it.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Connection,
    LargeBinary,
    String,
    and_,
    bindparam,
    exists,
    or_,
    select,
    text,
)

from ca.inventory import CertificateState
from ca.tables import certificates, crl_entries, ocsp_answers
from kernel.clock import Clock
from kernel.identifiers import Serial, parse_serial, serial_text
from kernel.refusals import Unavailable
from records.database import Database, UtcDateTime

_FLUSH_SECONDS = 5.0
_MOST_NOTED = 10_000
_A = ocsp_answers.c
_FIND = select(_A.version, _A.this_update, _A.next_update, _A.answer).where(
    _A.serial == bindparam("of_serial"),
    _A.authority == bindparam("of_authority"),
    _A.answer.is_not(None),
    ~exists().where(crl_entries.c.serial == _A.serial, crl_entries.c.version > _A.version),
)
_STORE = text(
    "INSERT INTO ca_ocsp_answers (serial, authority, version, this_update, next_update, answer) "
    "VALUES (:serial, :authority, :version, :this_update, :next_update, :answer) "
    "ON CONFLICT (serial) DO UPDATE SET version = excluded.version, "
    "this_update = excluded.this_update, next_update = excluded.next_update, "
    "answer = excluded.answer WHERE ca_ocsp_answers.version <= excluded.version"
).bindparams(
    bindparam("answer", type_=LargeBinary),
    bindparam("this_update", type_=UtcDateTime),
    bindparam("next_update", type_=UtcDateTime),
)
_NOTE = text(
    "INSERT INTO ca_ocsp_answers (serial, authority, version, asked_at) "
    "SELECT serial, authority, 0, :asked_at FROM ca_certificates "
    "WHERE serial = :serial AND authority = :authority "
    "ON CONFLICT (serial) DO UPDATE SET asked_at = excluded.asked_at"
).bindparams(bindparam("asked_at", type_=UtcDateTime), bindparam("serial", type_=String))


@dataclass(frozen=True)
class Ready:
    """An answer that was made ahead."""

    serial: Serial
    version: int
    """Of status, when the answer was made."""
    this_update: datetime
    next_update: datetime
    der: bytes


def find(connection: Connection, authority: str, serial: Serial) -> Ready | None:
    """The stored answer of this authority, unless the status has changed since it was made."""
    wanted = {"of_serial": serial_text(serial), "of_authority": authority}
    row: Any = connection.execute(_FIND, wanted).one_or_none()
    if row is None:
        return None
    return Ready(serial, row.version, row.this_update, row.next_update, bytes(row.answer))


def store(connection: Connection, authority: str, answers: Sequence[Ready]) -> None:
    rows = [
        {
            "serial": serial_text(answer.serial),
            "authority": authority,
            "version": answer.version,
            "this_update": answer.this_update,
            "next_update": answer.next_update,
            "answer": answer.der,
        }
        for answer in answers
    ]
    if rows:
        connection.execute(_STORE, rows)


def asked_for(
    connection: Connection, authority: str, since: datetime, due: datetime, limit: int
) -> list[Serial]:
    """Serials asked for since then whose answer is missing, ends before `due` or is untrue."""
    outdated = exists().where(crl_entries.c.serial == _A.serial, crl_entries.c.version > _A.version)
    query = (
        select(_A.serial)
        .where(
            _A.authority == authority,
            _A.asked_at >= since,
            or_(_A.next_update.is_(None), _A.next_update < due, outdated),
        )
        .limit(limit)
    )
    return [parse_serial(serial) for serial in connection.execute(query).scalars()]


def live_after(
    connection: Connection, authority: str, serial: str, now: datetime, due: datetime, limit: int
) -> tuple[list[Serial], str]:
    """Of the next `limit` certificates after `serial`, the live ones without an answer that
    lasts until `due`; and where to go on, empty at the end."""
    known = and_(_A.serial == certificates.c.serial, _A.next_update >= due)
    query = (
        select(certificates.c.serial, certificates.c.state, certificates.c.not_after, _A.serial)
        .outerjoin(ocsp_answers, known)
        .where(certificates.c.authority == authority, certificates.c.serial > serial)
        .order_by(certificates.c.serial)
        .limit(limit)
    )
    rows = connection.execute(query).all()
    wanted = [
        parse_serial(row[0])
        for row in rows
        if row[3] is None and row[1] != CertificateState.INTENDED and row[2] > now
    ]
    return wanted, rows[-1][0] if len(rows) == limit else ""


class Demand:
    """Notes what was asked for, and writes it down every few seconds beside the answering."""

    def __init__(self, database: Database, authority: str, clock: Clock) -> None:
        self._database = database
        self._authority = authority
        self._clock = clock
        self._asked: set[Serial] = set()
        self._next_flush = 0.0
        self._lock = threading.Lock()

    def note(self, serial: Serial) -> None:
        with self._lock:
            if len(self._asked) < _MOST_NOTED:
                self._asked.add(serial)
            due = time.monotonic() >= self._next_flush
            if due:
                self._next_flush = time.monotonic() + _FLUSH_SECONDS
        if due:
            threading.Thread(target=self.flush, daemon=True).start()

    def flush(self) -> None:
        """Write down what was noted. What cannot be written now is forgotten: it is a hint."""
        with self._lock:
            asked, self._asked = self._asked, set()
        now = self._clock.now()
        rows = [
            {"serial": serial_text(serial), "authority": self._authority, "asked_at": now}
            for serial in sorted(asked)
        ]
        if not rows:
            return
        try:
            with self._database.transaction() as connection:
                connection.execute(_NOTE, rows)
        except Unavailable:
            return
