"""Pages of the portal with a million enterprises in the register, on PostgreSQL, over HTTP.

The database makes the rows itself: enterprises in three states of their applications, at ten
branches, with names that are found by their parts, and each with a card of the last three years.
What is told is milliseconds from the request to the last octet, the median of one person's clicks;
and of the worker's count of the dashboard's figures, milliseconds for the best of the rounds.
"""

import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import md5
from http.client import RemoteDisconnected
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import text

from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields, organization_identifier
from kernel.identifiers import serial_text
from portseal.sandbox.postgresql import PostgreSQL
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card, CardState, Holder
from ra_portal.people import people_rows
from ra_portal.people.identity import Role
from ra_portal.people.people import Officer, Operator
from records.database import Database, new_id
from signing_service.sso.authentication_token import make_authentication_token
from tests.bench.signin import Visitor, cookie_of
from tests.bench.site import Site, open_site
from tests.bench.timing import Pace, Row, best, repeating
from tests.software_keys import SoftwareKey
from tests.token import TokenBench

ENTERPRISES = 1_000_000
_TRIAL, _EARNEST = 2_000, 0.5
"""Enterprises of a round that only shows that the measurement still runs; seconds of one that
measures."""
_LIMIT = "ms for the constant answer of the same service, /health/live"
_OPERATORS = 20
_JSON = {"Content-Type": "application/json"}
_WORDS = "宁波东海远航长江明珠华信恒达天成瑞丰金桥海纳百川鸿运通泰"
_USCC = "'91' || lpad(i::text, 16, '0')"
_NAME = (
    f"substr('{_WORDS}', 1 + i % 24, 2) || substr('{_WORDS}', 1 + (i / 24) % 22, 4) "
    "|| i || '贸易有限公司'"
)
_MADE = "(CAST(:now AS timestamptz) - i * interval '94 seconds')"
"""A million of them in three years."""
_STATE = (
    "(ARRAY['active', 'active', 'active', 'active', 'active', 'active', 'frozen', 'revoked', "
    "'expired', 'lost'])[1 + i % 10]"
)

_LOAD = (
    "INSERT INTO branches (id, code, name, region, created_at) "
    "SELECT md5('b' || i), 'B' || i, '制卡点' || i, '浙江', :now FROM generate_series(0, 9) AS i",
    "INSERT INTO enterprises (id, uscc, name, customs_code, legal_representative, region, "
    f"branch_id, created_at) SELECT md5('e' || i), {_USCC}, {_NAME}, '3302900001', '样例', "
    "'浙江 宁波', md5('b' || i % 10), CAST(:now AS timestamptz) - i * interval '1 second' "
    "FROM generate_series(1, :count) AS i",
    "INSERT INTO applications (id, reference, access_hash, state, live_uscc, uscc, name, "
    "customs_code, legal_representative, region, branch_id, submitted_at, changed_at, version) "
    f"SELECT md5('a' || i), 'AP-2026-' || lpad(i::text, 8, '0'), '', "
    f"(ARRAY['approved', 'applied', 'registered'])[1 + i % 3], {_USCC}, {_USCC}, {_NAME}, "
    "'3302900001', '样例', '浙江 宁波', md5('b' || i % 10), :now, "
    "CAST(:now AS timestamptz) - i * interval '1 second', 0 FROM generate_series(1, :count) AS i",
    "INSERT INTO cards (id, number, holder_kind, holder_id, live_holder, state, requested_at, "
    "activated_at, not_after, ended_at, serial, failed_attempts, version) "
    "SELECT md5('c' || i), 'LP-2026-' || lpad(i::text, 8, '0'), 'legal-person', md5('e' || i), "
    "CASE WHEN i % 10 < 7 AND i <> :count / 2 THEN 'legal-person:' || md5('e' || i) END, "
    f"{_STATE}, {_MADE}, {_MADE}, {_MADE} + interval '3 years', "
    f"CASE WHEN i % 10 >= 7 THEN {_MADE} + interval '1 day' END, upper(md5('s' || i)), 0, 1 "
    "FROM generate_series(1, :count) AS i",
    "INSERT INTO card_moves (card, at, move, actor, why) SELECT 'LP-2026-' || lpad(i::text, 8, "
    f"'0'), {_MADE} + interval '1 day', (ARRAY['revoke', 'freeze', 'report-loss'])[1 + i % 3], "
    "'bench', '' FROM generate_series(1, :count, 3) AS i",
    "INSERT INTO name_parts (part, uscc) SELECT convert_to(substr(name, s, 16), 'UTF8'), "
    "uscc FROM enterprises, generate_series(1, length(name) - 4) AS s",
)


_INDEXES = text(
    "SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'ix_%' "
    "AND tablename IN ('enterprises', 'applications', 'name_parts', 'cards', 'card_moves')"
)
_KEY_OF_PARTS = "ALTER TABLE name_parts ADD CONSTRAINT pk_name_parts PRIMARY KEY (part, uscc)"


def portal_pages(site: Site, pace: Pace) -> list[Row]:
    """`site` is on SQLite; this has a site of its own."""
    with tempfile.TemporaryDirectory(prefix="portseal-portal-") as directory:
        place = Path(directory)
        with (
            PostgreSQL() as server,
            server.fresh_database() as url,
            open_site(place, TokenBench(place / "softhsm"), url) as ours,
        ):
            count = ENTERPRISES if pace.seconds >= _EARNEST else _TRIAL
            fill(ours.house.database, count)
            return measure(ours, pace, count)


def fill(database: Database, count: int) -> None:
    """So many enterprises with their applications; the indexes are made when the rows are there,
    as for any bulk load."""
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        indexes = connection.execute(_INDEXES).all()
        for name, _ in indexes:
            connection.execute(text(f"DROP INDEX {name}"))
        connection.execute(text("ALTER TABLE name_parts DROP CONSTRAINT pk_name_parts"))
        for statement in _LOAD:
            asked = {"now": datetime.now(UTC), "count": count}
            names = {name: asked[name] for name in asked if f":{name}" in statement}
            connection.execute(text(statement), names)
        for _, definition in indexes:
            connection.execute(text(definition))
        connection.execute(text(_KEY_OF_PARTS))
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


def measure(site: Site, pace: Pace, count: int) -> list[Row]:
    officer = _seated(site, _officer(site))
    legal_person = _seated(site, _legal_person(site, count))
    counted = _counting(site, pace)
    with site.served():
        clerk, enterprise = officer(), legal_person()
        dashboard = clerk.open("/admin/dashboard")
        deep = _deep(clerk, count)
        pages = {
            "queue": [(clerk, "/officer/applications"), (clerk, deep)],
            "search": [
                (clerk, f"/officer/applications?state=&q={quote(sought)}")
                for sought in (
                    "远航长江",
                    "东海",
                    f"91{count // 2:016}",
                    f"AP-2026-{count // 2:08}",
                )
            ],
            "register": [
                (clerk, f"/officer/enterprises{asked}")
                for asked in (
                    "",
                    f"?after={_middle(count)}",
                    "?branch=B3",
                    f"?q={quote('远航长江')}",
                )
            ],
            "review": [
                (clerk, f"/officer/applications/{md5(f'a{count // part}'.encode()).hexdigest()}")
                for part in (2, 3, 5)
            ],
            "cards": [
                (clerk, f"/admin/cards{asked}")
                for asked in (
                    "",
                    "?state=frozen",
                    f"?after={_middle(count)}",
                    f"?q={_number(count)}",
                )
            ],
            "dashboard": [(clerk, "/admin/dashboard")],
            "enterprise": [
                (enterprise, "/enterprise"),
                (enterprise, "/enterprise/history"),
                (enterprise, "/"),
            ],
            "nothing": [(clerk, "/health/live")],
        }
        taken = {
            name: _median([_opening(*page) for page in group], pace.seconds * pace.rounds)
            for name, group in pages.items()
        }
    limit = taken.pop("nothing")
    assert "<svg" in dashboard, "the figures were not counted"
    named = {"page": max(taken.values()), **taken}
    return [
        Row(f"portal.{name}.1m.ms", median, limit, _LIMIT, unit="ms")
        for name, median in named.items()
    ] + [counted]


def _counting(site: Site, pace: Pace) -> Row:
    """The worker's count, as it is made once a minute; the limit only reads how many cards there
    are."""
    database, figures = site.house.database, site.house.portal.figures

    def plainly() -> None:
        with database.reading() as connection:
            connection.execute(text("SELECT count(*) FROM cards"))

    rates = best({"ours": repeating(figures.count), "limit": repeating(plainly)}, pace)
    ours, limit = (1000 / rates[name] for name in ("ours", "limit"))
    beside = "ms for SELECT count(*) FROM cards"
    return Row("portal.figures.1m.ms", ours, limit, beside, unit="ms")


def _median(works: list[Callable[[], None]], seconds: float) -> float:
    """Milliseconds; after each page was opened once."""
    for work in works:
        work()
    taken, until = list[float](), time.monotonic() + seconds
    for work in itertools.cycle(works):
        started = time.perf_counter()
        work()
        taken.append((time.perf_counter() - started) * 1000)
        if time.monotonic() >= until and len(taken) >= 2 * len(works):
            return statistics.median(taken)
    raise AssertionError


class Reader(Visitor):
    """Somebody signed in, reading pages."""

    cookie: str

    def open(self, address: str) -> str:
        headers = {"Cookie": self.cookie, "Accept": "text/html", "Accept-Language": "zh"}
        try:
            answer, body = self.call("GET", address, None, headers)
        except RemoteDisconnected:  # it was kept open for too long while others read; opened anew
            answer, body = self.call("GET", address, None, headers)
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {address}: {body[:300]!r}")
        return body.decode()


def _opening(reader: Reader, address: str) -> Callable[[], None]:
    return lambda: (reader.open(address), None)[1]


def _deep(clerk: Reader, count: int) -> str:
    """A page far into the queue."""
    address = f"/officer/applications?after={_middle(count)}"
    assert "<tbody>" in clerk.open(address)
    return address


def _middle(count: int) -> str:
    """The place of the row in the middle."""
    microseconds = int(datetime.now(UTC).timestamp() * 1e6) - (count // 2) * 1_000_000
    return f"{microseconds}-{'0' * 32}"


def _number(count: int) -> str:
    return f"LP-2026-{count // 2:08}"


def _seated(site: Site, who: tuple[SoftwareKey, bytes]) -> Callable[[], Reader]:
    """Signs in, once the service runs."""

    def sign_in() -> Reader:
        key, certificate = who
        reader = Reader(site.origin)
        told, body = reader.call("POST", "/api/v1/sign-in/challenges", "{}", _JSON)
        browser, nonce = cookie_of(told), json.loads(body)["nonce"]
        token = make_authentication_token(key, certificate, site.origin, nonce, "bench/1")
        proof = json.dumps({"token": token, "nonce": nonce})
        told, _ = reader.call("POST", "/api/v1/sign-in", proof, {**_JSON, "Cookie": browser})
        reader.cookie = cookie_of(told)
        return reader

    return sign_in


def _officer(site: Site) -> tuple[SoftwareKey, bytes]:
    officer = Officer(
        new_id(),
        "李审核",
        frozenset({Role.REGISTRAR, Role.APPROVER, Role.ADMINISTRATOR}),
        datetime.now(UTC),
    )
    with site.house.database.transaction() as connection:
        people_rows.add_officer(connection, officer)
    number = "OF-2026-BENCHAAA"
    fields = SubjectFields(
        organization="Example E-Port", common_name=officer.name, serial_number=number
    )
    return _card(site, officer.holder, "officer", number, fields)


def _legal_person(site: Site, count: int) -> tuple[SoftwareKey, bytes]:
    """Of one of the million, with operators."""
    with site.house.database.transaction() as connection:
        enterprise = people_rows.find_enterprise(connection, f"91{count // 2:016}")
        assert enterprise is not None
        now = datetime.now(UTC)
        new = [
            Operator(new_id(), enterprise.id, "张操作", f"{number:04}", now)
            for number in range(_OPERATORS)
        ]
        people_rows.add_operators(connection, new)
    fields = SubjectFields(
        organization=enterprise.name,
        organization_identifier=organization_identifier(enterprise.uscc),
        common_name=enterprise.name,
    )
    return _card(site, enterprise.holder, "legal-person", "LP-2026-BENCHAAA", fields)


def _card(
    site: Site, holder: Holder, profile: str, number: str, fields: SubjectFields
) -> tuple[SoftwareKey, bytes]:
    key, now = SoftwareKey.generate(), datetime.now(UTC)
    request = CertificateRequest(key.public_key, fields, requester="bench", reference=number)
    authority = site.house.authorities.issuing
    certificate = authority.issue(authority.prepare(profile, request)).certificate
    card = Card(
        new_id(), number, holder, CardState.ACTIVE, now,
        serial=serial_text(certificate.serial),
        fingerprint=certificate.fingerprint,
        certificate=certificate.der,
        activated_at=now,
        not_after=certificate.not_after,
    )  # fmt: skip
    with site.house.database.transaction() as connection:
        card_rows.add(connection, card)
    return key, certificate.der
