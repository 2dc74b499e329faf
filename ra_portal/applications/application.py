"""An enterprise's application: its fields, its states, and the moves between them.

    applied -> registered -> approved
       ^  \\        |   \\
       |   +-> returned   +-> refused   (both also from `applied`)
       +---------+
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from kernel.identifiers import parse_customs_code, parse_uscc
from kernel.refusals import Conflict, Forbidden
from ra_portal import fields
from ra_portal.people.contact import Contact
from ra_portal.people.personal_data import SealedNumber

LONGEST_NAME = 64
"""Characters: certificates hold no longer names (X.520, ub-common-name)."""


class ApplicationState(StrEnum):
    APPLIED = "applied"
    REGISTERED = "registered"
    RETURNED = "returned"
    APPROVED = "approved"
    REFUSED = "refused"


OPEN = (ApplicationState.APPLIED, ApplicationState.REGISTERED)
"""States in which an officer has something to do."""


@dataclass(frozen=True)
class ApplicationDetails:
    """What the applicant says of the enterprise."""

    uscc: str
    name: str
    customs_code: str
    legal_representative: str
    region: str
    branch_id: str | None = None
    """Where the papers are examined and the cards handed out; None: at the head office."""


@dataclass(frozen=True)
class Papers:
    """What is looked at beside the fields, and the fields that are kept sealed."""

    licence_id: str | None
    """None: the licence lies at the branch that imported the application."""
    attorney_id: str | None = None
    """The power of attorney, where somebody other than the legal representative applies."""
    identity: SealedNumber | None = None
    """Of the legal representative."""
    contact: bytes | None = None
    """Telephone and mail, sealed (`applicants_contact`)."""


def read_details(
    values: Mapping[str, object], branch_id: Callable[[str], str] = str
) -> tuple[ApplicationDetails, Contact]:
    """Check the fields of a form or a JSON object, named as `ApplicationDetails` and `Contact`;
    the branch is named by its code under `branch`, and `branch_id` finds it.

    Raises `fields.InvalidFields` with every error, by field.
    """
    reader = fields.FieldReader(values)
    details = ApplicationDetails(
        uscc=reader.read("uscc", parse_uscc),
        name=reader.read("name", fields.text(LONGEST_NAME)),
        customs_code=reader.read("customs_code", parse_customs_code),
        legal_representative=reader.read("legal_representative", fields.text(LONGEST_NAME)),
        region=reader.read("region", fields.text(80)),
        branch_id=reader.optional("branch", branch_id),
    )
    contact = Contact(
        reader.optional("phone", fields.phone), reader.optional("email", fields.email)
    )
    reader.finish()
    return details, contact


@dataclass(frozen=True)
class Application:
    """One application. Its methods are its only moves; each gives the moved application."""

    id: str
    reference: str
    access_hash: str
    state: ApplicationState
    details: ApplicationDetails
    papers: Papers
    submitted_at: datetime
    changed_at: datetime
    registered_by: str | None = None
    """The officer who examined the papers."""
    decided_by: str | None = None
    """The officer who approved, returned or refused."""
    reasons: str | None = None
    remarks: Mapping[str, str] = field(default_factory=dict)
    """Field -> code of a reason in `policies/registration.toml`: why it came back."""
    previous: Mapping[str, str | None] = field(default_factory=dict)
    """Field -> what it said before the last correction; papers and what is sealed say only that
    they changed (None)."""
    assigned_to: str | None = None
    """The officer who looks after it."""
    reminded_at: datetime | None = None
    escalated_at: datetime | None = None
    """When those in charge of the counter were told that nobody moved it."""
    enterprise_id: str | None = None
    card_number: str | None = None
    """Of the legal-person card that the approval requested; later ones are not the applicant's."""
    import_id: str | None = None
    """The import that it came with; None: the enterprise applied itself."""
    version: int = 0

    @property
    def is_live(self) -> bool:
        """Whether it keeps a second application for the same enterprise out."""
        return self.state is not ApplicationState.REFUSED

    def register(self, officer: str, at: datetime) -> "Application":
        """Papers examined and found in order. Raises Conflict `application.state`."""
        self.require(ApplicationState.APPLIED)
        return self._moved(ApplicationState.REGISTERED, at, registered_by=officer)

    def approve(
        self, officer: str, enterprise_id: str, card_number: str, at: datetime
    ) -> "Application":
        """The second pair of eyes agrees.

        Raises Conflict `application.state`, Forbidden `registration.same-officer`.
        """
        self.require(ApplicationState.REGISTERED)
        if officer == self.registered_by:
            raise Forbidden(
                "registration.same-officer",
                "the officer who registered an application may not approve it",
            )
        return self._moved(
            ApplicationState.APPROVED,
            at,
            decided_by=officer,
            enterprise_id=enterprise_id,
            card_number=card_number,
        )

    def send_back(
        self, officer: str, reasons: str, at: datetime, remarks: Mapping[str, str] | None = None
    ) -> "Application":
        """Returned to the applicant for correction: prose, or a remark on a field, or both.

        Raises Conflict `application.state`, Malformed `field.missing`.
        """
        self.require(*OPEN)
        return self._moved(
            ApplicationState.RETURNED,
            at,
            decided_by=officer,
            reasons=fields.paragraph(reasons) if reasons.strip() or not remarks else None,
            remarks=dict(remarks or {}),
            registered_by=None,
        )

    def refuse(self, officer: str, reasons: str, at: datetime) -> "Application":
        """Refused for good. Raises Conflict `application.state`."""
        self.require(*OPEN)
        return self._moved(
            ApplicationState.REFUSED, at, decided_by=officer, reasons=fields.paragraph(reasons)
        )

    def resubmit(
        self,
        details: ApplicationDetails,
        papers: Papers,
        at: datetime,
        sealed: Iterable[str] = (),
    ) -> "Application":
        """Corrected by the applicant. `sealed`: the names of sealed fields that say something else
        now. Raises Conflict `application.state`."""
        self.require(ApplicationState.RETURNED)
        before, after = asdict(self.details), asdict(details)
        changed: dict[str, str | None] = {
            name: before[name] or "" for name in before if before[name] != after[name]
        }
        if "branch_id" in changed:
            changed["branch"] = changed.pop("branch_id") and None
        for name in ("licence_id", "attorney_id"):
            if getattr(papers, name) != getattr(self.papers, name):
                changed[name.removesuffix("_id")] = None
        if _index(papers) != _index(self.papers):
            changed["identity_number"] = None
        changed |= dict.fromkeys(sealed)
        return replace(
            self._moved(ApplicationState.APPLIED, at, decided_by=None, reasons=None, remarks={}),
            details=details,
            papers=papers,
            previous=changed,
        )

    def assign(self, officer: str | None) -> "Application":
        """Somebody looks after it, or (None) nobody. Raises Conflict `application.state`."""
        self.require(*OPEN)
        return replace(self, assigned_to=officer, reminded_at=None, version=self.version + 1)

    def with_access(self, access_hash: str) -> "Application":
        """Another access code, in any state; the one before opens nothing any more."""
        return replace(self, access_hash=access_hash, version=self.version + 1)

    def require(self, *states: ApplicationState) -> None:
        """Raises Conflict `application.state` in any other."""
        if self.state not in states:
            raise Conflict(
                "application.state",
                "the application's state does not allow this step",
                state=self.state,
            )

    def _moved(self, state: ApplicationState, at: datetime, **changes: object) -> "Application":
        told = {"reminded_at": None, "escalated_at": None}
        moved = {"state": state, "changed_at": at, **told, **changes}
        return replace(self, version=self.version + 1, **moved)  # type: ignore[arg-type]


def _index(papers: Papers) -> str | None:
    return papers.identity.index if papers.identity else None
