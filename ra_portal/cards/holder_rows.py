"""A card with everything that is known of its holder, in one statement: it is asked at every
sign-in and every use of a session."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, bindparam, case, func, select

from ra_portal.cards import card_rows
from ra_portal.cards.card import Card
from ra_portal.cards.tables import cards
from ra_portal.people.identity import HolderKind
from ra_portal.people.people import Grant
from ra_portal.people.tables import enterprises, grants, officers, operators
from records.database import Database
from records.prepared import Prepared

_witnesses = officers.alias("witnesses")


@dataclass(frozen=True)
class HeldCard:
    """What the rows say; whether it holds at a moment is for the caller."""

    card: Card
    name: str
    witness: str | None
    """The name of the officer who saw the card made."""
    roles: tuple[str, ...] = ()
    branch: str | None = None
    retired_at: datetime | None = None
    """When the officer left."""
    employee_number: str | None = None
    """An operator's."""
    enterprise_id: str | None = None
    enterprise_name: str | None = None
    enterprise_uscc: str | None = None
    customs_code: str | None = None
    enterprise_closed_at: datetime | None = None
    grants: tuple[Grant, ...] = ()

    def grants_at(self, at: datetime) -> tuple[Grant, ...]:
        """Those in force at a point in time, sorted by right."""
        held = (grant for grant in self.grants if grant.holds_at(at))
        return tuple(sorted(held, key=lambda each: (each.right, each.valid_from)))

    def is_enterprise_closed_at(self, at: datetime) -> bool:
        return self.enterprise_closed_at is not None and at >= self.enterprise_closed_at

    def is_officer_retired_at(self, at: datetime) -> bool:
        return self.retired_at is not None and at >= self.retired_at


class HeldCards:
    """Finds them."""

    def __init__(self, database: Database) -> None:
        self._by_fingerprint = Prepared(database, _BY_FINGERPRINT)
        self._by_number = Prepared(database, _BY_NUMBER)

    def by_fingerprint(self, fingerprint: str) -> HeldCard | None:
        return _held(self._by_fingerprint.all(wanted=fingerprint))

    def by_number(self, number: str) -> HeldCard | None:
        return _held(self._by_number.all(wanted=number.strip().upper()[:24]))


def _everything() -> Select[Any]:
    enterprise_id = func.coalesce(
        operators.c.enterprise_id,
        case((cards.c.holder_kind == str(HolderKind.LEGAL_PERSON), cards.c.holder_id)),
    )
    is_officer = and_(
        cards.c.holder_kind == str(HolderKind.OFFICER), officers.c.id == cards.c.holder_id
    )
    is_operator = and_(
        cards.c.holder_kind == str(HolderKind.OPERATOR), operators.c.id == cards.c.holder_id
    )
    joined = (
        cards.outerjoin(officers, is_officer)
        .outerjoin(operators, is_operator)
        .outerjoin(enterprises, enterprises.c.id == enterprise_id)
        .outerjoin(_witnesses, _witnesses.c.id == cards.c.witnessed_by)
        .outerjoin(grants, grants.c.operator_id == operators.c.id)
    )
    named = (
        officers.c.name.label("officer_name"),
        officers.c.roles.label("officer_roles"),
        officers.c.branch_id.label("officer_branch"),
        officers.c.retired_at.label("officer_retired_at"),
        operators.c.name.label("operator_name"),
        operators.c.employee_number.label("operator_number"),
        enterprises.c.id.label("enterprise"),
        enterprises.c.name.label("enterprise_name"),
        enterprises.c.uscc.label("enterprise_uscc"),
        enterprises.c.customs_code.label("enterprise_customs_code"),
        enterprises.c.closed_at.label("enterprise_closed_at"),
        _witnesses.c.name.label("witness_name"),
        *(grants.c[name].label(f"grant_{name}") for name in Grant.__dataclass_fields__),
    )
    return select(*cards.c, *named).select_from(joined)


_BY_FINGERPRINT = _everything().where(cards.c.fingerprint == bindparam("wanted"))
_BY_NUMBER = _everything().where(cards.c.number == bindparam("wanted"))


def _held(rows: Sequence[Any]) -> HeldCard | None:
    """One row for each of an operator's grants; one for a holder without."""
    if not rows:
        return None
    first = rows[0]
    fields = Grant.__dataclass_fields__
    return HeldCard(
        card=card_rows.card_of(first._asdict()),
        name=first.officer_name or first.operator_name or first.enterprise_name or "",
        witness=first.witness_name,
        roles=tuple(sorted(each for each in (first.officer_roles or "").split(",") if each)),
        branch=first.officer_branch,
        retired_at=first.officer_retired_at,
        employee_number=first.operator_number,
        enterprise_id=first.enterprise,
        enterprise_name=first.enterprise_name,
        enterprise_uscc=first.enterprise_uscc,
        customs_code=first.enterprise_customs_code,
        enterprise_closed_at=first.enterprise_closed_at,
        grants=tuple(
            Grant(**{name: getattr(row, f"grant_{name}") for name in fields})
            for row in rows
            if row.grant_id is not None
        ),
    )
