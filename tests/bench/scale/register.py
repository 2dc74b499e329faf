"""A register of any size: synthetic rows, made by the database itself.

The rows have the shape of real ones: random serial numbers of 158 bits and random key
fingerprints, so that indexes are as deep and as scattered; every certificate's bytes are those
of one real certificate.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from ca.crl.entry import crl_entry
from ca.inventory import RevocationReason
from kernel.asn1.certificate import Certificate
from kernel.identifiers import Serial, parse_serial
from records.database import Database

CARDS_EACH = 10
"""Cards of one enterprise."""
# 20 octets of which the first lies between 0x20 and 0x2F, as a serial of 158 bits begins.
_SERIAL = "'2' || upper(substr(encode(sha256((CAST(:salt AS text) || i)::bytea), 'hex'), 1, 39))"
_KEY = "encode(sha256(('key' || CAST(:salt AS text) || i)::bytea), 'hex')"
_CERTIFICATES = f"""
INSERT INTO ca_certificates (serial, authority, profile, profile_digest, state, subject,
  subject_digest, key_fingerprint, live_key, requester, reference, not_before, not_after,
  certificate, intended_at, issued_at, crl_shard, crl_until)
SELECT {_SERIAL}, 'issuing', 'operator', :digest, 'issued', :subject, :digest,
  {_KEY}, {_KEY}, 'bench', 'card-' || CAST(:salt AS text) || i,
  :begin, :until, :der, :begin, :begin, 1 + i % 8, :until
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS i ORDER BY 1
"""
_CARDS = f"""
INSERT INTO cards (id, number, holder_kind, holder_id, state, requested_at, failed_attempts,
  serial, fingerprint, activated_at, not_after, version)
SELECT substr({_KEY}, 1, 32), 'OP-2026-' || lpad(CAST(i AS text), 8, '0'), 'operator',
  substr({_KEY}, 33, 32), 'active', :begin, 0, {_SERIAL}, {_KEY}, :begin, :until, 1
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS i
"""
_ENTERPRISE = "substr(encode(sha256(('enterprise' || {})::bytea), 'hex'), 1, 32)"
_ENTERPRISES = f"""
INSERT INTO enterprises (id, uscc, name, customs_code, legal_representative, region, created_at)
SELECT {_ENTERPRISE.format("e")}, 'E' || lpad(CAST(e AS text), 17, '0'), '企业' || e,
  lpad(CAST(e AS text), 10, '0'), '张三', 'region-' || e / CAST(:in_region AS integer) || '.',
  :begin
FROM generate_series(CAST(:first AS integer) / {CARDS_EACH}, CAST(:last AS integer) / {CARDS_EACH})
  AS e
ON CONFLICT (uscc) DO NOTHING
"""
_CHARACTER = "chr(19968 + ('x' || substr({key}, {at}, 4))::bit(16)::integer % 3000)"
_NAME = " || ".join(_CHARACTER.format(key=_KEY, at=at) for at in (1, 5, 9))
"""Of a person: three characters; hardly two of millions are called alike."""
_OPERATORS = f"""
INSERT INTO operators (id, enterprise_id, name, employee_number, created_at)
SELECT substr({_KEY}, 33, 32), {_ENTERPRISE.format(f"(i / {CARDS_EACH})")}, {_NAME},
  CAST(i AS text), :begin
FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS i
"""
_NAME_PARTS = f"""
INSERT INTO person_name_parts (part, holder)
SELECT DISTINCT convert_to(substr(name, start), 'UTF8'), holder
FROM (SELECT {_NAME} AS name, 'operator:' || substr({_KEY}, 33, 32) AS holder
  FROM generate_series(CAST(:first AS integer), CAST(:last AS integer)) AS i) AS people,
  generate_series(1, 3) AS start ORDER BY 1
"""
_ENTRIES = f"""
INSERT INTO ca_crl_entries (serial, authority, shard, entry, listed, until, version)
SELECT s, 'issuing', 1 + i % 7,
  CAST(:before AS bytea) || decode(s, 'hex') || CAST(:after AS bytea), true, :until, :version
FROM (SELECT i, {_SERIAL} AS s FROM generate_series(1, CAST(:count AS integer)) AS i) AS made
"""


def grow(
    database: Database, specimen: Certificate, first: int, last: int, in_region: int = 10_000
) -> None:
    """Add the certificates number `first` to `last`, with cards, operators and enterprises, of
    which so many are in each region."""
    begin = datetime.now(UTC)
    values = {
        "salt": "c",
        "digest": "0" * 64,
        "subject": specimen.subject_text(),
        "begin": begin,
        "until": begin + timedelta(days=700),
        "der": specimen.der,
        "first": first,
        "last": last,
        "in_region": in_region,
    }
    with database.transaction() as connection:
        # As for any bulk load: the indexes are made when the rows are there.
        indexes = _indexes(connection) if last - first > 50_000 else []
        for statement in (_ENTERPRISES, _OPERATORS, _NAME_PARTS, _CARDS):
            connection.execute(text(statement), values)
        for name, _ in indexes:
            connection.execute(text(f"DROP INDEX {name}"))
        connection.execute(text(_CERTIFICATES), values)
        for _, definition in indexes:
            connection.execute(text(definition))
    for table in ("ca_certificates", "cards", "enterprises", "operators", "person_name_parts"):
        _settle(database, table)


def list_entries(database: Database, count: int) -> None:
    """Add revoked serials to the lists, as ready entries under the present version of status."""
    now = datetime.now(UTC).replace(microsecond=0)
    serial = "2" + "A" * 39
    entry = crl_entry(parse_serial(serial), now, RevocationReason.KEY_COMPROMISE)
    before, after = entry.split(bytes.fromhex(serial))
    with database.transaction() as connection:
        version = connection.execute(
            text("SELECT coalesce(max(version), 0) FROM ca_status_versions")
        ).scalar_one()
        values = {"salt": "r", "before": before, "after": after, "version": version}
        values |= {"until": now + timedelta(days=700), "count": count}
        connection.execute(text(_ENTRIES), values)
    _settle(database, "ca_crl_entries")


def issued(database: Database) -> int:
    """Certificates of operators that are issued and committed."""
    query = text(
        "SELECT count(*) FROM ca_certificates WHERE state = 'issued' AND profile = 'operator'"
    )
    with database.reading() as connection:
        return int(connection.execute(query).scalar_one())


def sample(database: Database, count: int) -> list[tuple[Serial, str, str]]:
    """Serial, key fingerprint and reference of certificates from all over the register."""
    query = text(
        "SELECT serial, key_fingerprint, reference FROM ca_certificates "
        "WHERE state = 'issued' AND requester = 'bench' AND profile = 'operator' "
        "AND serial > :place ORDER BY serial LIMIT 1"
    )
    found = []
    with database.reading() as connection:
        for number in range(count):
            place = "2" + f"{number * (16**4) // count:04X}"
            row = connection.execute(query, {"place": place}).one_or_none()
            if row is not None:
                found.append((parse_serial(row[0]), row[1], row[2]))
    return found


def card_numbers(database: Database, count: int) -> list[str]:
    """Numbers of cards from all over the register."""
    query = text("SELECT number FROM cards WHERE number >= :place ORDER BY number LIMIT 1")
    with database.reading() as connection:
        total = connection.execute(text("SELECT count(*) FROM cards")).scalar_one()
        places = [f"OP-2026-{1 + place * (total - 1) // count:08}" for place in range(count)]
        return [connection.execute(query, {"place": each}).scalar_one() for each in places]


def names(database: Database, numbers: list[str]) -> list[str]:
    """Of the people who hold these cards."""
    query = text(
        "SELECT o.name FROM cards c JOIN operators o ON o.id = c.holder_id WHERE c.number = :number"
    )
    with database.reading() as connection:
        return [connection.execute(query, {"number": each}).scalar_one() for each in numbers]


def fullest_region(database: Database) -> tuple[str, int]:
    """The region with most cards in use, and how many they are."""
    query = text(
        "SELECT e.region, count(*) FROM cards c JOIN operators o ON o.id = c.holder_id "
        "JOIN enterprises e ON e.id = o.enterprise_id WHERE c.state = 'active' "
        "GROUP BY 1 ORDER BY 2 DESC, 1 DESC LIMIT 1"
    )
    with database.reading() as connection:
        region, count = connection.execute(query).one()
        return str(region), int(count)


def good_serials_in(database: Database, region: str) -> list[Serial]:
    """Of the cards of that region whose certificates are good, in their order."""
    query = text(
        "SELECT c.serial FROM cards c JOIN operators o ON o.id = c.holder_id "
        "JOIN enterprises e ON e.id = o.enterprise_id "
        "JOIN ca_certificates k ON k.serial = c.serial "
        "WHERE e.region = :region AND k.state = 'issued' ORDER BY c.serial"
    )
    with database.reading() as connection:
        found = list(connection.execute(query, {"region": region}).scalars())
    return [parse_serial(each) for each in found]


def serials(database: Database, count: int) -> list[Serial]:
    """Serials of so many certificates that are issued."""
    query = text(
        "SELECT serial FROM ca_certificates WHERE state = 'issued' AND profile = 'operator' "
        "AND reference LIKE 'card-c%' LIMIT :count"
    )
    with database.reading() as connection:
        rows = connection.execute(query, {"count": count}).scalars()
        return [parse_serial(row) for row in rows]


def _indexes(connection: Connection) -> list[tuple[str, str]]:
    query = text(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'ca_certificates' "
        "AND indexname LIKE 'ix_%'"
    )
    return [(row[0], row[1]) for row in connection.execute(query)]


def _settle(database: Database, table: str) -> None:
    """What autovacuum does in its own time after a bulk load."""
    with database.engine.connect() as connection:
        settled = connection.execution_options(isolation_level="AUTOCOMMIT")
        settled.execute(text(f"VACUUM ANALYZE {table}"))
        settled.execute(text("CHECKPOINT"))
