"""An officer of a branch meets that branch's enterprises at every door, and nobody else's."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from kernel.refusals import Conflict, Forbidden
from policies.card_life import card_life_policy
from ra_portal.applications.application import ApplicationState
from ra_portal.applications.queue import Asked
from ra_portal.cards.card import Holder
from ra_portal.fields import InvalidFields
from ra_portal.mass_actions.mass_filter import Act, CardFilter
from ra_portal.papers.documents import DocumentKind
from ra_portal.people import register
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, pkcs10

BUSINESS = (Role.REGISTRAR, Role.APPROVER)


class Places:
    """Two branches, an officer at each, an enterprise with an operator and a seal at the first."""

    def __init__(self, portal: PortalWorld) -> None:
        self.portal = portal
        services = portal.services
        head = portal.officer(Role.ADMINISTRATOR)
        self.ningbo = services.branches.add(head, "2900", "宁波制卡点", "浙江 宁波")
        self.shanghai = services.branches.add(head, "2200", "上海制卡点", "上海")
        self.here = portal.officer_at(self.ningbo, *BUSINESS)
        self.elsewhere = portal.officer_at(self.shanghai, *BUSINESS)
        self.waiting = services.registration.apply(
            samples.details(1, branch="2900"), samples.scan()
        ).application
        made = services.registration.apply(samples.details(2, branch="2900"), samples.scan())
        services.registration.register(self.here, made.application.id)
        second = portal.officer_at(self.ningbo, *BUSINESS)
        approved, self.card = services.registration.approve(second, made.application.id)
        assert approved.enterprise_id is not None
        self.enterprise = Identity(
            HolderKind.LEGAL_PERSON,
            approved.enterprise_id,
            "x",
            enterprise_id=approved.enterprise_id,
        )
        added = portal.operator(self.enterprise, "declare-import")
        assert added.view.card is not None
        self.operators_card = added.view.card
        self.seal = services.seals.request(self.enterprise, "报关章")


@pytest.fixture
def places(portal: PortalWorld) -> Places:
    return Places(portal)


def holder(places: Places) -> Holder:
    return Holder(HolderKind.LEGAL_PERSON, places.enterprise.subject)


DOORS: dict[str, Callable[[Places, Identity], object]] = {
    "review": lambda p, by: p.portal.services.queue.review(by, p.waiting.id),
    "paper": lambda p, by: p.portal.services.queue.paper(by, p.waiting.id, DocumentKind.LICENCE, 1),
    "assign": lambda p, by: p.portal.services.assignments.assign(by, p.waiting.id, by.subject),
    "note": lambda p, by: p.portal.services.notes.add(by, p.waiting.id, "x"),
    "register": lambda p, by: p.portal.services.registration.register(by, p.waiting.id),
    "return": lambda p, by: p.portal.services.registration.send_back(by, p.waiting.id, "x"),
    "refuse": lambda p, by: p.portal.services.registration.refuse(by, p.waiting.id, "x"),
    "card": lambda p, by: p.portal.services.cards.show(by, p.card.number),
    "operator's card": lambda p, by: p.portal.services.cards.show(by, p.operators_card.number),
    "card's life": lambda p, by: p.portal.services.life.history(by, p.card.number),
    "loss": lambda p, by: p.portal.services.life.report_loss(by, p.card.number, "telephone"),
    "code": lambda p, by: p.portal.services.cards.confirm_code(by, p.card.number),
    "witness": lambda p, by: p.portal.services.cards.witness(by, p.card.number, "model", "1"),
    "seal": lambda p, by: p.portal.services.seals.approve(by, p.seal.number),
    "seal refused": lambda p, by: p.portal.services.seals.refuse(by, p.seal.number),
    "enterprise": lambda p, by: p.portal.services.register.show(by, p.enterprise.subject),
    "data": lambda p, by: p.portal.services.data_changes.propose(
        by, holder(p), {"region": "上海"}, "x"
    ),
}


HEAD_OFFICE = CardFilter(uscc=samples.uscc(2))
HEAD_OFFICE_DOORS: dict[str, Callable[[Places, Identity], object]] = {
    "mass preview": lambda p, by: p.portal.services.mass_actions.preview(
        by, Act.FREEZE, HEAD_OFFICE
    ),
    "mass proposal": lambda p, by: p.portal.services.mass_actions.propose(
        by, Act.FREEZE, HEAD_OFFICE, "leak"
    ),
    "mass list": lambda p, by: p.portal.services.mass_actions.all(by),
    "mass confirmation": lambda p, by: p.portal.services.mass_actions.confirm(by, "f" * 32),
    "mass withdrawal": lambda p, by: p.portal.services.mass_actions.withdraw(by, "f" * 32),
}
"""Shut to every branch."""


@pytest.mark.parametrize("door", HEAD_OFFICE_DOORS)
def test_what_is_over_all_branches_is_for_the_head_office_alone(places: Places, door: str) -> None:
    for by in (places.here, places.elsewhere):
        with pytest.raises(Forbidden, match=r"branch\.foreign"):
            HEAD_OFFICE_DOORS[door](places, by)


@pytest.mark.parametrize("door", DOORS)
def test_a_door_is_shut_to_another_branch(places: Places, door: str) -> None:
    with pytest.raises(Forbidden, match=r"branch\.foreign"):
        DOORS[door](places, places.elsewhere)


@pytest.mark.parametrize("door", DOORS)
def test_a_door_is_open_to_the_branch_itself(places: Places, door: str) -> None:
    try:
        DOORS[door](places, places.here)
    except Conflict as refusal:
        if door not in {"code", "loss", "witness"}:  # the card is not made yet
            raise refusal


def test_lists_hold_the_branchs_own(places: Places) -> None:
    services = places.portal.services
    everything = tuple(ApplicationState)
    assert len(services.queue.page(places.here, Asked(everything)).applications) == 2
    assert services.queue.page(places.elsewhere, Asked(everything)).applications == []
    for text in ("宁波", samples.uscc(1), places.waiting.reference):
        asked = Asked(everything, text=text)
        assert services.queue.page(places.elsewhere, asked).applications == []
        assert services.queue.page(places.here, asked).applications != []
    assert sum(services.queue.standing(places.elsewhere).states.values()) == 0
    numbers = {card.number for card, _ in services.cards.search(places.here).cards}
    assert {places.card.number, places.operators_card.number} <= numbers
    abroad = {card.number for card, _ in services.cards.search(places.elsewhere).cards}
    assert abroad.isdisjoint({places.card.number, places.operators_card.number})
    assert [seal.number for seal in services.seals.visible(places.here)] == [places.seal.number]
    assert services.seals.visible(places.elsewhere) == []
    operator = places.operators_card.holder
    services.data_changes.propose(places.here, operator, {"name": "章操作"}, "x")
    services.data_changes.propose(places.here, holder(places), {"region": "上海"}, "x")
    assert len(services.change_reviews.waiting(places.here).shown) == 2
    assert services.change_reviews.waiting(places.elsewhere).shown == []
    for wanted in (register.Asked(), register.Asked(text=samples.uscc(2))):
        shown = services.register.page(places.here, wanted).enterprises
        assert [each.id for each in shown] == [places.enterprise.subject]
        assert services.register.page(places.elsewhere, wanted).enterprises == []
    with pytest.raises(Forbidden, match=r"branch\.foreign"):
        services.register.page(places.elsewhere, register.Asked(branch_id=places.ningbo.id))


def test_a_change_of_data_is_decided_by_the_branch_alone(places: Places) -> None:
    changes = places.portal.services.data_changes
    reviews = places.portal.services.change_reviews
    operator = places.operators_card.holder
    for changed, values in ((holder(places), {"region": "上海"}), (operator, {"name": "章操作"})):
        proposed = changes.propose(places.enterprise, changed, values, "更名")
        assert reviews.waiting(places.elsewhere).shown == []
        for decide in (changes.approve, changes.refuse, reviews.show):
            with pytest.raises(Forbidden, match=r"branch\.foreign"):
                decide(places.elsewhere, proposed.id)
        waiting = reviews.waiting(places.here).shown
        assert [each.change.id for each in waiting] == [proposed.id]
        changes.approve(places.here, proposed.id)
        assert reviews.waiting(places.here).shown == []


def test_a_recovery_is_decided_by_the_branch_alone(places: Places) -> None:
    services = places.portal.services
    services.cards.new_activation_code(
        places.portal.officer(Role.ADMINISTRATOR), places.card.number
    )
    _, code = services.cards.confirm_code(places.here, places.card.number)
    made = services.enrolment.enrol(code, pkcs10()).card
    contact = {"phone": "+8613900000000", "email": "legal@example.com"}
    services.contacts.change(places.enterprise, made.number, contact)
    days = card_life_policy().recovery.contact_days
    places.portal.authority.clock.advance(timedelta(days=days))
    services.recovery.ask(samples.uscc(2), "PIN 输错被锁定")
    (case,) = services.recovery.waiting(places.here).shown
    assert services.recovery.waiting(places.elsewhere).shown == []
    with pytest.raises(Forbidden, match=r"branch\.foreign"):
        services.recovery.approve(places.elsewhere, case.id, "licence seen")
    with pytest.raises(Forbidden, match=r"branch\.foreign"):
        services.recovery.refuse(places.elsewhere, case.id, "not known here")
    (untouched,) = services.recovery.waiting(places.here).shown
    assert untouched == case
    services.recovery.refuse(places.here, case.id, "not the enterprise's caller")
    assert services.recovery.waiting(places.here).shown == []


def test_the_head_office_sees_every_branch(places: Places) -> None:
    head = places.portal.officer(*BUSINESS)
    services = places.portal.services
    assert len(services.queue.page(head, Asked(tuple(ApplicationState))).applications) == 2
    assert services.cards.show(head, places.card.number).number == places.card.number


def test_an_application_is_handed_to_nobody_of_another_branch(places: Places) -> None:
    with pytest.raises(Conflict, match=r"officer\.other-branch"):
        places.portal.services.assignments.assign(
            places.here, places.waiting.id, places.elsewhere.subject
        )
    names = places.portal.services.assignments.colleagues(places.here)
    assert places.elsewhere.subject not in {identifier for identifier, _ in names}


def test_an_unknown_branch_is_told_at_its_field(portal: PortalWorld) -> None:
    with pytest.raises(InvalidFields) as refused:
        portal.services.registration.apply(samples.details(branch="9999"), samples.scan())
    assert set(refused.value.errors) == {"branch"}


def test_at_a_branch_there_are_no_administrators(portal: PortalWorld) -> None:
    head = portal.officer(Role.ADMINISTRATOR)
    portal.services.branches.add(head, "2200", "上海制卡点", "上海")
    with pytest.raises(Conflict, match=r"branch\.exists"):
        portal.services.branches.add(head, "2200", "又一个", "上海")
    with pytest.raises(InvalidFields) as refused:
        portal.services.officers.add(head, "某人", [Role.ADMINISTRATOR], branch="2200")
    assert refused.value.errors["branch"].code == "officer.branch-role"
    added = portal.services.officers.add(head, "某人", [Role.REGISTRAR], branch="2200")
    assert added.officer.branch_id is not None
