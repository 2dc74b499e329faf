"""Operators: an enterprise adds them, grants and withdraws their rights."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.refusals import Conflict, NotFound, TooLarge, Unprocessable
from policies.rights import RightsCatalogue
from ra_portal import fields
from ra_portal.applications.application import LONGEST_NAME
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card, CardState
from ra_portal.cards.cards import Cards
from ra_portal.people import people_rows
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.people.people import Enterprise, Grant, Operator
from ra_portal.people.personal_data import PersonalData
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

MOST_OPERATORS = 10_000
"""Of one enterprise."""
PAGE_LENGTH = 50
MOST_CODES = 200
"""Made at once."""


@dataclass(frozen=True)
class OperatorView:
    """An operator as the enterprise sees one."""

    operator: Operator
    rights: tuple[str, ...]
    """Codes in force now."""
    history: tuple[Grant, ...]
    card: Card | None
    """The newest."""


@dataclass(frozen=True)
class EnterpriseView:
    enterprise: Enterprise
    card: Card | None
    operators: tuple[OperatorView, ...]
    more_after: str = ""
    """The employee number that the next page begins behind; empty for the last."""


@dataclass(frozen=True)
class AddedOperator:
    """A new operator; the activation code is nowhere else."""

    view: OperatorView
    activation_code: str


@dataclass(frozen=True)
class NewOperator:
    """Not stored yet; the identity number is sealed already, which takes the token's time."""

    operator: Operator
    rights: frozenset[str]


class Operators:
    """Use cases of the legal-person card."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        cards: Cards,
        catalogue: RightsCatalogue,
        personal: PersonalData,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._cards = cards
        self.catalogue = catalogue
        self._personal = personal

    def enterprise(self, by: Identity) -> Enterprise:
        """The enterprise alone. Raises Forbidden `legal-person.required`."""
        with self._database.reading() as connection:
            return people_rows.enterprise(connection, by.require_legal_person())

    def page(self, by: Identity, text: str = "", after: str = "") -> EnterpriseView:
        """The enterprise, its card, and one page of the operators whose name or employee number
        holds `text`, in the order of employee numbers, behind `after`. Raises Forbidden
        `legal-person.required`."""
        enterprise_id = by.require_legal_person()
        with self._database.reading() as connection:
            enterprise = people_rows.enterprise(connection, enterprise_id)
            own = card_rows.newest_of(connection, HolderKind.LEGAL_PERSON, [enterprise_id])
            found = people_rows.operators_page(
                connection, enterprise_id, text.strip()[:80], after[:32], PAGE_LENGTH + 1
            )
            shown = found[:PAGE_LENGTH]
            more = shown[-1].employee_number if len(found) > PAGE_LENGTH else ""
            views = self._views(connection, shown)
        return EnterpriseView(enterprise, own.get(enterprise_id), tuple(views), more)

    def show(self, by: Identity, operator_id: str) -> OperatorView:
        """Raises Forbidden `legal-person.required`, NotFound `operator.unknown`."""
        enterprise_id = by.require_legal_person()
        with self._database.reading() as connection:
            operator = people_rows.operator(connection, operator_id, enterprise_id)
            return self._views(connection, [operator])[0]

    def add(
        self, by: Identity, values: Mapping[str, object], rights: Iterable[str]
    ) -> AddedOperator:
        """Add an operator (fields `name`, `employee_number`, perhaps `identity_number`) with
        rights, and request the card.

        Raises Forbidden `legal-person.required`, `fields.InvalidFields`, Conflict
        `operator.employee-number-taken`, `operator.too-many`.
        """
        by.require_legal_person()
        reader = fields.FieldReader(values)
        name = reader.read("name", fields.text(LONGEST_NAME))
        number = reader.read("employee_number", fields.employee_number)
        identity = reader.optional("identity_number", fields.identity_number)
        wanted = reader.attempt("rights", lambda: self._known(rights))
        reader.finish()
        assert wanted is not None
        drafted = self.drafted(by, name, number, wanted, identity)
        with self._database.transaction() as connection:
            (card,) = self.add_within(connection, by, [drafted])
            _, code = self._cards.offer_code(connection, card, by.actor)
            view = self._views(connection, [drafted.operator])[0]
        return AddedOperator(view, code)

    def drafted(
        self,
        by: Identity,
        name: str,
        employee_number: str,
        rights: Iterable[str],
        identity_number: str | None,
    ) -> NewOperator:
        """For `add_within`, which holds a transaction and shall not wait for the token; the values
        are read already. Raises Unprocessable `right.unknown`, Unavailable from the token."""
        identifier = new_id()
        identity = self._personal.seal_optional(identity_number, operator_row(identifier))
        operator = Operator(
            identifier,
            by.require_legal_person(),
            name,
            employee_number,
            self._clock.now(),
            identity,
        )
        return NewOperator(operator, self._known(rights))

    def add_within(
        self, connection: Connection, by: Identity, new: Sequence[NewOperator]
    ) -> list[Card]:
        """Within another use case's transaction, all or none. The cards have no code yet. Raises
        as `add`."""
        enterprise_id = by.require_legal_person()
        if people_rows.count_operators(connection, enterprise_id) + len(new) > MOST_OPERATORS:
            raise Conflict("operator.too-many", "the enterprise has too many operators")
        people_rows.add_operators(connection, [each.operator for each in new])
        granted = [
            Grant(new_id(), each.operator.id, right, each.operator.created_at, None, by.actor)
            for each in new
            for right in sorted(each.rights)
        ]
        people_rows.add_grants(connection, granted)
        for each in new:
            subject = f"operator:{each.operator.id}"
            self._journal.append(
                connection,
                Event.OPERATOR_ADDED,
                subject=subject,
                actor=by.actor,
                enterprise=enterprise_id,
                employee_number=each.operator.employee_number,
            )
            if each.rights:
                rights = ",".join(sorted(each.rights))
                self._journal.append(
                    connection,
                    Event.OPERATOR_RIGHTS_GRANTED,
                    subject=subject,
                    actor=by.actor,
                    rights=rights,
                )
        holders = [each.operator.holder for each in new]
        return self._cards.request_for_operators(connection, enterprise_id, holders, by.actor)

    def offer_codes(self, by: Identity, operator_ids: Iterable[str]) -> list[AddedOperator]:
        """Activation codes for many operators at once, each on a slip of its own; operators whose
        card is made already are passed over.

        Raises Forbidden `legal-person.required`, NotFound `operator.unknown`, TooLarge
        `operator.too-many-codes`.
        """
        enterprise_id = by.require_legal_person()
        wanted = list(dict.fromkeys(operator_ids))
        if len(wanted) > MOST_CODES:
            raise TooLarge("operator.too-many-codes", "at most 200 cards at once", most=MOST_CODES)
        offered = []
        with self._database.transaction() as connection:
            for identifier in wanted:
                operator = people_rows.operator(connection, identifier, enterprise_id)
                card = card_rows.find_live(connection, operator.holder)
                if card is None:
                    card = self._cards.request(connection, operator.holder, by.actor)
                if card.state is CardState.REQUESTED:
                    _, code = self._cards.offer_code(connection, card, by.actor)
                    offered.append(AddedOperator(self._views(connection, [operator])[0], code))
        return offered

    def masked_identity(self, operator: Operator) -> str | None:
        """The operator's identity number, but for its ends."""
        return self._personal.masked(operator.identity, operator_row(operator.id))

    def set_rights(self, by: Identity, operator_id: str, rights: Iterable[str]) -> OperatorView:
        """From now on the operator holds these rights and no others.

        Raises Forbidden `legal-person.required`, NotFound `operator.unknown`, Unprocessable
        `right.unknown`.
        """
        enterprise_id = by.require_legal_person()
        wanted = self._known(rights)
        with self._database.transaction() as connection:
            operator = people_rows.operator(connection, operator_id, enterprise_id)
            self._change(connection, by, operator, wanted)
            return self._views(connection, [operator])[0]

    def grant(
        self,
        by: Identity,
        operator_id: str,
        right: str,
        first: datetime,
        until: datetime | None,
    ) -> OperatorView:
        """A right for a period; `until` lies outside it, None has no end.

        Raises Forbidden `legal-person.required`, NotFound `operator.unknown`, Unprocessable
        `right.unknown`, `grant.period` (over already, or not one), Conflict `grant.overlaps`.
        """
        enterprise_id = by.require_legal_person()
        self._known([right])
        now = self._clock.now()
        first = max(first, now)
        if until is not None and until <= first:
            raise Unprocessable("grant.period", "the period must end after it begins, and not yet")
        grant = Grant(new_id(), operator_id, right, first, until, by.actor)
        with self._database.transaction() as connection:
            operator = people_rows.operator(connection, operator_id, enterprise_id)
            for other in people_rows.grants_of(connection, [operator.id]):
                if other.right == right and other.overlaps(grant):
                    raise Conflict("grant.overlaps", "the right is granted for some of these days")
            people_rows.add_grants(connection, [grant])
            self._journal.append(
                connection,
                Event.OPERATOR_RIGHTS_GRANTED,
                subject=f"operator:{operator.id}",
                actor=by.actor,
                rights=right,
                valid_from=first.isoformat(timespec="seconds"),
                valid_until=until.isoformat(timespec="seconds") if until else None,
            )
            return self._views(connection, [operator])[0]

    def withdraw(self, by: Identity, operator_id: str, grant_id: str) -> OperatorView:
        """End one grant now, or before it begins.

        Raises Forbidden `legal-person.required`, NotFound `operator.unknown`, `grant.unknown`,
        Conflict `grant.over`.
        """
        enterprise_id = by.require_legal_person()
        now = self._clock.now()
        with self._database.transaction() as connection:
            operator = people_rows.operator(connection, operator_id, enterprise_id)
            held = {each.id: each for each in people_rows.grants_of(connection, [operator.id])}
            if grant_id not in held:
                raise NotFound("grant.unknown", "there is no such grant")
            grant = held[grant_id]
            if grant.withdrawn_by or (grant.valid_until is not None and grant.valid_until <= now):
                raise Conflict("grant.over", "this grant is over already")
            people_rows.end_grant(connection, grant, now, by.actor)
            self._journal.append(
                connection,
                Event.OPERATOR_RIGHTS_WITHDRAWN,
                subject=f"operator:{operator.id}",
                actor=by.actor,
                rights=grant.right,
            )
            return self._views(connection, [operator])[0]

    def new_activation_code(self, by: Identity, operator_id: str) -> tuple[Card, str]:
        """A fresh code for the operator's card; after the card's end, another card too.

        Raises Forbidden, NotFound `operator.unknown`, Conflict `card.state` while the operator
        has an active card.
        """
        enterprise_id = by.require_legal_person()
        with self._database.transaction() as connection:
            operator = people_rows.operator(connection, operator_id, enterprise_id)
            card = card_rows.find_live(connection, operator.holder)
            if card is None:
                card = self._cards.request(connection, operator.holder, by.actor)
            elif card.state is CardState.ACTIVE:
                raise Conflict(
                    "card.state",
                    "the card's state does not allow this step",
                    state=card.state,
                    card=card.number,
                )
            return self._cards.offer_code(connection, card, by.actor)

    def _change(
        self, connection: Connection, by: Identity, operator: Operator, wanted: frozenset[str]
    ) -> None:
        """Grants end at the moment at which new ones begin: a right has no gap and no overlap."""
        now = self._clock.now()
        current = {
            grant.right: grant
            for grant in people_rows.grants_of(connection, [operator.id])
            if grant.holds_at(now)
        }
        withdrawn = sorted(current.keys() - wanted)
        granted = sorted(wanted - current.keys())
        for right in withdrawn:
            people_rows.end_grant(connection, current[right], now, by.actor)
        new = [Grant(new_id(), operator.id, right, now, None, by.actor) for right in granted]
        people_rows.add_grants(connection, new)
        for event, changed in (
            (Event.OPERATOR_RIGHTS_WITHDRAWN, withdrawn),
            (Event.OPERATOR_RIGHTS_GRANTED, granted),
        ):
            if changed:
                self._journal.append(
                    connection,
                    event,
                    subject=f"operator:{operator.id}",
                    actor=by.actor,
                    rights=",".join(changed),
                )

    def _known(self, rights: Iterable[str]) -> frozenset[str]:
        wanted = frozenset(rights)
        for code in sorted(wanted):
            if self.catalogue.right(code) is None:
                raise Unprocessable("right.unknown", "there is no such right", right=code[:64])
        return wanted

    def _views(self, connection: Connection, operators: list[Operator]) -> list[OperatorView]:
        now = self._clock.now()
        ids = [operator.id for operator in operators]
        cards = card_rows.newest_of(connection, HolderKind.OPERATOR, ids)
        history: dict[str, list[Grant]] = {identifier: [] for identifier in ids}
        for grant in people_rows.grants_of(connection, ids):
            history[grant.operator_id].append(grant)
        return [
            OperatorView(
                operator,
                tuple(sorted({g.right for g in history[operator.id] if g.holds_at(now)})),
                tuple(history[operator.id]),
                cards.get(operator.id),
            )
            for operator in operators
        ]


def operator_row(identifier: str) -> str:
    """What an operator's identity number is bound to."""
    return f"operators:{identifier}"
