"""No officer alone gets hold of a code that makes somebody else's card."""

import pytest

from kernel.refusals import Conflict, Forbidden
from ra_portal.cards.card import Card, CardState
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.ra_portal.world import PortalWorld, pkcs10

COUNTER = (Role.REGISTRAR, Role.APPROVER, Role.ADMINISTRATOR)


def requested(portal: PortalWorld) -> Card:
    card = portal.services.operators.page(portal.legal_person()).card
    assert card is not None
    return card


def test_a_code_that_one_officer_proposes_is_shown_to_another(any_portal: PortalWorld) -> None:
    cards, card = any_portal.services.cards, requested(any_portal)
    first, second = any_portal.officer(Role.ADMINISTRATOR), any_portal.officer(Role.APPROVER)
    proposed, nothing = cards.new_activation_code(first, card.number)
    assert (proposed.code_proposed_by, nothing) == (first.subject, None)
    offered, code = cards.confirm_code(second, card.number)
    assert offered.code_proposed_by is None
    made = any_portal.services.enrolment.enrol(code, pkcs10()).card
    assert made.state is CardState.ACTIVE
    told = any_portal.events(card.number)
    assert told[1:3] == ["card.code-proposed", "card.code-offered"]


def test_the_same_officer_cannot_confirm_whatever_the_roles(portal: PortalWorld) -> None:
    cards, card = portal.services.cards, requested(portal)
    both = portal.officer(*COUNTER)
    cards.new_activation_code(both, card.number)
    with pytest.raises(Forbidden, match=r"approval\.same-officer"):
        cards.confirm_code(both, card.number)


def test_a_replacement_by_an_officer_waits_for_another(portal: PortalWorld) -> None:
    cards = portal.services.cards
    code = portal.operator(portal.legal_person()).activation_code
    card = portal.services.enrolment.enrol(code, pkcs10()).card
    both = portal.officer(*COUNTER)
    new, nothing = cards.replace(both, card.number)
    assert nothing is None
    with pytest.raises(Forbidden, match=r"approval\.same-officer"):
        cards.confirm_code(both, new.number)
    confirmed, _ = cards.confirm_code(portal.officer(Role.ADMINISTRATOR), new.number)
    assert confirmed.number == new.number


def test_a_new_officer_cannot_confirm_the_own_card(portal: PortalWorld) -> None:
    added = portal.services.officers.add(
        portal.officer(Role.ADMINISTRATOR), "赵审批", [Role.APPROVER]
    )
    assert added.activation_code is None
    roles = frozenset({Role.APPROVER})
    own = Identity(HolderKind.OFFICER, added.officer.id, "赵审批", roles)
    with pytest.raises(Forbidden, match=r"card\.own"):
        portal.services.cards.confirm_code(own, added.card.number)


def test_only_an_administrator_or_approver_confirms_and_only_a_proposal(
    portal: PortalWorld,
) -> None:
    cards, card = portal.services.cards, requested(portal)
    with pytest.raises(Conflict, match=r"card\.no-proposal"):
        cards.confirm_code(portal.officer(Role.APPROVER), card.number)
    cards.new_activation_code(portal.officer(Role.ADMINISTRATOR), card.number)
    with pytest.raises(Forbidden, match=r"role\.missing"):
        cards.confirm_code(portal.officer(Role.REGISTRAR), card.number)
