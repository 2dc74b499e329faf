"""Registration: an enterprise applies, one officer registers, another approves."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.entropy import Entropy
from kernel.refusals import Conflict, Forbidden, NotFound, Unauthenticated
from ra_portal import application_rows, card_rows, fields, people_rows
from ra_portal.application import (
    Application,
    ApplicationDetails,
    ApplicationState,
    read_details,
)
from ra_portal.application_rows import StoredLicence
from ra_portal.card import Card, CardState
from ra_portal.cards import LAST_PAGE, Cards
from ra_portal.codes import CodePurpose, code_hash, new_code, new_number
from ra_portal.documents import Licence, read_licence
from ra_portal.identity import HolderKind, Identity
from ra_portal.people import Enterprise
from records.database import Database, new_id
from records.events import Event
from records.journal import Journal

PAGE_LENGTH = 20
"""Applications on one page of the queue."""


@dataclass(frozen=True)
class Submitted:
    """What the applicant takes home. The access code is nowhere else."""

    application: Application
    access_code: str


@dataclass(frozen=True)
class Upload:
    """A file as it came."""

    content: bytes
    file_name: str


@dataclass(frozen=True)
class Review:
    """Everything that stands side by side when an officer decides."""

    application: Application
    licence: StoredLicence
    names: dict[str, str]
    """Names of the officers concerned, by id."""
    card: Card | None


@dataclass(frozen=True)
class Queue:
    applications: list[Application]
    total: int
    counts: dict[ApplicationState, int]
    page: int
    """From 1."""
    pages: int


class Registration:
    """The use cases of an application's life."""

    def __init__(
        self, database: Database, journal: Journal, clock: Clock, entropy: Entropy, cards: Cards
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._cards = cards

    # -- the applicant -------------------------------------------------------------------------

    def apply(self, values: Mapping[str, object], upload: Upload | None) -> Submitted:
        """Hand in an application.

        Raises `fields.InvalidFields` (all errors by field, the licence's under `licence`),
        Conflict `application.exists`, `enterprise.exists`.
        """
        details, licence = _read(values, upload)
        assert licence is not None
        code, now = new_code(self._entropy), self._clock.now()
        application = Application(
            id=new_id(),
            reference=new_number("AP", self._clock, self._entropy),
            access_hash=code_hash(CodePurpose.ACCESS, code),
            state=ApplicationState.APPLIED,
            details=details,
            licence_id="",
            submitted_at=now,
            changed_at=now,
        )
        with self._database.transaction() as connection:
            if application_rows.live_for(connection, details.uscc) is not None:
                raise Conflict(
                    "application.exists",
                    "an application for this enterprise is already on its way",
                )
            licence_id = application_rows.add_licence(connection, application.id, licence, now)
            application = replace(application, licence_id=licence_id)
            application_rows.add(connection, application)
            self._journal.append(
                connection,
                Event.ENTERPRISE_APPLIED,
                subject=application.reference,
                actor="applicant",
                uscc=details.uscc,
                licence_sha256=licence.sha256,
            )
        return Submitted(application, code)

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
            card = _approved_card(connection, found)
        if card is not None and card.state is not CardState.REQUESTED:
            raise Unauthenticated(
                "application.access-ended",
                "the card is made, or withdrawn: the access code has served its turn",
            )
        return found

    def standing(self, application_id: str) -> Application:
        """Where the application stands. Raises NotFound `application.unknown`."""
        with self._database.reading() as connection:
            return application_rows.by_id(connection, application_id)

    def resubmit(
        self, application_id: str, values: Mapping[str, object], upload: Upload | None
    ) -> Application:
        """Hand in corrections; without an upload the licence stays.

        Raises as `apply`, and Conflict `application.state`.
        """
        details, licence = _read(values, upload, licence_is_kept=upload is None)
        now = self._clock.now()
        with self._database.transaction() as connection:
            before = application_rows.by_id(connection, application_id)
            licence_id = before.licence_id
            after = before.resubmit(details, licence_id, now)
            if licence is not None:
                licence_id = application_rows.add_licence(connection, before.id, licence, now)
                after = before.resubmit(details, licence_id, now)
            application_rows.save(connection, after)
            self._journal.append(
                connection,
                Event.ENTERPRISE_RESUBMITTED,
                subject=after.reference,
                actor="applicant",
                uscc=details.uscc,
                licence_sha256=licence.sha256 if licence else None,
            )
        return after

    def card_of(self, application_id: str) -> Card | None:
        """The legal-person card that the approval requested."""
        with self._database.reading() as connection:
            return _approved_card(connection, application_rows.by_id(connection, application_id))

    def new_activation_code(self, application_id: str) -> tuple[Card, str]:
        """A fresh code for the card that the approval requested; an older one stops working.

        Raises NotFound `card.unknown` before the approval, Conflict `card.state` once the card
        is made or withdrawn: another card of the enterprise is none of the applicant's.
        """
        with self._database.transaction() as connection:
            application = application_rows.by_id(connection, application_id)
            card = _approved_card(connection, application)
            if card is None:
                raise NotFound("card.unknown", "no card has been approved yet")
            return self._cards.offer_code(connection, card, actor="applicant")

    # -- officers ------------------------------------------------------------------------------

    def queue(
        self, by: Identity, states: tuple[ApplicationState, ...] = (), text: str = "", page: int = 1
    ) -> Queue:
        """One page of the applications. Raises Forbidden `role.missing`."""
        by.require("application.read")
        page = min(max(page, 1), LAST_PAGE)
        offset = (page - 1) * PAGE_LENGTH
        with self._database.reading() as connection:
            found, total = application_rows.search(
                connection, states, text.strip()[:80], offset, PAGE_LENGTH
            )
            counts = application_rows.counts(connection)
        return Queue(found, total, counts, page, max(1, -(-total // PAGE_LENGTH)))

    def review(self, by: Identity, application_id: str) -> Review:
        """Raises Forbidden `role.missing`, NotFound `application.unknown`."""
        by.require("application.read")
        with self._database.reading() as connection:
            application = application_rows.by_id(connection, application_id)
            licence = application_rows.licence_facts(connection, application.licence_id)
            concerned = (application.registered_by, application.decided_by)
            names = people_rows.officer_names(connection, concerned)
            return Review(application, licence, names, _newest_card(connection, application))

    def licence(self, by: Identity, application_id: str) -> tuple[StoredLicence, bytes]:
        """The scanned licence. Raises Forbidden `role.missing`, NotFound."""
        by.require("application.read")
        with self._database.reading() as connection:
            application = application_rows.by_id(connection, application_id)
            facts = application_rows.licence_facts(connection, application.licence_id)
            return facts, application_rows.licence_content(connection, facts.id)

    def register(self, by: Identity, application_id: str) -> Application:
        """The papers are in order. Raises Forbidden `role.missing`, Conflict, NotFound."""
        by.require("application.register")
        officer = _officer(by)
        with self._database.transaction() as connection:
            before = application_rows.by_id(connection, application_id)
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
        """The second pair of eyes: the enterprise exists, its legal-person card is requested.

        Raises Forbidden `role.missing`, `registration.same-officer`, Conflict, NotFound.
        """
        by.require("application.approve")
        officer = _officer(by)
        now = self._clock.now()
        with self._database.transaction() as connection:
            before = application_rows.by_id(connection, application_id)
            details = before.details
            enterprise = Enterprise(
                id=new_id(),
                uscc=details.uscc,
                name=details.name,
                customs_code=details.customs_code,
                legal_representative=details.legal_representative,
                region=details.region,
                created_at=now,
            )
            number = self._cards.new_number(enterprise.holder)
            after = before.approve(officer, enterprise.id, number, now)
            people_rows.add_enterprise(connection, enterprise)
            application_rows.save(connection, after)
            self._journal.append(
                connection,
                Event.ENTERPRISE_APPROVED,
                subject=after.reference,
                actor=by.actor,
                uscc=details.uscc,
                enterprise=enterprise.id,
            )
            card = self._cards.request(connection, enterprise.holder, by.actor, number)
        return after, card

    def send_back(self, by: Identity, application_id: str, reasons: str) -> Application:
        """Return for correction. Raises Forbidden, Conflict, NotFound, Malformed `field.*`."""
        return self._decide(by, application_id, Event.ENTERPRISE_RETURNED, reasons)

    def refuse(self, by: Identity, application_id: str, reasons: str) -> Application:
        """Refuse for good. Raises as `send_back`."""
        return self._decide(by, application_id, Event.ENTERPRISE_REFUSED, reasons)

    def _decide(self, by: Identity, application_id: str, event: Event, reasons: str) -> Application:
        _require_decider(by)
        officer, now = _officer(by), self._clock.now()
        with self._database.transaction() as connection:
            before = application_rows.by_id(connection, application_id)
            if event is Event.ENTERPRISE_RETURNED:
                after = before.send_back(officer, reasons, now)
            else:
                after = before.refuse(officer, reasons, now)
            application_rows.save(connection, after)
            self._journal.append(
                connection,
                event,
                subject=after.reference,
                actor=by.actor,
                uscc=after.details.uscc,
                reasons=after.reasons,
            )
        return after


def _read(
    values: Mapping[str, object], upload: Upload | None, licence_is_kept: bool = False
) -> tuple[ApplicationDetails, Licence | None]:
    """Details and licence, with the errors of both told at once."""
    reader = fields.FieldReader(values)
    licence: Licence | None = None
    if upload is not None and upload.content:
        licence = reader.attempt("licence", lambda: read_licence(upload.content, upload.file_name))
    elif not licence_is_kept:
        reader.read("licence", str)
    try:
        details = read_details(values)
    except fields.InvalidFields as invalid:
        for name, refusal in invalid.errors.items():
            reader.note(name, refusal)
        details = None
    reader.finish()
    assert details is not None
    return details, licence


def _newest_card(connection: Connection, application: Application) -> Card | None:
    if application.enterprise_id is None:
        return None
    newest = card_rows.newest_of(connection, HolderKind.LEGAL_PERSON, [application.enterprise_id])
    return newest.get(application.enterprise_id)


def _approved_card(connection: Connection, application: Application) -> Card | None:
    if application.card_number is None:
        return None
    return card_rows.by_number(connection, application.card_number)


def _officer(by: Identity) -> str:
    """An application is decided by a person with a card, never from the console."""
    if by.kind is not HolderKind.OFFICER:
        raise Forbidden("role.missing", "only an officer may do this")
    return by.subject


def _require_decider(by: Identity) -> None:
    by.require("application.decide")
