"""A register that has been in use for two years, for pictures of what only a past shows: cards that
were made, frozen, lost, revoked, renewed and ended, and work that has waited for days.

The rows are the product's own, written by its own hands and by the moves of its own cards; only
their moments lie in the past, which no clock of the service gives. The journal, which nobody can
write into the past, knows nothing of them, nor has the authority issued certificates for them: no
test may look at more of it than the lists and counts.
"""

import random
import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, insert, select, update

from kernel.identifiers import uscc_check_character
from portseal.demo.people import ENTERPRISE
from portseal.demo.stage import Stage
from ra_portal.applications.tables import applications
from ra_portal.cards import card_rows
from ra_portal.cards.card import NUMBER_PREFIXES, Card, CardState, Holder
from ra_portal.cards.card_moves import Move
from ra_portal.cards.tables import card_moves, recoveries
from ra_portal.data_changes.tables import data_changes
from ra_portal.mass_actions.tables import mass_actions
from ra_portal.papers.tables import documents
from ra_portal.people import people_rows
from ra_portal.people.people import Enterprise, Grant, Operator
from ra_portal.tables import figures
from records.database import Database

_DAYS, _BUSY = 760, 32
"""Days that the past is long; how many of them, the last, are busier: the charts show thirty."""
_VALID = timedelta(days=730)
_RENEWED_BEFORE = timedelta(days=90)
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_PLACES = ("宁波", "舟山", "台州", "温州", "嘉兴", "绍兴", "杭州", "金华")
_TRADES = ("进出口", "国际货运代理", "报关", "供应链", "电子商务", "国际物流")
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_RIGHTS = ("declare-import", "enter-import", "declare-export", "enter-export", "file-manifest")
_WHY = {
    Move.FREEZE: ("人员休假", "岗位调整", "疑似遗失，先行冻结"),
    Move.REVOKE: ("人员离职", "企业注销海关备案"),
    Move.REPORT_LOSS: ("USB Key 遗失", "随包失窃"),
    Move.REPLACE: ("USB Key 损坏", "挂失补办"),
    Move.RENEW: ("证书即将到期",),
    Move.UNFREEZE: ("返岗",),
}
_EACH_DAY = {
    Move.RENEW: (0, 1, 1, 2, 3),
    Move.FREEZE: (0, 0, 1, 1, 2),
    Move.REPLACE: (0, 0, 1, 1, 2),
    Move.REPORT_LOSS: (0, 0, 0, 1, 2),
    Move.REVOKE: (0, 0, 1, 1, 2),
}
"""How often on a working day: one of these, by lot."""


_REGISTERED = 4
"""Applications that wait for the second officer."""
_COUNTED_WITHIN = 150
"""Seconds."""


def look_lived_in(stage: Stage) -> None:
    """Two years of cards, officers who have begun with what waits, and figures of it all."""
    registrar = stage.signed_in("registrar")
    html = {"Accept": "text/html"}
    queue = registrar.fetch("GET", "/officer/applications?state=applied", headers=html).text
    waiting = re.findall(r'href="/officer/applications/([0-9a-f]{32})"', queue)
    for each in waiting[-_REGISTERED:]:
        registrar.call("POST", f"/api/v1/applications/{each}/registration", {})
    database = Database(stage.site.database_url)
    begun = datetime.now(UTC)
    live_in(database, begun)
    for _ in range(_COUNTED_WITHIN):  # the worker counts once a minute
        with database.reading() as connection:
            counted = connection.execute(select(figures.c.at)).scalar_one_or_none()
        if counted is not None and counted > begun:
            return
        time.sleep(1)
    raise SystemExit("the worker has not counted the dashboard's figures")


def live_in(database: Database, now: datetime, seed: int = 5) -> None:
    """Write the past that ends at `now` into the register; the same lots for the same seed."""
    past = _Past(now, random.Random(seed))
    for back in range(_DAYS, 0, -1):
        past.live_through(now - timedelta(days=back), busy=back <= _BUSY)
    with database.transaction() as connection:
        past.write(connection)
        _settle_in(connection, past.lots, now)
        _let_wait(connection, now)


@dataclass
class _Past:
    now: datetime
    lots: random.Random
    enterprises: list[Enterprise] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    cards: dict[str, Card] = field(default_factory=dict)
    """By number, as they stand on the day that is lived through."""
    moves: list[dict[str, object]] = field(default_factory=list)

    def live_through(self, day: datetime, busy: bool) -> None:
        for number in [each.number for each in self.cards.values() if _has_ended(each, day)]:
            self.cards[number] = self.cards[number].expire()
        working = day.weekday() < 5
        for _ in range(self.lots.randint(2, 7) if busy and working else self.lots.randint(0, 2)):
            self._make_one(self._hour(day))
        if working and (busy or self.lots.random() < 0.1):
            for move, lots in _EACH_DAY.items():
                for _ in range(self.lots.choice(lots)):
                    self._move_one(move, self._hour(day))

    def _hour(self, day: datetime) -> datetime:
        """Of an office, in Beijing."""
        morning = day.replace(hour=1, minute=0, second=0, microsecond=0)
        return morning + timedelta(minutes=self.lots.randint(0, 8 * 60))

    def _make_one(self, at: datetime) -> None:
        """A new enterprise's card, or one for another operator of an enterprise that is there."""
        holder: Holder
        if not self.enterprises or self.lots.random() < 0.35:
            self.enterprises.append(self._enterprise(at))
            holder = self.enterprises[-1].holder
        else:
            employer = self.lots.choice(self.enterprises)
            self.operators.append(_operator(employer.id, len(self.operators), self.lots, at))
            holder = self.operators[-1].holder
        self._keep(_made(holder, at, self.lots))

    def _enterprise(self, at: datetime) -> Enterprise:
        number = len(self.enterprises) + 1
        body = f"91330201MA2AD{number:04d}"
        place = self.lots.choice(_PLACES)
        return Enterprise(
            id=_identifier(self.lots),
            uscc=body + uscc_check_character(body),
            name=f"{place}样本{self.lots.choice(_TRADES)}{number}号有限公司",
            customs_code=f"33019{number:05d}",
            legal_representative=f"{self.lots.choice(_SURNAMES)}样例",
            region=f"浙江 {place}",
            created_at=at,
        )

    def _move_one(self, move: Move, at: datetime) -> None:
        """Of a card by lot that allows it; none may."""
        fit = [
            each
            for each in self.cards.values()
            if each.state is CardState.ACTIVE
            and each.not_after is not None
            and (move is not Move.RENEW or each.not_after - at < _RENEWED_BEFORE)
            and each.activated_at is not None
            and each.activated_at < at
        ]
        if not fit:
            return
        card = self.lots.choice(fit)
        self._tell(card, move, at)
        if move is Move.FREEZE:
            self._keep(card.freeze("legal-person", self.moves[-1]["why"], at))  # type: ignore[arg-type]
            back = at + timedelta(days=self.lots.randint(1, 9))
            if back < self.now and self.lots.random() < 0.7:
                self._tell(card, Move.UNFREEZE, back)
                self._keep(self.cards[card.number].unfreeze())
        elif move is Move.REVOKE:
            self._keep(card.revoke("affiliationChanged", at))
        elif move is Move.REPORT_LOSS:
            self._keep(card.report_loss(at))
        else:
            self._keep(card.replace_by_another(at))
            self._keep(_made(card.holder, at, self.lots, predecessor=card.number))

    def _keep(self, card: Card) -> None:
        self.cards[card.number] = card

    def _tell(self, card: Card, move: Move, at: datetime) -> None:
        why = self.lots.choice(_WHY[move])
        self.moves.append(
            {"card": card.number, "at": at, "move": str(move), "actor": "legal-person", "why": why}
        )

    def write(self, connection: Connection) -> None:
        for each in self.enterprises:
            people_rows.add_enterprise(connection, each)
        people_rows.add_operators(connection, self.operators)
        card_rows.add_many(connection, list(self.cards.values()))
        connection.execute(insert(card_moves), self.moves)


def _has_ended(card: Card, day: datetime) -> bool:
    return card.is_made and card.not_after is not None and card.not_after < day


def _identifier(lots: random.Random) -> str:
    return f"{lots.getrandbits(128):032x}"


def _operator(employer: str, number: int, lots: random.Random, at: datetime) -> Operator:
    name = f"{lots.choice(_SURNAMES)}样例"
    return Operator(_identifier(lots), employer, name, f"{100 + number:04d}", at)


def _made(
    holder: Holder, at: datetime, lots: random.Random, predecessor: str | None = None
) -> Card:
    number = "".join(lots.choices(_ALPHABET, k=8))
    return Card(
        id=_identifier(lots),
        number=f"{NUMBER_PREFIXES[holder.kind]}-{at.year}-{number}",
        holder=holder,
        state=CardState.ACTIVE,
        requested_at=at - timedelta(hours=lots.randint(2, 40)),
        serial=f"{lots.getrandbits(127):032X}",
        activated_at=at,
        not_after=at + _VALID,
        expiry_notice=30,  # the worker has nothing to tell
        predecessor=predecessor,
    )


def _settle_in(connection: Connection, lots: random.Random, now: datetime) -> None:
    """More operators of the demonstration's enterprise, whose cards are in every state."""
    enterprise = people_rows.find_enterprise(connection, ENTERPRISE["uscc"])
    if enterprise is None:
        return
    operators, made, rights = [], [], []
    for number in range(8):
        at = now - timedelta(days=40 + 61 * number)
        operator = _operator(enterprise.id, number, lots, at)
        card = _made(operator.holder, at, lots)
        if number == 2:
            card = card.freeze("legal-person", "人员休假", now - timedelta(days=3))
        elif number == 5:
            card = card.report_loss(now - timedelta(days=12))
        operators.append(operator)
        made.append(card)
        rights += [
            Grant(_identifier(lots), operator.id, right, at, None, "legal-person")
            for right in lots.sample(_RIGHTS, 1 + number % 3)
        ]
    people_rows.add_operators(connection, operators)
    people_rows.add_grants(connection, rights)
    card_rows.add_many(connection, made)


def _let_wait(connection: Connection, now: datetime) -> None:
    """What waits for officers has waited since some minutes ago, or days."""
    asked = (
        select(applications.c.id, applications.c.state)
        .where(applications.c.state.in_(("applied", "registered")))
        .order_by(applications.c.changed_at, applications.c.id)
    )
    waiting = connection.execute(asked).all()
    for position, row in enumerate(waiting):
        share = 1 - position / len(waiting)
        at = now - timedelta(minutes=7) - timedelta(hours=31) * share**2
        mine = update(applications).where(applications.c.id == row.id)
        submitted = at - timedelta(hours=5) if row.state == "registered" else at
        connection.execute(mine.values(submitted_at=submitted, changed_at=at))
        papers = update(documents).where(documents.c.application_id == row.id)
        connection.execute(papers.values(uploaded_at=submitted))
    proposed = select(data_changes.c.licence_id).where(data_changes.c.state == "proposed")
    papers = update(documents).where(documents.c.id.in_(proposed))
    connection.execute(papers.values(uploaded_at=now - timedelta(hours=26)))
    decided = {"proposed_at": now - timedelta(days=6), "decided_at": now - timedelta(days=5)}
    earlier = update(data_changes).where(data_changes.c.decided_at.is_not(None))
    connection.execute(earlier.values(decided))
    for table, column, since in (
        (data_changes, "proposed_at", timedelta(hours=26)),
        (recoveries, "asked_at", timedelta(hours=3)),
        (mass_actions, "proposed_at", timedelta(minutes=50)),
    ):
        mine = update(table).where(table.c.state.in_(("proposed", "asked")))
        connection.execute(mine.values({column: now - since}))
