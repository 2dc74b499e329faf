"""A change of an enterprise's or operator's data, and the fields that may change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kernel.identifiers import parse_customs_code
from kernel.refusals import Unprocessable
from ra_portal import fields
from ra_portal.applications.application import LONGEST_NAME
from ra_portal.cards.card import Holder
from ra_portal.cards.card_moves import LONGEST_REASON
from ra_portal.papers.documents import DocumentKind, Licence, Upload, read_scan
from ra_portal.people.identity import HolderKind

_NAME = fields.text(LONGEST_NAME)
FIELDS = {
    HolderKind.LEGAL_PERSON: {
        "name": _NAME,
        "legal_representative": _NAME,
        "region": fields.text(80),
        "customs_code": parse_customs_code,
    },
    HolderKind.OPERATOR: {"name": _NAME},
}
"""By kind of holder, each with what reads it."""
CERTIFIED = frozenset({"name"})
"""Fields that stand in certificates."""


class ChangeState(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True)
class DataChange:
    id: str
    reference: str | None
    """Known to people: `DC-2026-7QK4ZP2M`; None: from before changes had one."""
    holder: Holder
    state: ChangeState
    changes: Mapping[str, str]
    before: Mapping[str, str]
    why: str
    proposed_by: str
    """Actor, as the journal names it."""
    proposed_at: datetime
    licence_id: str | None = None
    """The new business licence, where one was handed in."""
    decided_by: str | None = None
    decided_at: datetime | None = None
    reasons: str | None = None
    """Of a refusal, in words."""
    remarks: Mapping[str, str] = field(default_factory=dict)
    """Field -> code of a reason in `policies/registration.toml`: why it was refused."""

    @property
    def is_certified(self) -> bool:
        """Whether certificates say something else than the register once it is approved."""
        return not CERTIFIED.isdisjoint(self.changes)

    @property
    def by_officer(self) -> str | None:
        """Id of the officer who proposed it; None: the enterprise did."""
        return officer_of(self.proposed_by)


@dataclass(frozen=True)
class Wanted:
    """What came, checked; nothing of it is kept yet."""

    values: Mapping[str, str]
    why: str
    licence: Licence | None

    def differing(self, current: Mapping[str, str]) -> dict[str, str]:
        """Those that would change something. Raises Unprocessable `change.nothing`."""
        changes = {name: value for name, value in self.values.items() if value != current[name]}
        if not changes:
            raise Unprocessable("change.nothing", "nothing would change")
        return changes


def read_wanted(
    kind: HolderKind, values: Mapping[str, object], why: str, upload: Upload | None
) -> Wanted:
    """Fields that are empty stay as they are. Raises `fields.InvalidFields` with every error, the
    scan's under `licence`, the reason's under `why`."""
    reader = fields.FieldReader(values)
    read = {name: reader.optional(name, parse) for name, parse in FIELDS[kind].items()}
    licence = read_scan(reader, DocumentKind.LICENCE, upload)
    reason = reader.attempt("why", lambda: _reason(why))
    reader.finish()
    assert reason is not None
    given = {name: value for name, value in read.items() if value is not None}
    return Wanted(given, reason, licence)


def _reason(why: str) -> str:
    return fields.text(LONGEST_REASON)(fields.paragraph(why, LONGEST_REASON))


def officer_of(actor: str | None) -> str | None:
    """The id of the officer whom the journal names so; None: it is no officer."""
    kind, _, identifier = (actor or "").partition(":")
    return identifier if kind == HolderKind.OFFICER else None
