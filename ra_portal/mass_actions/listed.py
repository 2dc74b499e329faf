"""What the certificates of a list are: of cards, which follow their certificates, or of none."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from ca.inventory import CertificateState, RevocationReason
from ca.tables import certificates
from kernel.identifiers import Serial, serial_text
from kernel.refusals import Unprocessable
from ra_portal.cards.card import CardState
from ra_portal.cards.tables import cards
from ra_portal.people.identity import HolderKind
from ra_portal.seals.tables import seals

_AT_ONCE = 5000
_SAMPLE = 20
_DEEPEST = 8
"""Of certificates that go with one another: an encryption certificate of a re-issued one."""
_MADE = (str(CardState.ACTIVE), str(CardState.FROZEN))


@dataclass(frozen=True)
class Listed:
    """Serials as `serial_text`, each once, in the order of the list."""

    of_cards: Mapping[str, str]
    """Card number -> the certificate that the card was made with: it and all that go with it end.
    Active and frozen cards of enterprises and operators."""
    by_kind: Mapping[str, int]
    """Of those cards."""
    without_card: Mapping[str, Sequence[str]]
    """Profile -> certificates of servers, regions and others that no card follows."""
    ended: int
    """Revoked for good already."""
    unknown: int
    """Never issued here."""

    @property
    def sample(self) -> list[str]:
        numbers = list(self.of_cards)[:_SAMPLE]
        alone = [each for serials in self.without_card.values() for each in serials]
        return [*numbers, *alone[: _SAMPLE - len(numbers)]]


def sort_out(connection: Connection, serials: Sequence[Serial]) -> Listed:
    """Raises Unprocessable `mass.one-by-one` for officers' cards and enterprises' seals, whose end
    other people decide; nothing is done then."""
    wanted = list(dict.fromkeys(serial_text(each) for each in serials))
    known = {row.serial: row for part in _parts(wanted) for row in _rows(connection, part)}
    roots = _roots(connection, known)
    of_cards: dict[str, str] = {}
    kinds: Counter[str] = Counter()
    alone: dict[str, list[str]] = {}
    ended = 0
    for part in _parts(list(dict.fromkeys(roots.values()))):
        query = select(cards.c.number, cards.c.serial, cards.c.holder_kind, cards.c.state)
        for row in connection.execute(query.where(cards.c.serial.in_(part))):
            if row.state not in _MADE:
                continue
            if row.holder_kind == str(HolderKind.OFFICER):
                raise _one_by_one("an officer's card", row.number)
            of_cards[row.number] = row.serial
            kinds[row.holder_kind] += 1
        query = select(seals.c.number).where(seals.c.serial.in_(part), seals.c.ended_at.is_(None))
        for number in connection.execute(query).scalars():
            raise _one_by_one("a seal", number)
    live = set(of_cards.values())
    for serial in wanted:
        if serial not in known or roots[serial] in live:
            continue
        row = known[serial]
        if row.state in (CertificateState.REVOKED, CertificateState.ABANDONED) and (
            row.reason != RevocationReason.CERTIFICATE_HOLD
        ):
            ended += 1
        elif row.state == CertificateState.ISSUED or row.reason is not None:
            alone.setdefault(row.profile, []).append(serial)
    return Listed(of_cards, kinds, alone, ended, len(wanted) - len(known))


def _one_by_one(what: str, number: str) -> Unprocessable:
    return Unprocessable(
        "mass.one-by-one",
        "officers' cards and seals are ended one by one, by those in charge of them",
        what=what,
        number=number,
    )


def _rows(connection: Connection, part: Sequence[str]) -> list[Any]:
    columns = certificates.c
    query = select(
        columns.serial, columns.state, columns.reason, columns.profile, columns.companion_of
    )
    return list(connection.execute(query.where(columns.serial.in_(part))))


def _roots(connection: Connection, known: Mapping[str, Any]) -> dict[str, str]:
    """Of each certificate the one that it goes with, at the end of the chain."""
    above: dict[str, str | None] = {serial: row.companion_of for serial, row in known.items()}
    for _ in range(_DEEPEST):
        missing = {each for each in above.values() if each is not None and each not in above}
        if not missing:
            break
        for part in _parts(sorted(missing)):
            found = {row.serial: row.companion_of for row in _rows(connection, part)}
            above |= {each: found.get(each) for each in part}
    roots = {}
    for serial in known:
        root, higher = serial, above[serial]
        for _ in range(_DEEPEST):
            if higher is None:
                break
            root, higher = higher, above.get(higher)
        roots[serial] = root
    return roots


def _parts(serials: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(serials), _AT_ONCE):
        yield serials[start : start + _AT_ONCE]
