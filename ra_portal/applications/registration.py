"""Registration: an enterprise applies, one officer registers, another approves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Conflict, Forbidden, NotFound, Unauthenticated
from policies.registration import RegistrationPolicy
from ra_portal.applications import access, application_rows, draft_rows
from ra_portal.applications.applicants_notice import ApplicantsNotice
from ra_portal.applications.application import (
    Application,
    ApplicationState,
    Papers,
)
from ra_portal.applications.draft_rows import Draft
from ra_portal.applications.remarks import require_known
from ra_portal.applications.submissions import Submissions
from ra_portal.cards.card import Card
from ra_portal.cards.cards import Cards
from ra_portal.codes import CodePurpose, code_hash, new_code, new_number
from ra_portal.papers import document_rows
from ra_portal.papers.document_rows import StoredDocument
from ra_portal.papers.documents import DocumentKind, Upload
from ra_portal.people import branches, people_rows
from ra_portal.people.contact import Contact
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.people.people import Enterprise
from ra_portal.people.personal_data import PersonalData
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal


@dataclass(frozen=True)
class Submitted:
    """What the applicant takes home. The access code is nowhere else."""

    application: Application
    access_code: str
    will_be_told: bool
    """Whether there is an address to which a decision can be told."""


class Registration:
    """The use cases of an application's life."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        entropy: Entropy,
        cards: Cards,
        personal: PersonalData,
        policy: RegistrationPolicy,
        letters: ApplicantsNotice,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._cards = cards
        self._submissions = Submissions(database, clock, personal)
        self._policy = policy
        self._letters = letters

    # -- the applicant -------------------------------------------------------------------------

    def apply(
        self,
        values: Mapping[str, object],
        upload: Upload | None,
        attorney: Upload | None = None,
        draft: Draft | None = None,
        version: int | None = None,
    ) -> Submitted:
        """Hand in an application, with the papers of its draft where no newer ones come along.
        `version`: the draft's that it was typed into; None: whichever stands.

        Raises `fields.InvalidFields` (all errors by field, the papers' under `licence` and
        `attorney`), Conflict `application.exists`, `enterprise.exists`, `draft.gone`,
        `draft.changed`.
        """
        read = self._submissions.read(values, upload, attorney, draft.papers if draft else None)
        code, now = new_code(self._entropy), self._clock.now()
        identifier = draft.id if draft else new_id()
        with self._database.transaction() as connection:
            if application_rows.live_for(connection, read.details.uscc) is not None:
                raise Conflict(
                    "application.exists",
                    "an application for this enterprise is already on its way",
                )
            before = Papers(None)
            if draft is not None:
                before = self._papers_of_draft(connection, draft.id, version)
            application = Application(
                id=identifier,
                reference=new_number("AP", self._clock, self._entropy),
                access_hash=code_hash(CodePurpose.ACCESS, code),
                state=ApplicationState.APPLIED,
                details=read.details,
                papers=self._submissions.keep(connection, identifier, read, before),
                submitted_at=now,
                changed_at=now,
            )
            application_rows.add(connection, application)
            if draft is not None:
                draft_rows.remove(connection, draft.id)
            self._journal.append(
                connection,
                Event.ENTERPRISE_APPLIED,
                subject=application.reference,
                actor="applicant",
                uscc=read.details.uscc,
                **document_rows.digests(connection, application.papers),
            )
        return Submitted(application, code, self._letters.reaches(read.contact))

    def _papers_of_draft(
        self, connection: Connection, draft_id: str, version: int | None
    ) -> Papers:
        """As they are now: somebody may have saved it, or handed it in, since it was read."""
        found = draft_rows.lock(connection, draft_id)
        if found is None:
            raise Conflict("draft.gone", "the draft was handed in or erased meanwhile")
        draft_rows.require_version(found, version)
        return found.papers

    def open(self, reference: str, access_code: str) -> Application:
        """The applicant's own view, until the card that was approved is made or withdrawn.

        Raises Unauthenticated `application.access`, `application.access-ended`.
        """
        hashed = code_hash(CodePurpose.ACCESS, access_code)
        with self._database.reading() as connection:
            found = application_rows.find_by_access(connection, reference.strip().upper(), hashed)
            if found is None:
                raise Unauthenticated(
                    "application.access", "reference and access code do not belong together"
                )
            access.require_access(connection, found)
        return found

    def standing(self, application_id: str) -> Application:
        """Where the application stands. Raises NotFound `application.unknown`."""
        with self._database.reading() as connection:
            return application_rows.by_id(connection, application_id)

    def resubmit(
        self,
        application_id: str,
        values: Mapping[str, object],
        upload: Upload | None,
        attorney: Upload | None = None,
        version: int | None = None,
    ) -> Application:
        """Hand in corrections; papers and an identity number that do not come anew stay. What was
        saved of them is erased. `version`: of that which they were typed into; None: whichever.

        Raises as `apply`, and Conflict `application.state`.
        """
        with self._database.reading() as connection:
            kept = application_rows.by_id(connection, application_id).papers
        read = self._submissions.read(values, upload, attorney, kept)
        sealed = self._submissions.changed_contact(application_id, read, kept)
        now, typed = self._clock.now(), draft_rows.of_correction(application_id)
        with self._database.transaction() as connection:
            before = application_rows.lock(connection, application_id)
            before.resubmit(read.details, before.papers, now)  # refused before anything is kept
            draft_rows.require_version(draft_rows.find(connection, typed), version)
            papers = self._submissions.keep(connection, before.id, read, before.papers)
            after = before.resubmit(read.details, papers, now, sealed)
            application_rows.save(connection, after)
            draft_rows.remove(connection, typed)
            self._journal.append(
                connection,
                Event.ENTERPRISE_RESUBMITTED,
                subject=after.reference,
                actor="applicant",
                uscc=after.details.uscc,
                changed=",".join(sorted(after.previous)),
                **document_rows.digests(connection, papers),
            )
        return after

    def papers_of(self, application: Application) -> dict[DocumentKind, StoredDocument]:
        """The scans that were handed in last."""
        with self._database.reading() as connection:
            return document_rows.of_papers(connection, application.papers)

    def paper(self, application_id: str, kind: DocumentKind, number: int) -> bytes:
        """A page of the applicant's own scan: a picture, JPEG. Raises NotFound."""
        with self._database.reading() as connection:
            papers = application_rows.by_id(connection, application_id).papers
            return document_rows.page(connection, document_rows.ids(papers)[kind], number)

    def masked_identity(self, application: Application) -> str | None:
        """The legal representative's identity number, but for its ends."""
        return self._submissions.masked_identity(application)

    def contact_of(self, application: Application) -> Contact:
        """Telephone and mail, for the applicant to correct."""
        return self._submissions.contact_of(application.id, application.papers)

    def card_of(self, application_id: str) -> Card | None:
        """The legal-person card that the approval requested."""
        with self._database.reading() as connection:
            return access.approved_card(
                connection, application_rows.by_id(connection, application_id)
            )

    def new_activation_code(self, application_id: str) -> tuple[Card, str]:
        """A fresh code for the card that the approval requested; an older one stops working.

        Raises NotFound `card.unknown` before the approval, Conflict `card.state` once the card
        is made or withdrawn: another card of the enterprise is none of the applicant's.
        """
        with self._database.transaction() as connection:
            application = application_rows.by_id(connection, application_id)
            card = access.approved_card(connection, application)
            if card is None:
                raise NotFound("card.unknown", "no card has been approved yet")
            return self._cards.offer_code(connection, card, actor="applicant")

    # -- officers ------------------------------------------------------------------------------

    def register(self, by: Identity, application_id: str) -> Application:
        """The papers are in order. Raises Forbidden `role.missing`, Conflict, NotFound."""
        by.require("application.register")
        officer = _officer(by)
        with self._database.transaction() as connection:
            before = _of_branch(connection, by, application_id)
            after = before.register(officer, self._clock.now())
            application_rows.save(connection, after)
            self._journal.append(
                connection,
                Event.ENTERPRISE_REGISTERED,
                subject=after.reference,
                actor=by.actor,
                uscc=after.details.uscc,
            )
        return after

    def approve(self, by: Identity, application_id: str) -> tuple[Application, Card]:
        """The second pair of eyes: the enterprise exists, its legal-person card is requested, and
        the applicant is told.

        Raises Forbidden `role.missing`, `registration.same-officer`, Conflict, NotFound.
        """
        by.require("application.approve")
        officer = _officer(by)
        now = self._clock.now()
        with self._database.reading() as connection:
            before = _of_branch(connection, by, application_id)
        details = before.details
        enterprise = Enterprise(
            id=new_id(),
            uscc=details.uscc,
            name=details.name,
            customs_code=details.customs_code,
            legal_representative=details.legal_representative,
            region=details.region,
            created_at=now,
            branch_id=details.branch_id,
        )
        number = self._cards.new_number(enterprise.holder)
        after = before.approve(officer, enterprise.id, number, now)
        # The token is asked before anything is locked.
        enterprise = replace(
            enterprise, identity=self._submissions.identity_for(enterprise.id, before)
        )
        letter = self._letters.decided(after)
        with self._database.transaction() as connection:
            people_rows.add_enterprise(connection, enterprise)
            application_rows.save(connection, after)
            told = self._letters.put(connection, after, letter)
            self._journal.append(
                connection,
                Event.ENTERPRISE_APPROVED,
                subject=after.reference,
                actor=by.actor,
                uscc=details.uscc,
                enterprise=enterprise.id,
                told=told,
            )
            card = self._cards.request(connection, enterprise.holder, by.actor, number)
        return after, card

    def send_back(
        self,
        by: Identity,
        application_id: str,
        reasons: str = "",
        remarks: Mapping[str, str] | None = None,
    ) -> Application:
        """Return for correction, in prose, or with a reason of the policy's for each field that
        needs it, or both.

        Raises Forbidden `role.missing`, `branch.foreign`, Conflict, NotFound, Malformed `field.*`,
        Unprocessable `reason.unknown`.
        """
        by.require("application.decide")
        officer = _officer(by)
        require_known(self._policy, "return", remarks or {})
        with self._database.reading() as connection:
            before = _of_branch(connection, by, application_id)
        after = before.send_back(officer, reasons, self._clock.now(), remarks)
        return self._decided(by, after, Event.ENTERPRISE_RETURNED)

    def refuse(self, by: Identity, application_id: str, reasons: str) -> Application:
        """Refuse for good: prose, or the code of one of the policy's reasons.

        Raises as `send_back`.
        """
        by.require("application.decide")
        officer = _officer(by)
        with self._database.reading() as connection:
            before = _of_branch(connection, by, application_id)
        after = before.refuse(officer, reasons, self._clock.now())
        return self._decided(by, after, Event.ENTERPRISE_REFUSED)

    def _decided(self, by: Identity, after: Application, event: Event) -> Application:
        """Store it, and tell the applicant. Raises Conflict `application.changed`."""
        letter = self._letters.decided(after)
        remarks = ",".join(f"{field}:{code}" for field, code in sorted(after.remarks.items()))
        with self._database.transaction() as connection:
            application_rows.save(connection, after)
            self._journal.append(
                connection,
                event,
                subject=after.reference,
                actor=by.actor,
                uscc=after.details.uscc,
                reasons=after.reasons,
                remarks=remarks,
                told=self._letters.put(connection, after, letter),
            )
        return after


def _of_branch(connection: Connection, by: Identity, application_id: str) -> Application:
    """Raises NotFound `application.unknown`, Forbidden `branch.foreign`."""
    found = application_rows.by_id(connection, application_id)
    branches.require_branch(by, found.details.branch_id)
    return found


def _officer(by: Identity) -> str:
    """An application is decided by a person with a card, never from the console."""
    if by.kind is not HolderKind.OFFICER:
        raise Forbidden("role.missing", "only an officer may do this")
    return by.subject
