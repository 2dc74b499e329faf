"""What officers look at: the queue, and one application beside its papers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from kernel.clock import Clock
from kernel.identifiers import parse_uscc
from kernel.refusals import Refusal, TooLarge, Unprocessable
from policies.identity_number import is_identity_card_number
from policies.registration import RegistrationPolicy
from ra_portal import fields, keyset
from ra_portal.applications import applicants_contact, application_rows, queue_rows
from ra_portal.applications.alike import Alike, alike
from ra_portal.applications.application import OPEN, Application, ApplicationState
from ra_portal.applications.notes import Note, notes_of, opened
from ra_portal.applications.past import PastEvent, past_of
from ra_portal.applications.queue_rows import Filter
from ra_portal.applications.registry import Comparison, Registry, look_up
from ra_portal.applications.submissions import application_row
from ra_portal.cards import card_rows
from ra_portal.cards.card import Card
from ra_portal.keyset import Place
from ra_portal.papers import document_rows
from ra_portal.papers.document_rows import StoredDocument
from ra_portal.papers.documents import DocumentKind
from ra_portal.people import branches, name_search, people_rows
from ra_portal.people.branches import Branch
from ra_portal.people.contact import Contact
from ra_portal.people.identity import HolderKind, Identity
from ra_portal.people.personal_data import PersonalData
from records.database import Database

PAGE_LENGTH = 20
"""Applications on one page of the queue."""


@dataclass(frozen=True)
class Asked:
    """What an officer wants to see."""

    states: tuple[ApplicationState, ...] = OPEN
    text: str = ""
    """Part of a name, a credit code or a reference."""
    identity: str = ""
    """The legal representative's identity number."""
    mine: bool = False
    unassigned: bool = False
    """Those that nobody looks after."""
    overdue: bool = False
    branch: str | None = None
    """Of this branch, by id; of every one that the officer sees: None."""
    after: Place | None = None
    backwards: bool = False


@dataclass(frozen=True)
class QueuePage:
    applications: list[Application]
    earlier: Place | None
    """Where the page before this one ends; None: this is the first."""
    later: Place | None
    names: dict[str, str]
    """Of the officers that they are assigned to, by id."""
    cut: bool = False
    """More were found than are looked at."""


@dataclass(frozen=True)
class Standing:
    """How much there is to do; no number is above `queue_rows.COUNTED_TO`."""

    states: dict[ApplicationState, int]
    mine: int
    overdue: int


@dataclass(frozen=True)
class Review:
    """Everything that stands side by side when an officer decides."""

    application: Application
    papers: dict[DocumentKind, StoredDocument]
    identity_number: str | None
    """Masked."""
    contact: Contact
    names: dict[str, str]
    """Names of the officers concerned, by id."""
    branch: Branch | None
    card: Card | None
    registry: Comparison | None
    """None: there is no registry, or it did not answer."""
    registry_refusal: Refusal | None
    alike: Sequence[Alike] = ()
    """Other applications and enterprises with the same code or person."""
    notes: Sequence[Note] = ()
    """Between officers."""
    past: Sequence[PastEvent] = ()
    """What has happened to it, newest first."""


class ApplicationQueue:
    def __init__(
        self,
        database: Database,
        clock: Clock,
        personal: PersonalData,
        policy: RegistrationPolicy,
        registry: Registry | None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._personal = personal
        self._policy = policy
        self._registry = registry

    def page(self, by: Identity, asked: Asked) -> QueuePage:
        """One page.

        Raises Forbidden `role.missing`, Unprocessable `search.identity-number` (in `text`),
        `field.identity-check` (in `identity`).
        """
        by.require("application.read")
        wanted = self._filter(by, asked)
        turned = (PAGE_LENGTH, place_of, asked.after, asked.backwards)
        with self._database.reading() as connection:
            if asked.text.strip() or asked.identity:
                found = self._search(connection, wanted, asked)
                more = len(found) >= name_search.MOST_MATCHES
                page = keyset.turn(found, *turned)
            else:
                more, limit = False, PAGE_LENGTH + 1
                found = queue_rows.page(connection, wanted, limit, asked.after, asked.backwards)
                page = keyset.cut(found, *turned)
            names = people_rows.officer_names(connection, (each.assigned_to for each in page.shown))
        return QueuePage(page.shown, page.earlier, page.later, names, more)

    def everything(
        self, connection: Connection, by: Identity, asked: Asked, at_once: int
    ) -> Iterator[Application]:
        """All pages one after the other, read `at_once` rows at a time. Raises as `page`; TooLarge
        `export.too-many` where a search looks at a part alone."""
        wanted = self._filter(by, asked)
        if asked.text.strip():
            found = self._search(connection, wanted, asked)
            if len(found) >= name_search.MOST_MATCHES:
                raise TooLarge(
                    "export.too-many", "this is more than one file takes: narrow the filters",
                    most=name_search.MOST_MATCHES,
                )  # fmt: skip
            yield from found
            return
        after = None
        while True:
            some = queue_rows.page(connection, wanted, at_once, after)
            yield from some
            if len(some) < at_once:
                return
            after = place_of(some[-1])

    def standing(self, by: Identity) -> Standing:
        """Raises Forbidden `role.missing`."""
        by.require("application.read")
        with self._database.reading() as connection:
            return Standing(
                {
                    state: queue_rows.count(connection, Filter((state,), by.branch))
                    for state in ApplicationState
                },
                queue_rows.count(connection, self._filter(by, Asked(mine=True))),
                queue_rows.count(connection, self._filter(by, Asked(overdue=True))),
            )

    def review(self, by: Identity, application_id: str) -> Review:
        """Raises Forbidden `role.missing`, `branch.foreign`, NotFound `application.unknown`."""
        by.require("application.read")
        with self._database.reading() as connection:
            application = self._visible(connection, by, application_id)
            concerned = (
                application.registered_by,
                application.decided_by,
                application.assigned_to,
            )
            papers = document_rows.of_papers(connection, application.papers)
            past = past_of(connection, application.reference)
            actors = [each.actor_id for each in past]
            actors += [str(each.facts.get("officer") or "") for each in past]
            notes = notes_of(connection, application.id)
            actors += [each.officer for each in notes]
            names = people_rows.officer_names(connection, (*concerned, *actors))
            similar = alike(connection, application)
            branch = branches.by_id(connection, application.details.branch_id)
            card = _newest_card(connection, application)
        masked = self._personal.masked(application.papers.identity, application_row(application.id))
        contact = applicants_contact.opened(
            self._personal, application.papers.contact, application.id
        )
        # Asked when the database has been let go: a slow registry holds nobody else up.
        found, refusal = self._look_up(application)
        return Review(
            application,
            papers,
            masked,
            contact,
            names,
            branch,
            card,
            found,
            refusal,
            similar,
            opened(self._personal, notes),
            past,
        )

    def _look_up(self, application: Application) -> tuple[Comparison | None, Refusal | None]:
        if application.state not in OPEN:
            return None, None
        return look_up(self._registry, application.details)

    def paper(self, by: Identity, application_id: str, kind: DocumentKind, number: int) -> bytes:
        """A page's picture, JPEG.

        Raises Forbidden `role.missing`, `branch.foreign`, NotFound `application.unknown`,
        `licence.unknown`.
        """
        by.require("application.read")
        with self._database.reading() as connection:
            application = self._visible(connection, by, application_id)
            return document_rows.page(
                connection, document_rows.ids(application.papers)[kind], number
            )

    def is_overdue(self, application: Application) -> bool:
        return application.state in OPEN and application.changed_at < self._overdue_before()

    def _filter(self, by: Identity, asked: Asked) -> Filter:
        return Filter(
            asked.states,
            by.branch or asked.branch,
            by.subject if asked.mine else None,
            self._overdue_before() if asked.overdue else None,
            asked.unassigned,
        )

    def _overdue_before(self) -> datetime:
        return self._clock.now() - self._policy.remind_after

    def _search(self, connection: Connection, wanted: Filter, asked: Asked) -> list[Application]:
        """By what the text looks like."""
        if asked.identity:
            index = self._personal.index(fields.identity_number(asked.identity))
            return queue_rows.by_identity(connection, wanted, index)
        text = asked.text.strip()
        upper = "".join(text.split()).upper()
        if upper.startswith("AP-"):
            return queue_rows.by_reference(connection, wanted, upper)
        if is_identity_card_number(upper):
            raise Unprocessable(
                "search.identity-number",
                "identity numbers are searched in their own field, which no address shows",
            )
        try:
            usccs = [parse_uscc(upper)]
        except Refusal:
            usccs = name_search.ENTERPRISES.find(connection, text[:80])
        return queue_rows.among(connection, wanted, usccs)

    def _visible(self, connection: Connection, by: Identity, application_id: str) -> Application:
        found = application_rows.by_id(connection, application_id)
        branches.require_branch(by, found.details.branch_id)
        return found


def place_of(application: Application) -> Place:
    return Place(application.changed_at, application.id)


def _newest_card(connection: Connection, application: Application) -> Card | None:
    if application.enterprise_id is None:
        return None
    newest = card_rows.newest_of(connection, HolderKind.LEGAL_PERSON, [application.enterprise_id])
    return newest.get(application.enterprise_id)
