"""Enterprises, officers, operators and their grants in the database."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from kernel.refusals import Conflict, NotFound
from ra_portal.cards.card import Holder
from ra_portal.people import name_search
from ra_portal.people.identity import HolderKind, Role
from ra_portal.people.people import Enterprise, Grant, Officer, Operator
from ra_portal.people.personal_data import SealedNumber
from ra_portal.people.tables import enterprises, grants, officers, operators
from records.bulk import insert_rows

_GRANT = [grants.c[name] for name in Grant.__dataclass_fields__]


def add_enterprise(connection: Connection, enterprise: Enterprise) -> None:
    """Raises Conflict `enterprise.exists`."""
    try:
        connection.execute(insert(enterprises), _values(enterprise))
    except IntegrityError as error:
        raise Conflict("enterprise.exists", "the enterprise is registered already") from error
    name_search.ENTERPRISES.remember(connection, enterprise.uscc, enterprise.name)


def enterprise(connection: Connection, identifier: str) -> Enterprise:
    """Raises NotFound `enterprise.unknown`."""
    query = select(enterprises).where(enterprises.c.id == identifier)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("enterprise.unknown", "there is no such enterprise")
    return Enterprise(**_with_identity(row._mapping))


def enterprises_by(connection: Connection, query: Select[Any]) -> list[Enterprise]:
    """Those that a query over the table finds, in its order."""
    return [Enterprise(**_with_identity(row._mapping)) for row in connection.execute(query)]


def lock_enterprise(connection: Connection, identifier: str) -> None:
    """Keep others that do so waiting until the transaction ends: what is counted of an enterprise
    and then added to is counted by one at a time."""
    connection.execute(
        select(enterprises.c.id).where(enterprises.c.id == identifier).with_for_update()
    )


def find_enterprise(connection: Connection, uscc: str) -> Enterprise | None:
    """By its credit code."""
    query = select(enterprises.c.id).where(enterprises.c.uscc == uscc.strip().upper()[:18])
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else enterprise(connection, found)


def registered_among(connection: Connection, usccs: Collection[str]) -> set[str]:
    """Those of these that an enterprise has."""
    query = select(enterprises.c.uscc).where(enterprises.c.uscc.in_(list(usccs)))
    return set(connection.execute(query).scalars())


def change_enterprise(connection: Connection, identifier: str, changes: Mapping[str, str]) -> None:
    connection.execute(
        update(enterprises).where(enterprises.c.id == identifier).values(dict(changes))
    )
    changed = enterprise(connection, identifier)
    name_search.ENTERPRISES.remember(connection, changed.uscc, changed.name)


def change_operator(connection: Connection, identifier: str, changes: Mapping[str, str]) -> None:
    connection.execute(update(operators).where(operators.c.id == identifier).values(dict(changes)))
    changed = operator(connection, identifier)
    name_search.PEOPLE.remember(connection, str(changed.holder), changed.name)


def close_enterprise(connection: Connection, identifier: str, at: datetime) -> None:
    connection.execute(
        update(enterprises)
        .where(enterprises.c.id == identifier, enterprises.c.closed_at.is_(None))
        .values(closed_at=at)
    )


def enterprise_of(connection: Connection, holder: Holder) -> Enterprise | None:
    """The enterprise of a legal-person or operator card; None for an officer's."""
    if holder.kind is HolderKind.OFFICER:
        return None
    if holder.kind is HolderKind.LEGAL_PERSON:
        return enterprise(connection, holder.id)
    return enterprise(connection, operator(connection, holder.id).enterprise_id)


def add_officer(connection: Connection, officer: Officer) -> None:
    values = {**_values(officer), "roles": write_roles(officer.roles)}
    connection.execute(insert(officers), values)
    name_search.PEOPLE.remember(connection, str(officer.holder), officer.name)


def officer(connection: Connection, identifier: str) -> Officer:
    """Raises NotFound `officer.unknown`."""
    row = connection.execute(select(officers).where(officers.c.id == identifier)).one_or_none()
    if row is None:
        raise NotFound("officer.unknown", "there is no such officer")
    return _officer(dict(row._mapping))


def all_officers(connection: Connection, retired: bool = False) -> list[Officer]:
    """Those who work here; with `retired` those who have left, too."""
    query = select(officers).order_by(officers.c.created_at, officers.c.id)
    if not retired:
        query = query.where(officers.c.retired_at.is_(None))
    return [_officer(dict(row._mapping)) for row in connection.execute(query)]


def lock_officer(connection: Connection, identifier: str) -> None:
    """Keep others that do so waiting until the transaction ends: what an officer is given, and
    what an officer may have, are decided one after the other."""
    connection.execute(select(officers.c.id).where(officers.c.id == identifier).with_for_update())


def change_officer(connection: Connection, officer: Officer) -> None:
    """Store the roles, the branch and the leaving of one who is there."""
    values = {
        "roles": write_roles(officer.roles),
        "branch_id": officer.branch_id,
        "retired_at": officer.retired_at,
    }
    connection.execute(update(officers).where(officers.c.id == officer.id).values(values))


def officer_names(connection: Connection, identifiers: Iterable[str | None]) -> dict[str, str]:
    """Names by id."""
    wanted = [identifier for identifier in identifiers if identifier]
    query = select(officers.c.id, officers.c.name).where(officers.c.id.in_(wanted))
    return {row.id: row.name for row in connection.execute(query)}


def add_operators(connection: Connection, new: Sequence[Operator]) -> None:
    """All or none. Raises Conflict `operator.employee-number-taken`."""
    ordered = sorted(new, key=lambda each: each.employee_number)  # two at once wait in one order
    try:
        insert_rows(connection, operators, [_values(each) for each in ordered])
    except IntegrityError as error:
        raise Conflict(
            "operator.employee-number-taken", "an operator with this employee number exists already"
        ) from error
    name_search.PEOPLE.remember_many(connection, {str(each.holder): each.name for each in new})


def operator(connection: Connection, identifier: str, enterprise_id: str | None = None) -> Operator:
    """The operator; with `enterprise_id`, of that enterprise only.

    Raises NotFound `operator.unknown`.
    """
    query = select(operators).where(operators.c.id == identifier)
    if enterprise_id is not None:
        query = query.where(operators.c.enterprise_id == enterprise_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound("operator.unknown", "there is no such operator in your enterprise")
    return Operator(**_with_identity(row._mapping))


def operators_of(connection: Connection, enterprise_id: str) -> list[Operator]:
    query = (
        select(operators)
        .where(operators.c.enterprise_id == enterprise_id)
        .order_by(operators.c.created_at, operators.c.id)
    )
    return operators_by(connection, query)


def operators_page(
    connection: Connection, enterprise_id: str, text: str, after: str, limit: int
) -> list[Operator]:
    """In the order of employee numbers, behind this one; whose name or number holds the text."""
    query = select(operators).where(
        operators.c.enterprise_id == enterprise_id, operators.c.employee_number > after
    )
    if text:
        held = (operators.c.name, operators.c.employee_number)
        query = query.where(or_(*(column.contains(text, autoescape=True) for column in held)))
    return operators_by(connection, query.order_by(operators.c.employee_number).limit(limit))


def operators_by(connection: Connection, query: Select[Any]) -> list[Operator]:
    """Those that a query over the table finds, in its order."""
    return [Operator(**_with_identity(row._mapping)) for row in connection.execute(query)]


def operators_among(connection: Connection, identifiers: Collection[str]) -> dict[str, Operator]:
    """By id."""
    query = select(operators).where(operators.c.id.in_(list(identifiers)))
    return {each.id: each for each in operators_by(connection, query)}


def count_operators(connection: Connection, enterprise_id: str) -> int:
    query = select(func.count()).where(operators.c.enterprise_id == enterprise_id)
    return connection.execute(query).scalar_one()


def add_grants(connection: Connection, new: Sequence[Grant]) -> None:
    insert_rows(connection, grants, [_values(each) for each in new])


def end_grant(connection: Connection, grant: Grant, at: datetime, by: str) -> None:
    connection.execute(
        update(grants)
        .where(grants.c.id == grant.id)
        .values(valid_until=max(at, grant.valid_from), withdrawn_by=by)
    )


def grants_of(connection: Connection, operator_ids: Iterable[str]) -> list[Grant]:
    """Every grant there ever was, oldest first."""
    query = (
        select(*_GRANT)
        .where(grants.c.operator_id.in_(list(operator_ids)))
        .order_by(grants.c.valid_from, grants.c.id)
    )
    return grants_by(connection, query)


def grants_by(connection: Connection, query: Select[Any]) -> list[Grant]:
    """Those that a query for a grant's columns finds, in its order."""
    return [Grant(**row._mapping) for row in connection.execute(query)]


def ending_grants(
    now: datetime, until: datetime, limit: int, without: Collection[str] = ()
) -> Select[Any]:
    """In force, not withdrawn, ending by `until`, and nobody was told yet; soonest first. Not those
    that another of the same right goes on from without a gap, nor of the enterprises `without`."""
    more = grants.alias("more")
    goes_on = (
        select(more.c.id)
        .where(
            more.c.operator_id == grants.c.operator_id,
            more.c.right == grants.c.right,
            more.c.withdrawn_by.is_(None),
            more.c.valid_from <= grants.c.valid_until,
            or_(more.c.valid_until.is_(None), more.c.valid_until > grants.c.valid_until),
        )
        .exists()
    )
    query = (
        select(*_GRANT)
        .where(grants.c.end_told_at.is_(None), grants.c.withdrawn_by.is_(None))
        .where(grants.c.valid_until > now, grants.c.valid_until <= until)
        .where(grants.c.valid_from <= now, ~goes_on)
        .order_by(grants.c.valid_until, grants.c.id)
        .limit(limit)
    )
    if without:
        theirs = select(operators.c.id).where(operators.c.enterprise_id.in_(list(without)))
        query = query.where(grants.c.operator_id.not_in(theirs))
    return query


def mark_end_told(connection: Connection, identifiers: Sequence[str], at: datetime) -> None:
    mine = update(grants).where(grants.c.id.in_(identifiers))
    connection.execute(mine.values(end_told_at=at))


def rights_at(connection: Connection, operator_id: str, at: datetime) -> tuple[str, ...]:
    """Codes of the rights in force at a point in time, sorted."""
    held = (grant for grant in grants_of(connection, [operator_id]) if grant.holds_at(at))
    return tuple(sorted({grant.right for grant in held}))


def write_roles(roles: Iterable[Role]) -> str:
    """As a row keeps them."""
    return ",".join(sorted(roles))


def stored_roles(text: str) -> frozenset[Role]:
    return frozenset(Role(role) for role in text.split(",") if role)


def _officer(row: dict[str, object]) -> Officer:
    return Officer(roles=stored_roles(str(row.pop("roles"))), **row)  # type: ignore[arg-type]


def _values(record: Enterprise | Officer | Operator | Grant) -> dict[str, object]:
    row = {name: getattr(record, name) for name in record.__dataclass_fields__}
    if "identity" in row:
        row |= identity_columns(row.pop("identity"))
    return row


def identity_columns(sealed: SealedNumber | None) -> dict[str, object]:
    """As a row keeps a sealed identity number."""
    if sealed is None:
        return {"identity_cipher": None, "identity_index": None}
    return {"identity_cipher": sealed.cipher, "identity_index": sealed.index}


def sealed_identity(row: Mapping[Any, Any]) -> SealedNumber | None:
    cipher = row["identity_cipher"]
    return None if cipher is None else SealedNumber(bytes(cipher), row["identity_index"])


def _with_identity(row: Mapping[Any, Any]) -> dict[str, Any]:
    plain = {name: row[name] for name in row if not str(name).startswith("identity_")}
    return {**plain, "identity": sealed_identity(row)}
