"""The registration portal's use cases, put together from what the front hall gives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from ca.inventory import Inventory
from ca.mass.job import MassRevocation
from ca.regional import Issuing
from ca.revocation import Revocation
from kernel.clock import Clock
from kernel.entropy import Entropy
from policies.card_life import card_life_policy
from policies.registration import RegistrationPolicy, load_registration
from policies.rights import RightsCatalogue
from ra_portal.answers import Answers
from ra_portal.applications.access_again import CODES_OF_APPLICATIONS, AccessAgain
from ra_portal.applications.applicants_notice import ApplicantsNotice
from ra_portal.applications.assignments import Assignments
from ra_portal.applications.drafts import Drafts
from ra_portal.applications.escalations import Escalations
from ra_portal.applications.notes import Notes
from ra_portal.applications.queue import ApplicationQueue
from ra_portal.applications.reference_again import ReferenceAgain
from ra_portal.applications.registration import Registration
from ra_portal.applications.registry import Registry
from ra_portal.applications.reminders import Reminders
from ra_portal.cards.card import Card
from ra_portal.cards.card_batches import CardBatches
from ra_portal.cards.card_life import CardLife
from ra_portal.cards.card_making import CardMaking
from ra_portal.cards.cards import Cards
from ra_portal.cards.enrolment import Enrolment
from ra_portal.cards.expiry import Expiry
from ra_portal.cards.loss import LossReports, Stamp
from ra_portal.cards.one_time_codes import CODES_OF_CARDS, OneTimeCodes
from ra_portal.cards.recoveries_asked import RecoveriesAsked
from ra_portal.cards.recovery import Recovery
from ra_portal.cards.renewal import Renewal
from ra_portal.cards.without_card import WithoutCard
from ra_portal.console.console_acts import ConsoleActs
from ra_portal.data_changes.data_changes import DataChanges
from ra_portal.data_changes.reviews import ChangeReviews
from ra_portal.data_changes.telling import Letters
from ra_portal.dead_letters import DeadLetters
from ra_portal.directory import HolderDirectory
from ra_portal.exports import Exports
from ra_portal.figures import Figures
from ra_portal.history import History
from ra_portal.holder_home import HolderHomes
from ra_portal.imports.imports import Imports
from ra_portal.journal_rows import JournalReader
from ra_portal.mass_actions.mass_actions import MassActions
from ra_portal.notices.channels import Channel, Gateway
from ra_portal.notices.notices import Notices, Sealing
from ra_portal.notices.refused_addresses import RefusedAddresses
from ra_portal.people.branches import Branches
from ra_portal.people.contacts import Contacts
from ra_portal.people.ending_rights import EndingRights
from ra_portal.people.officer_changes import OfficerChanges
from ra_portal.people.officers import Officers
from ra_portal.people.operators import Operators
from ra_portal.people.personal_data import PersonalData
from ra_portal.people.register import Register
from ra_portal.seals.seal_keys import TokenOfSeals
from ra_portal.seals.seals import Seals
from ra_portal.shared_codes.codes import Kind, SharedCodes
from records.database import Database
from records.journal import Journal
from records.outbox import Outbox


@dataclass(frozen=True)
class Posting:
    """How notices leave the house."""

    outbox: Outbox
    sealing: Sealing
    """Under a key of the authority's token."""
    gateways: Mapping[Channel, Gateway]
    origin: str
    """Where holders go, as notices tell them."""
    language: str = "zh"
    """Of text messages."""


@dataclass(frozen=True)
class PortalServices:
    answers: Answers
    registration: Registration
    reference_again: ReferenceAgain
    access_again: AccessAgain
    drafts: Drafts
    queue: ApplicationQueue
    assignments: Assignments
    reminders: Reminders
    escalations: Escalations
    notes: Notes
    register: Register
    branches: Branches
    cards: Cards
    card_batches: CardBatches
    life: CardLife
    losses: LossReports
    notices: Notices
    contacts: Contacts
    without_card: WithoutCard
    dead_letters: DeadLetters
    console_acts: ConsoleActs
    officers: Officers
    officer_changes: OfficerChanges
    operators: Operators
    imports: Imports
    enrolment: Enrolment
    renewal: Renewal
    expiry: Expiry
    ending_rights: EndingRights
    data_changes: DataChanges
    change_reviews: ChangeReviews
    recovery: Recovery
    recoveries_asked: RecoveriesAsked
    mass_actions: MassActions
    figures: Figures
    exports: Exports
    seals: Seals
    directory: HolderDirectory
    journal: JournalReader
    catalogue: RightsCatalogue
    policy: RegistrationPolicy
    history: History
    homes: HolderHomes
    clock: Clock


def open_portal(
    database: Database,
    journal: Journal,
    clock: Clock,
    entropy: Entropy,
    authority: Issuing,
    inventory: Inventory,
    revocation: Revocation,
    catalogue: RightsCatalogue,
    seal_token: TokenOfSeals,
    stamp: Stamp,
    posting: Posting,
    personal: PersonalData,
    registry: Registry | None = None,
    on_cards_ended: Callable[[Sequence[Card]], None] = lambda cards: None,
    on_officer_changed: Callable[[Card], None] = lambda card: None,
) -> PortalServices:
    """Wire the use cases. `on_cards_ended` ends the sessions of revoked or replaced cards,
    `on_officer_changed` those of the card of an officer with other roles;
    `seal_token` makes and destroys seals' keys; `stamp` timestamps;
    `posting` is how notices leave; `registry` is what applications are compared with."""

    def on_card_ended(card: Card) -> None:
        on_cards_ended([card])

    seals = Seals(database, journal, clock, entropy, authority, inventory, revocation, seal_token)
    cards = Cards(
        database, journal, clock, entropy, revocation, on_card_ended, seals.end_of_enterprise
    )
    losses = LossReports(database, journal, clock, stamp)
    sealing, outbox = posting.sealing, posting.outbox
    refused = RefusedAddresses(clock, personal)
    notices = Notices(
        database,
        outbox,
        clock,
        sealing,
        posting.gateways,
        refused,
        posting.origin,
        posting.language,
    )
    contacts = Contacts(database, journal, clock, sealing, notices, personal, refused)
    life = CardLife(database, journal, clock, revocation, losses, contacts, notices, on_card_ended)

    def shared_codes(kind: Kind) -> SharedCodes:
        return SharedCodes(database, journal, clock, entropy, sealing, notices, kind)

    codes = OneTimeCodes(database, clock, shared_codes(CODES_OF_CARDS), contacts, notices, outbox)
    making, policy = CardMaking(authority, inventory, revocation), card_life_policy()
    rules = load_registration()
    operators = Operators(database, journal, clock, cards, catalogue, personal)
    draft_time = timedelta(days=rules.draft_days)
    directory = HolderDirectory(database, clock)
    applicants = ApplicantsNotice(notices, personal)
    assignments = Assignments(database, journal, clock)
    queue = ApplicationQueue(database, clock, personal, rules, registry)
    recovery = Recovery(
        database,
        journal,
        clock,
        entropy,
        cards,
        contacts,
        notices,
        revocation,
        policy,
        on_card_ended,
    )
    return PortalServices(
        answers=Answers(database, clock, entropy),
        registration=Registration(
            database, journal, clock, entropy, cards, personal, rules, applicants
        ),
        reference_again=ReferenceAgain(database, journal, clock, outbox, notices, applicants),
        access_again=AccessAgain(
            database,
            journal,
            clock,
            entropy,
            shared_codes(CODES_OF_APPLICATIONS),
            personal,
            outbox,
            notices,
            applicants,
        ),
        drafts=Drafts(database, journal, clock, entropy, personal, draft_time),
        queue=queue,
        assignments=assignments,
        reminders=Reminders(database, journal, clock, rules, contacts, notices),
        notes=Notes(database, journal, clock, personal),
        escalations=Escalations(database, journal, clock, rules, contacts, notices),
        register=Register(database),
        branches=Branches(database, journal, clock),
        cards=cards,
        card_batches=CardBatches(database, cards),
        life=life,
        losses=losses,
        notices=notices,
        contacts=contacts,
        without_card=WithoutCard(codes, life),
        dead_letters=DeadLetters(database, journal, outbox, notices),
        console_acts=ConsoleActs(
            database, journal, clock, entropy, directory, inventory, posting.origin
        ),
        officers=Officers(database, journal, clock, cards),
        officer_changes=OfficerChanges(
            database, journal, clock, cards, assignments, on_officer_changed
        ),
        operators=operators,
        imports=Imports(database, journal, clock, entropy, personal, catalogue, operators),
        enrolment=Enrolment(database, journal, clock, making, revocation),
        renewal=Renewal(
            database,
            journal,
            clock,
            entropy,
            cards,
            making,
            revocation,
            policy,
            posting.origin,
            on_card_ended,
        ),
        expiry=Expiry(
            database, journal, clock, contacts, notices, revocation, policy, on_card_ended
        ),
        ending_rights=EndingRights(database, journal, clock, contacts, notices, catalogue, policy),
        mass_actions=MassActions(
            database,
            journal,
            clock,
            MassRevocation(database, journal, outbox, clock),
            on_cards_ended,
        ),
        exports=Exports(database, journal, queue),
        figures=Figures(database, outbox, clock),
        recovery=recovery,
        recoveries_asked=RecoveriesAsked(database, clock, outbox, recovery),
        data_changes=DataChanges(
            database,
            journal,
            clock,
            entropy,
            Letters(database, contacts, notices),
            rules,
            policy,
        ),
        change_reviews=ChangeReviews(database, registry),
        seals=seals,
        directory=directory,
        journal=JournalReader(database, journal),
        catalogue=catalogue,
        policy=rules,
        history=History(database, journal, clock),
        homes=HolderHomes(database, clock, contacts),
        clock=clock,
    )
