"""A root session: the root's token is plugged in, does what only it can, and goes away again."""

from ca.opening import OpenAuthority
from kernel.refusals import Conflict
from policies.ceremony_plan import role_of
from portseal.wiring.house import House
from records.events import Event


def require_root(house: House) -> list[OpenAuthority]:
    """The roots whose keys are here. Raises as `hold_root_session`."""
    roots = [each for each in house.authorities.of_role("root") if each.own.is_present]
    if not roots:
        raise Conflict("root-session.no-root", "no root's token is plugged in; nothing was done")
    return roots


def hold_root_session(house: House, actor: str) -> dict[str, str]:
    """What was made, for each root whose key is here.

    Raises Conflict `root-session.no-root` when no root's token is plugged in; Unavailable.
    """
    roots = require_root(house)
    _tell(house, Event.ROOT_SESSION_OPENED, actor, [each.name for each in roots])
    done: dict[str, str] = {}
    for root in roots:
        root.own.key.self_test()
        if house.responder_keys[root.name].rotate_if_due():
            newest = house.responder_keys[root.name].certificate
            done[f"{root.name} OCSP"] = f"new key, until {newest.not_after:%Y-%m-%d}"
    for issuer in house.crl_issuers:
        if role_of(issuer.authority) == "root" and not issuer.has_ended:
            crl = issuer.issue(actor)
            until = f"{crl.next_update:%Y-%m-%d}"
            done[f"{issuer.authority} CRL"] = f"number {crl.number}, {crl.entries} entries, {until}"
    _tell(house, Event.ROOT_SESSION_CLOSED, actor, list(done))
    return done


def _tell(house: House, event: Event, actor: str, what: list[str]) -> None:
    with house.database.transaction() as connection:
        house.journal.append(
            connection, event, subject="root", actor=actor, done=", ".join(what)[:500]
        )
