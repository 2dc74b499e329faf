"""A change of name: four eyes, then every card that carries the old name is renewed."""

import pytest

from kernel.asn1.certificate import Certificate
from kernel.refusals import Conflict, Forbidden, NotFound, Unprocessable
from ra_portal.cards.card import CardState, Holder
from ra_portal.cards.card_moves import Move
from ra_portal.fields import InvalidFields
from ra_portal.notices.channels import Channel
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.ra_portal.cards.test_renewal import Held
from tests.ra_portal.world import PortalWorld

NEW = "宁波远航国际物流有限公司"
ORGANIZATION, COMMON_NAME = "2.5.4.10", "2.5.4.3"


def enterprise_of(owner: Identity) -> Holder:
    return Holder(HolderKind.LEGAL_PERSON, owner.subject)


def test_a_change_of_name_takes_two_and_renews_the_cards(any_portal: PortalWorld) -> None:
    portal = any_portal
    owner = portal.legal_person()
    held = Held(portal, owner)
    portal.services.contacts.change(
        owner, held.card.number, {"phone": "", "email": "a@example.com"}
    )
    changes = portal.services.data_changes
    proposed = changes.propose(owner, enterprise_of(owner), {"name": NEW}, "新营业执照")
    with pytest.raises(Conflict, match=r"change\.waiting"):
        changes.propose(owner, enterprise_of(owner), {"region": "浙江 舟山"}, "搬迁")
    approver = portal.officer(Role.APPROVER)
    waiting = portal.services.change_reviews.waiting(approver).shown
    assert [each.change.id for each in waiting] == [proposed.id]

    changes.approve(approver, proposed.id)

    assert portal.services.operators.page(owner).enterprise.name == NEW
    card = portal.services.cards.show(owner, held.card.number)
    assert (card.state, card.renew_by is not None) == (CardState.ACTIVE, True)
    assert portal.services.life.history(owner, card.number)[-1].move is Move.RENEWAL_DUE
    told = {letter.subject.partition(" / ")[2] for letter in portal.sent(Channel.MAIL)}
    assert f"Card {card.number} must be renewed" in told
    assert portal.services.renewal.is_due(card)
    held.card = card
    certificate: Certificate = held.renew().certificate
    assert certificate.attribute(ORGANIZATION) == NEW
    assert certificate.attribute(COMMON_NAME) == "张操作"
    assert portal.events(str(enterprise_of(owner))) == [
        "data-change.proposed",
        "data-change.approved",
    ]


def test_who_proposed_does_not_approve(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    both = portal.officer(Role.REGISTRAR, Role.APPROVER)
    changes = portal.services.data_changes
    proposed = changes.propose(both, enterprise_of(owner), {"name": NEW}, "新营业执照")
    with pytest.raises(Forbidden, match=r"approval\.same-officer"):
        changes.approve(both, proposed.id)
    for by in (owner, portal.officer(Role.REGISTRAR), portal.officer(Role.ADMINISTRATOR)):
        with pytest.raises(Forbidden, match=r"role\.missing"):
            changes.approve(by, proposed.id)
    changes.refuse(portal.officer(Role.APPROVER), proposed.id, "未附新执照")
    with pytest.raises(Conflict, match=r"change\.decided"):
        changes.approve(portal.officer(Role.APPROVER), proposed.id)
    assert portal.services.operators.page(owner).enterprise.name != NEW


def test_data_outside_certificates_renew_nothing(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    held = Held(portal, owner)
    changes = portal.services.data_changes
    proposed = changes.propose(owner, enterprise_of(owner), {"region": "浙江 舟山"}, "搬迁")
    changes.approve(portal.officer(Role.APPROVER), proposed.id)
    assert portal.services.operators.page(owner).enterprise.region == "浙江 舟山"
    assert portal.services.cards.show(owner, held.card.number).renew_by is None


def test_an_operator_changes_name_and_the_others_keep_their_cards(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    one, two = Held(portal, owner, "E-1"), Held(portal, owner, "E-2")
    changes = portal.services.data_changes
    proposed = changes.propose(owner, one.card.holder, {"name": "章操作"}, "更名")
    changes.approve(portal.officer(Role.APPROVER), proposed.id)
    due = [
        portal.services.cards.show(owner, each.card.number).renew_by is not None
        for each in (one, two)
    ]
    assert due == [True, False]


def test_strangers_and_nonsense_are_refused(portal: PortalWorld) -> None:
    owner, stranger = portal.legal_person(1), portal.legal_person(2)
    held = Held(portal, owner)
    propose = portal.services.data_changes.propose
    for holder in (enterprise_of(owner), held.card.holder):
        with pytest.raises(NotFound):
            propose(stranger, holder, {"name": NEW}, "why")
    with pytest.raises(Forbidden):
        propose(held.identity, held.card.holder, {"name": NEW}, "why")
    with pytest.raises(InvalidFields):
        propose(owner, enterprise_of(owner), {"customs_code": "12"}, "why")
    for values in ({}, {"name": ""}, {"uscc": "x"}, {"name": owner.name}):
        with pytest.raises(Unprocessable, match=r"change\.nothing"):
            propose(owner, enterprise_of(owner), values, "why")
