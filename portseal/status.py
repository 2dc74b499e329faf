"""What an administrator asks first: is everything in order?"""

from collections.abc import Callable

from sqlalchemy import func, select

from ca.authority import DIRECTORY_CHANNEL
from ca.tables import certificates
from kernel.refusals import Refusal
from portseal.wiring import House

_Part = Callable[[House], str]


def status_of(house: House) -> dict[str, str]:
    """Each part in words; one that does not answer says why, and the others still speak."""
    return {name: _told(part, house) for name, part in _PARTS.items()}


def _told(part: _Part, house: House) -> str:
    try:
        return part(house)
    except Refusal as refusal:
        return f"not in order: {refusal.detail} [{refusal.code}]"


def _token(house: House) -> str:
    info = house.token.info()
    house.token.login()
    return f"{info.label} ({info.manufacturer} {info.model}): open"


def _keys(house: House) -> str:
    house.self_test()
    return "every key signs and verifies"


def _certificates(house: House) -> str:
    query = select(certificates.c.state, func.count()).group_by(certificates.c.state)
    with house.database.reading() as connection:
        counts = [f"{count} {state}" for state, count in connection.execute(query)]
    return ", ".join(sorted(counts)) or "none yet"


def _journal(house: House) -> str:
    with house.database.reading() as connection:
        verdict = house.journal.verify(connection)
    if verdict.intact:
        return f"intact, {verdict.count} records"
    return f"BROKEN at record {verdict.broken_at}: {verdict.reason}"


def _publication(house: House) -> str:
    with house.database.reading() as connection:
        waiting = house.outbox.waiting(connection, DIRECTORY_CHANNEL)
        refused = house.outbox.refused(connection, DIRECTORY_CHANNEL)
    told = "everything published" if waiting == 0 else f"{waiting} entries wait for the directory"
    if refused:
        told = f"not in order: {refused} entries refused by the directory; {told}"
    return told


_PARTS: dict[str, _Part] = {
    "token": _token,
    "keys": _keys,
    "certificates": _certificates,
    "journal": _journal,
    "directory": _publication,
}
