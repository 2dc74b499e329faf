"""Who looks after what: the next one is taken by one officer alone, and comes back from leavers."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest

from kernel.refusals import Conflict
from ra_portal.applications.application import Application
from ra_portal.applications.queue import Asked, place_of
from ra_portal.cards.card import Holder
from ra_portal.people.identity import HolderKind, Identity, Role, console
from tests.at_once import at_once
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld


def waiting(portal: PortalWorld, count: int) -> Sequence[Application]:
    """Applications, the longest waiting first."""
    made = []
    for number in range(1, count + 1):
        portal.authority.clock.advance(timedelta(seconds=1))
        registration = portal.services.registration
        made.append(registration.apply(samples.details(number), samples.scan()).application)
    return made


def card_ends(portal: PortalWorld, officer: Identity) -> None:
    (card,) = portal.cards_of(Holder(HolderKind.OFFICER, officer.subject))
    portal.services.cards.revoke(console("root"), card.number, "affiliationChanged")


def test_the_longest_waiting_is_taken_and_two_officers_never_share_one(
    any_portal: PortalWorld,
) -> None:
    first, second, third = waiting(any_portal, 3)
    one, other = (any_portal.officer(Role.REGISTRAR) for _ in range(2))
    take = any_portal.services.assignments.take_next
    taken = take(one)
    assert taken is not None
    assert (taken.id, taken.assigned_to) == (first.id, one.subject)
    again = take(one)  # it is the officer's already
    assert again == taken
    theirs = take(other)
    assert theirs is not None
    assert theirs.id == second.id
    skipped = take(one, place_of(taken))  # what is behind it
    assert skipped is not None
    assert skipped.id == third.id
    assert take(other, place_of(theirs)) is None
    left = take(other)
    assert left is not None
    assert left.id == first.id, "what was left is everybody's again"


def test_many_who_take_in_the_same_moment_take_different_ones(
    postgresql_portal: PortalWorld,
) -> None:
    portal = postgresql_portal
    waiting(portal, 8)
    officers = [portal.officer(Role.REGISTRAR) for _ in range(8)]
    take = portal.services.assignments.take_next
    while raised := at_once(*(partial(take, each) for each in officers)):
        assert {each.code for each in raised} == {"application.taken"}, "told to try again"
    for officer in officers:
        assert portal.services.queue.standing(officer).mine == 1


def test_nobody_takes_what_four_eyes_keep_from_them(any_portal: PortalWorld) -> None:
    (made,) = waiting(any_portal, 1)
    both = any_portal.officer(Role.REGISTRAR, Role.APPROVER)
    any_portal.services.registration.register(both, made.id)
    take = any_portal.services.assignments.take_next
    assert take(both) is None
    assert take(any_portal.officer(Role.REGISTRAR)) is None
    assert take(any_portal.officer(Role.ADMINISTRATOR)) is None
    approver = any_portal.officer(Role.APPROVER)
    taken = take(approver)
    assert taken is not None
    assert taken.id == made.id


def test_whoever_leaves_leaves_nothing_behind(any_portal: PortalWorld) -> None:
    first, second = waiting(any_portal, 2)
    leaver, stays = (any_portal.officer(Role.REGISTRAR) for _ in range(2))
    assignments, queue = any_portal.services.assignments, any_portal.services.queue
    assignments.assign(leaver, first.id, leaver.subject)
    assignments.assign(stays, second.id, stays.subject)
    assert assignments.lay_back() == 0
    card_ends(any_portal, leaver)
    assert leaver.subject not in dict(assignments.colleagues(stays))
    with pytest.raises(Conflict, match=r"officer\.not-here"):
        assignments.assign(stays, second.id, leaver.subject)
    assert (assignments.lay_back(), assignments.lay_back()) == (1, 0)
    free = queue.page(stays, Asked(unassigned=True)).applications
    assert [each.id for each in free] == [first.id]
    assert any_portal.events(first.reference)[-1] == "application.assigned"
    assert queue.standing(stays).mine == 1


def test_an_application_is_handed_to_nobody_who_decides_on_none(portal: PortalWorld) -> None:
    (made,) = waiting(portal, 1)
    registrar, administrator = portal.officer(Role.REGISTRAR), portal.officer(Role.ADMINISTRATOR)
    assignments = portal.services.assignments
    assert administrator.subject not in dict(assignments.colleagues(registrar))
    with pytest.raises(Conflict, match=r"officer\.not-here"):
        assignments.assign(registrar, made.id, administrator.subject)
    assert assignments.assign(administrator, made.id, registrar.subject).assigned_to is not None
