"""Whose a CAS service address is: one platform's alone, else whose a ticket is would be a guess.

A platform's terms name its addresses; the table says whose each is. The two agree, but for a
register from before the table: of two platforms with one address, the one registered first kept
it, and the other has lost what its terms still name.
"""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from kernel.refusals import Conflict
from signing_service.sso.platform import PlatformDraft
from signing_service.sso.tables import cas_services, platforms


@dataclass(frozen=True)
class LostAddress:
    """An address that a platform's terms name and that is not its own."""

    client_id: str
    name: str
    address: str
    owner: str | None
    """The client_id whose it is; None: nobody's any more. A change of its entry takes it then."""

    def __str__(self) -> str:
        whose = f"belongs to {self.owner}" if self.owner else "belongs to nobody"
        return f"{self.address} of {self.client_id} ({self.name}) {whose}"


def require_free(connection: Connection, draft: PlatformDraft) -> None:
    """Raises Conflict `platform.cas-service`."""
    others = select(cas_services.c.address).where(
        cas_services.c.address.in_(draft.terms.cas_services),
        cas_services.c.client_id != draft.client_id,
    )
    if draft.terms.cas_services and connection.execute(others).first() is not None:
        raise Conflict("platform.cas-service", "another platform has this service address")


def claim(connection: Connection, draft: PlatformDraft) -> None:
    """Give the platform the addresses of its terms, and no others. Raises as `require_free`."""
    require_free(connection, draft)
    release(connection, draft.client_id)
    rows = [{"address": each, "client_id": draft.client_id} for each in draft.terms.cas_services]
    if rows:
        connection.execute(insert(cas_services), rows)


def release(connection: Connection, client_id: str) -> None:
    connection.execute(delete(cas_services).where(cas_services.c.client_id == client_id))


def lost_addresses(connection: Connection) -> list[LostAddress]:
    """Of all platforms that are not disabled, by name."""
    owned = connection.execute(select(cas_services.c.address, cas_services.c.client_id))
    owners = {row.address: row.client_id for row in owned}
    live = select(platforms.c.client_id, platforms.c.name, platforms.c.terms).where(
        platforms.c.disabled_at.is_(None)
    )
    return [
        LostAddress(row.client_id, row.name, address, owners.get(address))
        for row in connection.execute(live.order_by(platforms.c.name, platforms.c.client_id))
        for address in json.loads(row.terms).get("cas_services", ())
        if owners.get(address) != row.client_id
    ]
