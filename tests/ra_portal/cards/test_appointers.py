"""The card of an administrator: frozen by one, ended by two, and never the last one's."""

from collections.abc import Callable
from functools import partial

import pytest

from kernel.refusals import Conflict, Forbidden, NotFound, Unauthenticated
from ra_portal.cards.card import Card, CardState, Holder
from ra_portal.cards.one_time_codes import Purpose
from ra_portal.fields import InvalidFields
from ra_portal.notices.channels import Channel
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.at_once import at_once
from tests.ra_portal.officers import with_card
from tests.ra_portal.world import PortalWorld

WHY = "USB Key 遗失，本人来电"


def card_of(portal: PortalWorld, officer: Identity) -> Card:
    return portal.cards_of(Holder(HolderKind.OFFICER, officer.subject))[-1]


def endings(portal: PortalWorld, number: str) -> dict[str, Callable[[Identity], object]]:
    """What would end a card at once."""
    services = portal.services
    return {
        "revoke": lambda by: services.cards.revoke(by, number, "keyCompromise"),
        "loss": lambda by: services.life.report_loss(by, number, "counter"),
        "replace": lambda by: services.cards.replace(by, number),
    }


@pytest.mark.parametrize(
    ("role", "others"),
    [
        (Role.ADMINISTRATOR, [Role.ADMINISTRATOR, Role.REGISTRAR]),
        (Role.SYSTEM_ADMINISTRATOR, [Role.SYSTEM_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR]),
        (Role.AUDIT_ADMINISTRATOR, [Role.AUDIT_ADMINISTRATOR, Role.AUDITOR]),
    ],
)
def test_nobody_ends_it_alone(portal: PortalWorld, role: Role, others: list[Role]) -> None:
    holder = with_card(portal, role)
    card = card_of(portal, holder)
    for by in (*(with_card(portal, each) for each in others), with_card(portal, role), holder):
        for name, end in endings(portal, card.number).items():
            if by is holder and name == "loss":
                continue  # the holder's own report: below
            with pytest.raises((Conflict, Forbidden)) as refused:
                end(by)
            assert refused.value.code in ("card.two-officers", "role.missing"), name
    assert card_of(portal, holder) == card
    assert portal.ended == []
    with pytest.raises(Conflict, match=r"card\.two-officers"):
        endings(portal, card.number)["revoke"](with_card(portal, role))


def test_one_proposes_the_end_and_another_confirms(any_portal: PortalWorld) -> None:
    portal, changes = any_portal, any_portal.services.officer_changes
    one, holder = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.ADMINISTRATOR)
    approver = with_card(portal, Role.APPROVER)
    card = card_of(portal, holder)
    for by in (approver, with_card(portal, Role.SYSTEM_ADMINISTRATOR)):
        with pytest.raises(Forbidden, match=r"role\.missing"):
            changes.propose_card_end(by, card.number, "keyCompromise", WHY)
    with pytest.raises(Forbidden, match=r"officer\.own"):
        changes.propose_card_end(holder, card.number, "keyCompromise", WHY)
    with pytest.raises(InvalidFields) as wrong:
        changes.propose_card_end(one, card.number, "because", " ")
    assert {name: each.code for name, each in wrong.value.errors.items()} == {
        "why": "field.missing", "reason": "card.reason",
    }  # fmt: skip
    proposed = changes.propose_card_end(one, card.number, "keyCompromise", WHY)
    assert card_of(portal, holder).state is CardState.ACTIVE
    with pytest.raises(Forbidden, match=r"approval\.same-officer"):
        changes.confirm(one, proposed.id)
    with pytest.raises(Forbidden, match=r"officer\.own"):
        changes.confirm(holder, proposed.id)

    changes.confirm(approver, proposed.id)

    ended = card_of(portal, holder)
    assert (ended.state, ended.end_reason) == (CardState.REVOKED, "keyCompromise")
    assert [each.number for each in portal.ended] == [card.number], "its sessions end"
    (move,) = portal.services.life.history(one, card.number)
    assert move.evidence is not None
    for name in (one.actor, approver.actor, proposed.id):
        assert name in move.evidence.content.decode()
    assert portal.events(f"officer:{holder.subject}") == [
        "officer.added", "officer.change-proposed", "officer.card-end-confirmed",
    ]  # fmt: skip
    following, code = portal.services.cards.replace(one, card.number)
    assert (following.state, code) == (CardState.REQUESTED, None), "the holder is still an officer"


def test_one_freezes_it_at_once_and_it_can_be_taken_back(portal: PortalWorld) -> None:
    one, holder = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.ADMINISTRATOR)
    life, number = portal.services.life, card_of(portal, holder).number
    clerk = with_card(portal, Role.REGISTRAR)  # who takes the call
    assert life.freeze(clerk, number, WHY).state is CardState.FROZEN
    for name, end in endings(portal, number).items():
        with pytest.raises(Conflict, match=r"card\.two-officers"):
            end(one)
        assert card_of(portal, holder).state is CardState.FROZEN, name
    with pytest.raises(Forbidden):
        life.unfreeze(clerk, number, "误报")
    assert life.unfreeze(one, number, "误报").state is CardState.ACTIVE
    stranger = with_card(portal, Role.AUDITOR)
    with pytest.raises(Forbidden, match=r"role\.missing"):
        life.freeze(stranger, number, WHY)


def test_the_holder_reports_the_own_loss_at_once_even_the_last(portal: PortalWorld) -> None:
    holder = with_card(portal, Role.ADMINISTRATOR)
    number = card_of(portal, holder).number
    assert portal.services.life.report_loss(holder, number, "officer-card").state is CardState.LOST


def test_what_would_leave_no_administrator_who_can_sign_is_refused(portal: PortalWorld) -> None:
    changes = portal.services.officer_changes
    one, other = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.ADMINISTRATOR)
    approver = with_card(portal, Role.APPROVER)
    proposed = changes.propose_card_end(one, card_of(portal, other).number, "superseded", WHY)
    portal.services.life.freeze(approver, card_of(portal, one).number, WHY)
    with pytest.raises(Conflict, match=r"officer\.last-administrator"):
        changes.confirm(approver, proposed.id)
    portal.services.life.unfreeze(other, card_of(portal, one).number, "误报")
    changes.confirm(approver, proposed.id)
    third = with_card(portal, Role.ADMINISTRATOR)
    portal.services.life.report_loss(third, card_of(portal, third).number, "officer-card")
    with pytest.raises(Conflict, match=r"officer\.last-administrator"):
        changes.propose_card_end(other, card_of(portal, one).number, "superseded", WHY)


def test_two_ends_at_once_leave_one_administrator(any_portal: PortalWorld) -> None:
    portal, changes = any_portal, any_portal.services.officer_changes
    one, other = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.ADMINISTRATOR)
    approver = with_card(portal, Role.APPROVER)
    proposed = [
        changes.propose_card_end(by, card_of(portal, of).number, "superseded", WHY)
        for by, of in ((one, other), (other, one))
    ]
    refused = at_once(*(partial(changes.confirm, approver, each.id) for each in proposed))
    assert [each.code for each in refused] == ["officer.last-administrator"]
    states = {card_of(portal, each).state for each in (one, other)}
    assert states == {CardState.ACTIVE, CardState.REVOKED}


def test_dying_before_the_card_is_revoked_the_worker_goes_on(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, cards = portal.services.officer_changes, portal.services.cards
    one, other, third = (with_card(portal, Role.ADMINISTRATOR) for _ in range(3))
    approver = with_card(portal, Role.APPROVER)
    proposed = changes.propose_card_end(one, card_of(portal, other).number, "superseded", WHY)

    def died() -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cards, "end_as_confirmed", died)
        with pytest.raises(KeyboardInterrupt):
            changes.confirm(approver, proposed.id)
    assert card_of(portal, other).state is CardState.ACTIVE
    portal.services.life.report_loss(third, card_of(portal, third).number, "officer-card")
    with pytest.raises(Conflict, match=r"officer\.last-administrator"):
        changes.propose_card_end(other, card_of(portal, one).number, "superseded", WHY)
    assert (cards.end_as_confirmed(), cards.end_as_confirmed()) == (1, 0)
    assert card_of(portal, other).state is CardState.REVOKED


@pytest.mark.parametrize(("put_in_by_holder", "sent"), [(True, 1), (False, 0)])
def test_an_administrators_code_goes_only_where_the_holder_said(
    portal: PortalWorld, put_in_by_holder: bool, sent: int
) -> None:
    """Else one who puts in the own telephone number would report the other's card lost alone."""
    one, holder = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.ADMINISTRATOR)
    number = card_of(portal, holder).number
    by = holder if put_in_by_holder else one
    portal.services.contacts.change(by, number, {"phone": "+8613900000009"})
    without_card = portal.services.without_card
    request = without_card.request(Purpose.LOSS, Channel.SMS, number)
    without_card.send_codes(at_once=True)
    assert len(portal.sent(Channel.SMS)) == sent
    with pytest.raises(Unauthenticated):
        without_card.act(request, "00000000")


def test_other_officers_cards_end_as_before(portal: PortalWorld) -> None:
    owner = portal.legal_person()
    (own,) = portal.cards_of(Holder(HolderKind.LEGAL_PERSON, owner.subject))
    one, clerk = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.REGISTRAR)
    number = card_of(portal, clerk).number
    assert portal.services.cards.revoke(one, number, "keyCompromise").state is CardState.REVOKED
    with pytest.raises(Conflict, match=r"card\.state"):
        portal.services.officer_changes.propose_card_end(one, number, "superseded", WHY)
    with pytest.raises(NotFound, match=r"officer\.unknown"):
        portal.services.officer_changes.propose_card_end(one, own.number, "superseded", WHY)
