"""What an administrator asks first: is everything in order?"""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.exc import ProgrammingError

from ca.authority import DIRECTORY_CHANNEL
from ca.crl.archive import CrlArchive
from ca.tables import certificates
from hsm.pool import TokenPool
from kernel import libcrypto
from kernel.algorithms import SM2_SM3
from kernel.refusals import Refusal
from portseal.wiring import House
from portseal.witness import check
from records import heartbeat

NOT_IN_ORDER = "not in order: "
BROKEN = "BROKEN "
"""How the word on a part begins that needs somebody."""

EXPIRES_SOON = timedelta(days=30)
LONGEST_SILENCE = timedelta(minutes=5)
"""Of the workers."""
LONGEST_QUEUE = timedelta(hours=1)
"""That a message for the directory may wait."""

_Part = Callable[[House], str]


def status_of(house: House) -> dict[str, str]:
    """Each part in words; one that does not answer says why, and the others still speak."""
    return {name: _told(part, house) for name, part in _PARTS.items()}


def machines(house: House) -> dict[str, str]:
    """The parts that are quickly asked, for a page; and every node."""
    told = {name: _told(_PARTS[name], house) for name in _QUICK}
    with house.database.reading() as connection:
        nodes = heartbeat.every(connection)
    for node in nodes:
        silence = house.clock.now() - node.at
        words = f"last heard {_span(silence)} ago"
        if silence > LONGEST_SILENCE or node.failures:
            words = NOT_IN_ORDER + "; ".join(filter(None, (words, node.failures)))
        told[f"node {node.node}"] = words
    return told


def _told(part: _Part, house: House) -> str:
    try:
        return part(house)
    except Refusal as refusal:
        return f"{NOT_IN_ORDER}{refusal.detail} [{refusal.code}]"
    except ProgrammingError:
        return f"{NOT_IN_ORDER}the database lacks what is asked for; see the schema"


def _database(house: House) -> str:
    with house.database.reading():
        return f"{'SQLite' if house.database.is_sqlite else 'PostgreSQL'}: answers"


def _schema(house: House) -> str:
    # Imported here: it loads Alembic, which no page needs.
    from records.schema import schema_state

    with house.database.reading() as connection:
        state = schema_state(connection)
    if state.behind == 0:
        return f"at {state.newest}, the newest"
    if state.behind is None:
        return (
            f"{NOT_IN_ORDER}at {state.at}, which this version does not know (its newest is "
            f"{state.newest}): run the version that made it, or a later one"
        )
    here = "not made yet" if state.at is None else f"at {state.at}"
    lacks = f"lacks {state.behind} migrations up to {state.newest}"
    return f"{NOT_IN_ORDER}{here}, {lacks}: stop the services and run `portseal db upgrade`"


def _token(house: House) -> str:
    info = house.token.info()
    house.token.login()
    if isinstance(house.token, TokenPool) and house.token.left_out:
        away = [f"{token} is left out [{code}]" for token, code in house.token.left_out.items()]
        return f"{NOT_IN_ORDER}{'; '.join(away)}"
    return f"{info.label} ({info.manufacturer} {info.model}): open"


def _keys(house: House) -> str:
    house.self_test()
    return "every key signs and verifies"


def _sm2(house: House) -> str:
    if SM2_SM3.name not in house.validation_policy.suites_until:
        return "not accepted by the policy"
    return f"verified by {libcrypto.description()}"


def _authority(house: House) -> str:
    """The authorities' and services' own certificates; responders' by their newest key."""
    opened, now = house.authorities, house.clock.now()
    ends = {"timestamps": opened.tsa.certificate.not_after}
    alive = _alive(house)
    for each in opened.by_name.values():
        if each.name in alive:
            ends[each.name] = each.own.certificate.not_after
            ends[f"{each.name} OCSP"] = house.responder_keys[each.name].certificate.not_after
    soon = [f"{name} {end:%Y-%m-%d}" for name, end in ends.items() if end - now < EXPIRES_SOON]
    if soon:
        return f"{NOT_IN_ORDER}certificates end: {', '.join(soon)}"
    name = min(ends, key=lambda each: ends[each])
    return f"no certificate ends before {ends[name]:%Y-%m-%d} ({name})"


def _alive(house: House) -> set[str]:
    """Authorities that have not ended. The one that issues counts in any case."""
    opened, now = house.authorities, house.clock.now()
    return {
        each.name
        for each in opened.by_name.values()
        if now < each.own.certificate.not_after or each.name == opened.current
    }


def _crls(house: House) -> str:
    now, told, fault, alive = house.clock.now(), [], False, _alive(house)
    for name in house.authorities.by_name:
        latest = CrlArchive(house.database).latest(name)
        if name not in alive:
            told.append(f"{name}: ended, no more lists")
        elif latest is None:
            fault = True
            told.append(f"{name}: none yet")
        else:
            fault = fault or latest.next_update <= now
            age = _span(now - latest.this_update)
            until = f"{latest.next_update:%Y-%m-%dT%H:%MZ}"
            told.append(f"{name}: {age} old, good until {until}")
    return (NOT_IN_ORDER if fault else "") + "; ".join(told)


def _clock(house: House) -> str:
    fault = house.clock_health.fault()
    if fault is None:
        return "trusted: timestamps are made"
    return (
        f"{NOT_IN_ORDER}no timestamps are made, nor signatures that need one: {fault} "
        "(docs/running.md, Clocks)"
    )


def _certificates(house: House) -> str:
    query = select(certificates.c.state, func.count()).group_by(certificates.c.state)
    with house.database.reading() as connection:
        counts = [f"{count} {state}" for state, count in connection.execute(query)]
    return ", ".join(sorted(counts)) or "none yet"


def _journal(house: House) -> str:
    with house.database.reading() as connection:
        found = check(connection, house.journal, house.journal_seal)
    if not found.chain.intact:
        return f"{BROKEN}at record {found.chain.broken_at}: {found.chain.reason}"
    if found.misfits:
        return f"{BROKEN}{found.misfits[0]}"
    house.journal_gate.check()
    return f"intact, {found.chain.count} records, {found.until} of them witnessed"


def _publication(house: House) -> str:
    with house.database.reading() as connection:
        waiting = house.outbox.waiting(connection, DIRECTORY_CHANNEL)
        refused = house.outbox.refused(connection, DIRECTORY_CHANNEL)
        oldest = house.outbox.oldest_waiting(connection, DIRECTORY_CHANNEL)
    told = "everything published"
    late = False
    if oldest is not None:
        waited = house.clock.now() - oldest
        late = waited > LONGEST_QUEUE
        told = f"{waiting} entries wait for the directory, the oldest for {_span(waited)}"
    if refused:
        told = f"{refused} entries set aside, refused by the directory; {told}"
    return (NOT_IN_ORDER if refused or late else "") + told


def _console(house: House) -> str:
    """Acts at the console without an officer's card, until the audit has looked at them."""
    told = house.console_acts.unacknowledged()
    if not told:
        return "every act had its officers' cards, or was acknowledged"
    named = [f"{each.what} {each.subject} by {each.account} ({each.exception})" for each in told]
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return (
        f"{NOT_IN_ORDER}{len(named)} acts were done without an officer's card: "
        f"{'; '.join(named[-3:])}{more}; an audit administrator acknowledges them in the portal, "
        "under Acts without a card"
    )


def _platforms(house: House) -> str:
    lost = house.sso.platforms.lost_addresses()
    if not lost:
        return "every address is one platform's"
    named = "; ".join(map(str, lost[:3])) + (f" and {len(lost) - 3} more" if lost[3:] else "")
    return f"{NOT_IN_ORDER}CAS service addresses: {named}; change one of the entries"


def _worker(house: House) -> str:
    with house.database.reading() as connection:
        nodes = heartbeat.every(connection)
        last = heartbeat.newest(connection)
    limit = house.settings.nodes.max_clock_difference_milliseconds
    apart = [f"{each.node} {each.skew_ms:+} ms" for each in nodes if abs(each.skew_ms) > limit]
    if apart:
        return f"{NOT_IN_ORDER}clocks differ from the database's: {', '.join(apart)}"
    if last is None:
        return f"{NOT_IN_ORDER}no worker has ended a round yet"
    silence = house.clock.now() - last.at
    told = f"last round noted {_span(silence)} ago on {last.node}"
    if silence > LONGEST_SILENCE:
        return NOT_IN_ORDER + told
    return f"{NOT_IN_ORDER}{told}; failed: {last.failures}" if last.failures else told


def _span(duration: timedelta) -> str:
    seconds = max(0, round(duration.total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


_PARTS: dict[str, _Part] = {
    "database": _database,
    "schema": _schema,
    "token": _token,
    "keys": _keys,
    "sm2": _sm2,
    "authority": _authority,
    "clock": _clock,
    "crls": _crls,
    "certificates": _certificates,
    "journal": _journal,
    "directory": _publication,
    "console": _console,
    "platforms": _platforms,
    "worker": _worker,
}
_QUICK = ("database", "token", "authority", "clock", "crls", "directory", "console", "worker")
"""Parts that cost a page nothing to ask."""
