"""What an administrator asks first: is everything in order?"""

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import ProgrammingError

from ca.authority import DIRECTORY_CHANNEL
from ca.crl.archive import CrlArchive
from ca.tables import certificates
from hsm.pool import TokenPool
from kernel import libcrypto
from kernel.algorithms import SM2_SM3
from kernel.refusals import Refusal
from portseal.spoken import Spoken, spoken
from portseal.wiring import House
from portseal.witness import check
from records import heartbeat
from signing_service.sso.end_notices import CHANNEL_PREFIX as LOGOUT_CHANNELS
from signing_service.sso.end_notices import channel_of

NOT_IN_ORDER = "not in order: "
BROKEN = "BROKEN "
"""How the word on a part begins that needs somebody."""

EXPIRES_SOON = timedelta(days=30)
LONGEST_SILENCE = timedelta(minutes=5)
"""Of the workers."""
LONGEST_QUEUE = timedelta(hours=1)
"""That a message for the directory, or for a platform, may wait."""

_Part = Callable[[House], Spoken | str]
"""A page asks none that gives a plain text: those are for the console."""


def status_of(house: House) -> dict[str, str]:
    """Each part in words; one that does not answer says why, and the others still speak."""
    return {name: _english(_told(part, house)) for name, part in _PARTS.items()}


def _english(told: Spoken | str) -> str:
    if isinstance(told, str):
        return told
    return (NOT_IN_ORDER if told.wrong else "") + told.say()


def machines(house: House) -> dict[str, Spoken]:
    """The parts that are quickly asked, for a page; and every node."""
    told = {name: _told(part, house) for name, part in _QUICK.items()}
    with house.database.reading() as connection:
        nodes = heartbeat.every(connection)
    for node in nodes:
        silence = house.clock.now() - node.at
        words = spoken("last heard %(span)s ago", span=_span(silence))
        if node.failures:
            words = spoken("%(heard)s; failed: %(jobs)s", heard=words, jobs=node.failures)
        late = silence > LONGEST_SILENCE
        told[f"node {node.node}"] = words.amiss if late or node.failures else words
    return told


_Said = TypeVar("_Said", Spoken, Spoken | str)


def _told(part: Callable[[House], _Said], house: House) -> _Said | Spoken:
    try:
        return part(house)
    except Refusal as refusal:
        return spoken("%(why)s [%(code)s]", why=refusal, code=refusal.code).amiss
    except ProgrammingError:
        return spoken("the database lacks what is asked for; see the schema").amiss


def _database(house: House) -> Spoken:
    with house.database.reading():
        kind = "SQLite" if house.database.is_sqlite else "PostgreSQL"
        return spoken("%(kind)s: answers", kind=kind)


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


def _token(house: House) -> Spoken:
    info = house.token.info()
    house.token.login()
    if isinstance(house.token, TokenPool) and house.token.left_out:
        away = tuple(
            spoken("%(token)s is left out [%(code)s]", token=token, code=code)
            for token, code in house.token.left_out.items()
        )
        return Spoken("%(away)s", {"away": away}, wrong=True)
    make = f"{info.manufacturer} {info.model}"
    return spoken("%(label)s (%(make)s): open", label=info.label, make=make)


def _keys(house: House) -> str:
    house.self_test()
    return "every key signs and verifies"


def _sm2(house: House) -> str:
    if SM2_SM3.name not in house.validation_policy.suites_until:
        return "not accepted by the policy"
    return f"verified by {libcrypto.description()}"


def _authority(house: House) -> Spoken:
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
        return spoken("certificates end: %(ends)s", ends=", ".join(soon)).amiss
    name = min(ends, key=lambda each: ends[each])
    day = f"{ends[name]:%Y-%m-%d}"
    return spoken("no certificate ends before %(day)s (%(name)s)", day=day, name=name)


def _alive(house: House) -> set[str]:
    """Authorities that have not ended. The one that issues counts in any case."""
    opened, now = house.authorities, house.clock.now()
    return {
        each.name
        for each in opened.by_name.values()
        if now < each.own.certificate.not_after or each.name == opened.current
    }


def _crls(house: House) -> Spoken:
    now, told, fault, alive = house.clock.now(), list[Spoken](), False, _alive(house)
    for name in house.authorities.by_name:
        latest = CrlArchive(house.database).latest(name)
        if name not in alive:
            told.append(spoken("%(name)s: ended, no more lists", name=name))
        elif latest is None:
            fault = True
            told.append(spoken("%(name)s: none yet", name=name))
        else:
            fault = fault or latest.next_update <= now
            age = _span(now - latest.this_update)
            until = f"{latest.next_update:%Y-%m-%dT%H:%MZ}"
            good = spoken(
                "%(name)s: %(age)s old, good until %(until)s", name=name, age=age, until=until
            )
            told.append(good)
    return Spoken("%(lists)s", {"lists": tuple(told)}, wrong=fault)


def _clock(house: House) -> Spoken:
    fault = house.clock_health.fault()
    if fault is None:
        return spoken("trusted: timestamps are made")
    return spoken(
        "no timestamps are made, nor signatures that need one: %(fault)s (docs/running.md, Clocks)",
        fault=fault,
    ).amiss


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


def _publication(house: House) -> Spoken:
    with house.database.reading() as connection:
        waiting = house.outbox.waiting(connection, DIRECTORY_CHANNEL)
        refused = house.outbox.refused(connection, DIRECTORY_CHANNEL)
        oldest = house.outbox.oldest_waiting(connection, DIRECTORY_CHANNEL)
    told = spoken("everything published")
    late = False
    if oldest is not None:
        waited = house.clock.now() - oldest
        late = waited > LONGEST_QUEUE
        told = spoken(
            "%(count)s entries wait for the directory, the oldest for %(span)s",
            count=waiting, span=_span(waited),
        )  # fmt: skip
    if refused:
        told = spoken(
            "%(count)s entries set aside, refused by the directory; %(rest)s",
            count=refused, rest=told,
        )  # fmt: skip
    return told.amiss if refused or late else told


def _console(house: House) -> Spoken:
    """Acts at the console without an officer's card, until the audit has looked at them."""
    told = house.console_acts.unacknowledged()
    if not told:
        return spoken("every act had its officers' cards, or was acknowledged")
    named = [f"{each.what} {each.subject} by {each.account} ({each.exception})" for each in told]
    acts = "; ".join(named[-3:]) + (" …" if len(named) > 3 else "")
    return spoken(
        "%(count)s acts were done without an officer's card: %(acts)s; an audit administrator "
        "acknowledges them in the portal, under Acts without a card",
        count=len(named), acts=acts,
    ).amiss  # fmt: skip


def _platforms(house: House) -> str:
    """Their addresses, and what was not told yet: a platform that is away for a while is its own
    trouble, one that is away for longer somebody has to call, or to disable."""
    lost = house.sso.platforms.lost_addresses()
    with house.database.reading() as connection:
        queues = house.outbox.queues(connection)
        aside = {each.channel for each in house.outbox.dead_letters(connection)}
    since = {each[0]: each[2] for each in queues if each[0].startswith(LOGOUT_CHANNELS)}
    refusing = {each for each in aside if each.startswith(LOGOUT_CHANNELS)}
    fault, told = False, ["every address is one platform's"]
    if lost:
        named = "; ".join(map(str, lost[:3])) + (f" and {len(lost) - 3} more" if lost[3:] else "")
        fault, told = True, [f"CAS service addresses: {named}; change one of the entries"]
    if since:
        waited = house.clock.now() - min(since.values())
        fault = fault or waited > LONGEST_QUEUE
        who = _named_platforms(house, since)
        told.append(f"not reached with ends of sessions for {_span(waited).say()}: {who}")
    if refusing:
        fault = True
        who = _named_platforms(house, refusing)
        told.append(f"refuse to hear of ends of sessions (see the messages set aside): {who}")
    return (NOT_IN_ORDER if fault else "") + "; ".join(told)


def _named_platforms(house: House, channels: Collection[str]) -> str:
    """Those that the channels are of, three at most by their client IDs."""
    every = (each.platform.client_id for each in house.sso.platforms.all())
    known = [each for each in every if channel_of(each) in channels]
    named = ", ".join(known[:3]) or "unknown"
    return named + (f" and {len(channels) - 3} more" if len(channels) > 3 else "")


def _worker(house: House) -> Spoken:
    with house.database.reading() as connection:
        nodes = heartbeat.every(connection)
        last = heartbeat.newest(connection)
    limit = house.settings.nodes.max_clock_difference_milliseconds
    apart = [f"{each.node} {each.skew_ms:+} ms" for each in nodes if abs(each.skew_ms) > limit]
    if apart:
        nodes_apart = ", ".join(apart)
        return spoken("clocks differ from the database's: %(nodes)s", nodes=nodes_apart).amiss
    if last is None:
        return spoken("no worker has ended a round yet").amiss
    silence = house.clock.now() - last.at
    told = spoken("last round noted %(span)s ago on %(node)s", span=_span(silence), node=last.node)
    if silence > LONGEST_SILENCE:
        return told.amiss
    if last.failures:
        return spoken("%(heard)s; failed: %(jobs)s", heard=told, jobs=last.failures).amiss
    return told


def _span(duration: timedelta) -> Spoken:
    seconds = max(0, round(duration.total_seconds()))
    if seconds >= 2 * 86_400:
        return spoken("%(count)s d", count=seconds // 86_400)
    if seconds >= 2 * 3600:
        return spoken("%(count)s h", count=seconds // 3600)
    if seconds >= 2 * 60:
        return spoken("%(count)s min", count=seconds // 60)
    return spoken("%(count)s s", count=seconds)


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
_QUICK: dict[str, Callable[[House], Spoken]] = {
    "database": _database,
    "token": _token,
    "authority": _authority,
    "clock": _clock,
    "crls": _crls,
    "directory": _publication,
    "console": _console,
    "worker": _worker,
}
"""Parts that cost a page nothing to ask."""
