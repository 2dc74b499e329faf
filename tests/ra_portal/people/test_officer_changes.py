"""An officer's roles and branch change, or the officer leaves: four eyes, and what follows."""

from collections.abc import Callable
from functools import partial

import pytest

from kernel.refusals import Conflict, Forbidden, Unprocessable
from ra_portal.applications.application import Application
from ra_portal.cards.card import CardState, Holder
from ra_portal.fields import InvalidFields
from ra_portal.people.branches import Branch
from ra_portal.people.identity import HolderKind, Identity, Role, console
from ra_portal.people.people import Officer
from tests.at_once import at_once
from tests.ra_portal import samples
from tests.ra_portal.officers import with_card
from tests.ra_portal.world import PortalWorld

WHY = "岗位调整"


def now(portal: PortalWorld, officer: Identity) -> Officer:
    (found,) = [
        each
        for each, _ in portal.services.officers.all(console("tests"))
        if each.id == officer.subject
    ]
    return found


def card_of(portal: PortalWorld, officer: Identity) -> str:
    (card,) = portal.cards_of(Holder(HolderKind.OFFICER, officer.subject))
    return card.number


def branch(portal: PortalWorld, by: Identity, code: str = "2900") -> Branch:
    return portal.services.branches.add(by, code, f"分部{code}", "浙江")


def assigned(portal: PortalWorld, to: Identity, number: int, **details: str) -> Application:
    made = portal.services.registration.apply(samples.details(number, **details), samples.scan())
    return portal.services.assignments.assign(to, made.application.id, to.subject)


def test_one_proposes_and_another_confirms(any_portal: PortalWorld) -> None:
    portal, changes = any_portal, any_portal.services.officer_changes
    one, other = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.ADMINISTRATOR)
    clerk = with_card(portal, Role.REGISTRAR, name="孙登记")
    at = portal.authority.clock.now
    proposed = changes.propose(one, clerk.subject, ["approver"], "", WHY)
    assert now(portal, clerk).roles == {Role.REGISTRAR}, "nothing counts before it is confirmed"
    assert portal.changed == []
    with pytest.raises(Conflict, match=r"officer\.change-waits"):
        changes.propose(other, clerk.subject, ["registrar", "approver"], "", WHY)
    with pytest.raises(Forbidden, match=r"approval\.same-officer"):
        changes.confirm(one, proposed.id)
    assert [(each.may_confirm, each.may_refuse) for each in changes.waiting(one)] == [(False, True)]
    (seen,) = changes.waiting(other)
    assert (seen.name, seen.proposer, seen.may_confirm) == ("孙登记", "李审核", True)

    changes.confirm(other, proposed.id)

    assert now(portal, clerk).roles == {Role.APPROVER}
    number = card_of(portal, clerk)
    assert portal.services.directory.by_card(number, at()).roles == ("approver",)
    assert [card.number for card in portal.changed] == [number], "its sessions end"
    assert changes.waiting(other) == []
    assert portal.events(f"officer:{clerk.subject}") == [
        "officer.added", "officer.change-proposed", "officer.changed",
    ]  # fmt: skip
    for decide in (changes.confirm, changes.refuse):
        with pytest.raises(Conflict, match=r"officer\.change-decided"):
            decide(other, proposed.id)


def test_nobody_decides_on_the_own_roles(portal: PortalWorld) -> None:
    changes = portal.services.officer_changes
    one, other = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.ADMINISTRATOR)
    with pytest.raises(Forbidden, match=r"officer\.own"):
        changes.propose(one, one.subject, ["administrator", "approver"], "", WHY)
    with pytest.raises(Forbidden, match=r"officer\.own"):
        changes.propose_leaving(one, one.subject, WHY)
    proposed = changes.propose(other, one.subject, ["administrator", "approver"], "", WHY)
    for decide in (changes.confirm, changes.refuse):
        with pytest.raises(Forbidden, match=r"officer\.own"):
            decide(one, proposed.id)
    (seen,) = changes.waiting(one)
    assert (seen.may_confirm, seen.may_refuse) == (False, False)
    changes.confirm(with_card(portal, Role.APPROVER), proposed.id)
    assert now(portal, one).roles == {Role.ADMINISTRATOR, Role.APPROVER}


@pytest.mark.parametrize(
    "role", [Role.REGISTRAR, Role.APPROVER, Role.SYSTEM_ADMINISTRATOR, Role.AUDITOR]
)
def test_only_the_administrators_of_the_family_propose(portal: PortalWorld, role: Role) -> None:
    changes, clerk = portal.services.officer_changes, portal.officer(Role.REGISTRAR)
    others = (portal.officer(role), portal.legal_person(), console("root"))
    acts: tuple[Callable[[Identity], object], ...] = (
        lambda by: changes.propose(by, clerk.subject, ["approver"], "", WHY),
        lambda by: changes.propose_leaving(by, clerk.subject, WHY),
    )
    for act in acts:
        for by in others:
            with pytest.raises(Forbidden, match=r"role\.missing"):
                act(by)


def test_who_may_not_confirm_does_not(portal: PortalWorld) -> None:
    changes, one = portal.services.officer_changes, portal.officer(Role.ADMINISTRATOR)
    home, elsewhere = branch(portal, one, "2900"), branch(portal, one, "2200")
    clerk = portal.officer_at(home, Role.REGISTRAR)
    proposed = changes.propose(one, clerk.subject, ["registrar"], "2200", WHY)
    for role in (Role.REGISTRAR, Role.SYSTEM_ADMINISTRATOR, Role.AUDIT_ADMINISTRATOR):
        with pytest.raises(Forbidden, match=r"role\.missing"):
            changes.confirm(portal.officer(role), proposed.id)
    for place in (home, elsewhere):  # it takes somebody who sees both
        approver = portal.officer_at(place, Role.APPROVER)
        assert [each.may_confirm for each in changes.waiting(approver)] == [False]
        with pytest.raises(Forbidden, match=r"branch\.foreign"):
            changes.confirm(approver, proposed.id)
    assert changes.waiting(portal.officer_at(branch(portal, one, "3100"), Role.APPROVER)) == []
    changes.confirm(portal.officer(Role.APPROVER), proposed.id)
    assert now(portal, clerk).branch_id == elsewhere.id


def test_roles_of_another_family_and_nonsense_are_refused(portal: PortalWorld) -> None:
    changes, one = portal.services.officer_changes, portal.officer(Role.ADMINISTRATOR)
    branch(portal, one)
    clerk = portal.officer(Role.REGISTRAR)
    for roles, place, wrong in (
        (["auditor"], "", {"roles": "officer.other-family"}),
        (["registrar", "auditor"], "", {"roles": "officer.roles-apart"}),
        ([], "", {"roles": "officer.role"}),
        (["administrator"], "2900", {"branch": "officer.branch-role"}),
        (["approver"], "9999", {"branch": "branch.unknown"}),
    ):
        with pytest.raises(InvalidFields) as refused:
            changes.propose(one, clerk.subject, roles, place, WHY)
        assert refused.value.facts == wrong
    with pytest.raises(InvalidFields) as refused:
        changes.propose(one, clerk.subject, ["approver"], "", " ")
    assert refused.value.facts == {"why": "field.missing"}
    with pytest.raises(Unprocessable, match=r"change\.nothing"):
        changes.propose(one, clerk.subject, ["registrar"], "", WHY)


def test_the_last_administrator_stays(any_portal: PortalWorld) -> None:
    portal, changes = any_portal, any_portal.services.officer_changes
    cardless = portal.officer(Role.ADMINISTRATOR)  # appoints nobody
    one, other = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.ADMINISTRATOR)
    third = with_card(portal, Role.APPROVER)
    against_other = changes.propose(one, other.subject, ["registrar"], "", WHY)
    against_one = changes.propose_leaving(other, one.subject, WHY)
    raised = at_once(
        *(partial(changes.confirm, third, each.id) for each in (against_other, against_one))
    )
    assert [each.code for each in raised] == ["officer.last-administrator"]
    found = {each.subject: now(portal, each) for each in (one, other)}
    able = [each for each in (one, other) if found[each.subject].retired_at is None]
    able = [each for each in able if Role.ADMINISTRATOR in found[each.subject].roles]
    assert len(able) == 1
    with pytest.raises(Conflict, match=r"officer\.last-administrator"):
        changes.propose_leaving(cardless, able[0].subject, WHY)


def test_what_somebody_proposed_who_may_no_more_counts_for_nothing(portal: PortalWorld) -> None:
    changes = portal.services.officer_changes
    one, other = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.ADMINISTRATOR)
    clerk = with_card(portal, Role.REGISTRAR)
    proposed = changes.propose(one, clerk.subject, ["approver"], "", WHY)
    leaving = changes.propose_leaving(other, one.subject, WHY)
    changes.confirm(with_card(portal, Role.APPROVER), leaving.id)
    with pytest.raises(Conflict, match=r"officer\.proposer-left"):
        changes.confirm(other, proposed.id)
    changes.refuse(other, proposed.id)
    assert portal.events(f"officer:{clerk.subject}")[-1] == "officer.change-refused"
    assert now(portal, clerk).roles == {Role.REGISTRAR}


def test_an_officer_loses_with_a_role_what_it_was_for(any_portal: PortalWorld) -> None:
    portal, changes = any_portal, any_portal.services.officer_changes
    one, other = portal.officer(Role.ADMINISTRATOR), portal.officer(Role.ADMINISTRATOR)
    clerk = portal.officer(Role.REGISTRAR, Role.APPROVER)
    examined, waiting = assigned(portal, clerk, 1), assigned(portal, clerk, 2)
    portal.services.registration.register(portal.officer(Role.REGISTRAR), examined.id)
    change = changes.propose(one, clerk.subject, ["approver"], "", WHY)
    changes.confirm(other, change.id)
    show = portal.services.queue.review
    assert show(other, examined.id).application.assigned_to == clerk.subject
    assert show(other, waiting.id).application.assigned_to is None
    assert portal.events(waiting.reference)[-1] == "application.assigned"
    change = changes.propose(one, clerk.subject, ["administrator"], "", WHY)
    changes.confirm(other, change.id)
    assert show(other, examined.id).application.assigned_to is None


def test_an_officer_loses_with_a_branch_what_belongs_to_it(portal: PortalWorld) -> None:
    changes = portal.services.officer_changes
    one, other = portal.officer(Role.ADMINISTRATOR), portal.officer(Role.ADMINISTRATOR)
    home = branch(portal, one, "2900")
    branch(portal, one, "2200")
    clerk = portal.officer_at(home, Role.REGISTRAR)
    made = assigned(portal, clerk, 1, branch="2900")
    changes.confirm(other, changes.propose(one, clerk.subject, ["registrar"], "2200", WHY).id)
    assert portal.services.queue.review(other, made.id).application.assigned_to is None
    acts: tuple[Callable[[], object], ...] = (  # from a page of before, which said it was his
        lambda: portal.services.assignments.assign(one, made.id, clerk.subject),
        lambda: portal.services.assignments.take_next(clerk),
    )
    for act in acts:
        with pytest.raises(Conflict, match=r"officer\.other-branch"):
            act()


def test_who_leaves_has_no_card_no_work_and_no_way_back(any_portal: PortalWorld) -> None:
    portal, changes = any_portal, any_portal.services.officer_changes
    one, other = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.ADMINISTRATOR)
    clerk = with_card(portal, Role.REGISTRAR, name="孙登记")
    made = assigned(portal, clerk, 1)
    change = changes.propose_leaving(one, clerk.subject, "离职")
    changes.confirm(other, change.id)
    assert now(portal, clerk).retired_at == portal.authority.clock.now()
    number = card_of(portal, clerk)
    assert portal.services.cards.show(other, number).state is CardState.REVOKED
    assert [card.number for card in portal.ended] == [number]
    assert portal.services.queue.review(other, made.id).application.assigned_to is None
    assert clerk.subject not in dict(portal.services.assignments.colleagues(other))
    assert portal.events(f"officer:{clerk.subject}")[-1] == "officer.retired"
    with pytest.raises(Conflict, match=r"officer\.retired"):
        portal.services.cards.replace(one, number)
    with pytest.raises(Conflict, match=r"officer\.retired"):
        changes.propose(one, clerk.subject, ["approver"], "", WHY)


def test_a_retired_officers_card_counts_for_nothing_before_it_is_revoked(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between the two: the worker goes on."""
    changes, cards = portal.services.officer_changes, portal.services.cards
    one, other = with_card(portal, Role.ADMINISTRATOR), with_card(portal, Role.ADMINISTRATOR)
    clerk = with_card(portal, Role.REGISTRAR)
    change = changes.propose_leaving(one, clerk.subject, "离职")

    def died() -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cards, "end_of_retired", died)
        with pytest.raises(KeyboardInterrupt):
            changes.confirm(other, change.id)
    number = card_of(portal, clerk)
    assert cards.show(other, number).state is CardState.ACTIVE
    record = portal.services.directory.by_card(number, portal.authority.clock.now())
    assert record.card_state == "officer-retired"
    assert (cards.end_of_retired(), cards.end_of_retired()) == (1, 0)
    assert cards.show(other, number).state is CardState.REVOKED
