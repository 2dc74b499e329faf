"""What stands side by side when an officer decides on a change: who, what before and after, the
registry, the new licence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from kernel.refusals import NotFound, Refusal
from ra_portal.applications.application import ApplicationDetails
from ra_portal.applications.registry import Comparison, Registry, look_up
from ra_portal.data_changes import change_rows
from ra_portal.data_changes.change import FIELDS, ChangeState, DataChange, officer_of
from ra_portal.keyset import Cut, Place
from ra_portal.papers import document_rows
from ra_portal.papers.document_rows import StoredDocument
from ra_portal.people import branches, people_rows
from ra_portal.people.branches import Branch
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.people.people import Enterprise, Operator
from ra_portal.people.tables import enterprises
from records.database import Database

PAGE_LENGTH = 20
"""Changes on one page of those that wait."""
EARLIER = 10
"""Changes of the same holder that are shown with one."""


@dataclass(frozen=True)
class Concerned:
    """A change and whose data it is."""

    change: DataChange
    enterprise: Enterprise
    operator: Operator | None
    """None: the enterprise itself."""
    proposer: str | None
    """The officer's name; None: the enterprise."""

    @property
    def name(self) -> str:
        return self.operator.name if self.operator else self.enterprise.name


@dataclass(frozen=True)
class ChangeReview:
    concerned: Concerned
    fields: Mapping[str, tuple[str, str | None]]
    """What may change: as it is or was before, and (None: it stays) as it is to be."""
    branch: Branch | None
    licence: StoredDocument | None
    """The new one."""
    decider: str | None
    registry: Comparison | None
    """None: there is no registry, it did not answer, or it knows nothing of such data."""
    registry_refusal: Refusal | None
    earlier: Sequence[DataChange]
    may_approve: bool
    may_refuse: bool

    @property
    def change(self) -> DataChange:
        return self.concerned.change


class ChangeReviews:
    def __init__(self, database: Database, registry: Registry | None) -> None:
        self._database = database
        self._registry = registry

    def waiting(
        self, by: Identity, after: Place | None = None, backwards: bool = False
    ) -> Cut[Concerned]:
        """Undecided ones that the officer's branch may see, a page of them, oldest first.

        Raises Forbidden `role.missing`.
        """
        by.require("application.read")
        with self._database.reading() as connection:
            page = change_rows.waiting(connection, by, PAGE_LENGTH, after, backwards)
            return Cut(_concerned(connection, page.shown), page.earlier, page.later)

    def show(self, by: Identity, identifier: str) -> ChangeReview:
        """Raises Forbidden `role.missing`, `branch.foreign`, NotFound `change.unknown`."""
        by.require("application.read")
        with self._database.reading() as connection:
            change = self._visible(connection, by, identifier)
            (concerned,) = _concerned(connection, [change])
            decider = officer_of(change.decided_by)
            names = people_rows.officer_names(connection, [decider])
            branch = branches.by_id(connection, concerned.enterprise.branch_id)
            licence = document_rows.facts(connection, change.licence_id)
            same = change_rows.of_holder(connection, change.holder, EARLIER + 1)
        # Asked when the database has been let go: a slow registry holds nobody else up.
        found, refusal = self._look_up(concerned)
        undecided = change.state is ChangeState.PROPOSED
        return ChangeReview(
            concerned,
            _fields(concerned),
            branch,
            licence,
            names.get(decider or ""),
            found,
            refusal,
            [each for each in same if each.id != change.id][:EARLIER],
            undecided and by.may("application.approve") and change.proposed_by != by.actor,
            undecided and (by.may("application.approve") or by.may("application.register")),
        )

    def paper(self, by: Identity, identifier: str, number: int) -> bytes:
        """A page of the new licence: a picture, JPEG.

        Raises as `show`; NotFound `licence.unknown`.
        """
        by.require("application.read")
        with self._database.reading() as connection:
            change = self._visible(connection, by, identifier)
            if change.licence_id is None:
                raise NotFound("licence.unknown", "there is no such document")
            return document_rows.page(connection, change.licence_id, number)

    def _visible(self, connection: Connection, by: Identity, identifier: str) -> DataChange:
        change = change_rows.by_id(connection, identifier)
        branches.require_holder(connection, by, change.holder)
        return change

    def _look_up(self, concerned: Concerned) -> tuple[Comparison | None, Refusal | None]:
        """The registry beside the data as they are to be."""
        if concerned.operator is not None or concerned.change.state is not ChangeState.PROPOSED:
            return None, None
        known = concerned.enterprise
        current = {name: getattr(known, name) for name in FIELDS[HolderKind.LEGAL_PERSON]}
        details = ApplicationDetails(uscc=known.uscc, **{**current, **concerned.change.changes})
        return look_up(self._registry, details)


def _fields(concerned: Concerned) -> dict[str, tuple[str, str | None]]:
    change, holder = concerned.change, concerned.operator or concerned.enterprise
    return {
        name: (change.before.get(name, str(getattr(holder, name))), change.changes.get(name))
        for name in FIELDS[change.holder.kind]
    }


def _concerned(connection: Connection, changes: Sequence[DataChange]) -> list[Concerned]:
    """In few queries, however many they are."""
    ids = {kind: {c.holder.id for c in changes if c.holder.kind is kind} for kind in HolderKind}
    operators = people_rows.operators_among(connection, ids[HolderKind.OPERATOR])
    employers = {each.enterprise_id for each in operators.values()}
    query = select(enterprises).where(
        enterprises.c.id.in_(ids[HolderKind.LEGAL_PERSON] | employers)
    )
    known = {each.id: each for each in people_rows.enterprises_by(connection, query)}
    names = people_rows.officer_names(connection, (each.by_officer for each in changes))
    told = []
    for change in changes:
        operator = operators.get(change.holder.id)
        enterprise = known[operator.enterprise_id if operator else change.holder.id]
        told.append(Concerned(change, enterprise, operator, names.get(change.by_officer or "")))
    return told
