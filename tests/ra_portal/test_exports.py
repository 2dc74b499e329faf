"""Officers take their lists away: what the page shows, no more, and the journal tells it."""

import json
from collections.abc import Iterable

import pytest

from kernel.refusals import Forbidden, TooLarge
from ra_portal import exports
from ra_portal.applications.application import ApplicationState
from ra_portal.applications.queue import Asked
from ra_portal.cards.card import CardState
from ra_portal.exports import ListedApplication
from ra_portal.people.identity import Identity, Role
from records.events import Event
from records.journal import Record, records
from tests.ra_portal import samples
from tests.ra_portal.applications.test_queue import fill as fill_queue
from tests.ra_portal.cards.test_card_list import fill as fill_cards
from tests.ra_portal.world import PortalWorld

ALL = tuple(ApplicationState)


def taken(portal: PortalWorld, by: Identity, asked: Asked) -> list[str]:
    """References, in the order of the file."""
    found: list[str] = []

    def write(rows: Iterable[ListedApplication]) -> int:
        found.extend(row.application.reference for row in rows)
        return len(found)

    assert portal.services.exports.applications(by, asked, write) == len(found)
    return found


def told(portal: PortalWorld, by: Identity) -> list[Record]:
    with portal.authority.database.reading() as connection:
        return [
            each
            for each in records(connection, f"officer:{by.subject}")
            if each.event in (Event.APPLICATIONS_EXPORTED, Event.CARDS_EXPORTED)
        ]


def test_the_queue_is_taken_away_whole_in_the_pages_order(any_portal: PortalWorld) -> None:
    with any_portal.authority.database.transaction() as connection:
        fill_queue(connection, any_portal, 2_500)
    by = any_portal.officer(Role.REGISTRAR)
    for states, count in ((ALL, 2_500), ((ApplicationState.APPROVED,), 834)):
        asked = Asked(states)
        found = taken(any_portal, by, asked)
        assert len(found) == len(set(found)) == count
        page = any_portal.services.queue.page(by, asked)
        assert [each.reference for each in page.applications] == found[: len(page.applications)]
    some = any_portal.services.registration.apply(samples.details(7), samples.scan()).application
    assert taken(any_portal, by, Asked(text=some.details.name)) == [some.reference]
    facts = [json.loads(each.facts) for each in told(any_portal, by)]
    assert [each["count"] for each in facts] == [2_500, 834, 1]
    assert [each["searched"] for each in facts] == [False, False, True]
    assert some.details.name not in str(facts)


def test_an_officer_takes_away_the_own_branch_alone(any_portal: PortalWorld) -> None:
    head = any_portal.officer(Role.ADMINISTRATOR)
    services = any_portal.services
    ningbo = services.branches.add(head, "2900", "宁波", "浙江")
    services.branches.add(head, "2200", "上海", "上海")
    own, other = (
        services.registration.apply(samples.details(n, branch=code), samples.scan()).application
        for n, code in ((1, "2900"), (2, "2200"))
    )
    by = any_portal.officer_at(ningbo, Role.REGISTRAR)
    elsewhere = Asked(ALL, branch=other.details.branch_id)
    assert taken(any_portal, by, Asked(ALL)) == [own.reference]
    assert taken(any_portal, by, elsewhere) == [own.reference], "whatever the form says"
    assert set(taken(any_portal, head, Asked(ALL))) == {own.reference, other.reference}
    numbers: list[str] = []

    def write(rows: Iterable[tuple[object, str]]) -> int:
        numbers.extend(name for _, name in rows)
        return len(numbers)

    services.exports.cards(by, None, "", write)
    assert numbers == ["李分部"]


def test_more_than_the_bound_is_refused_and_not_cut(
    any_portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_cards(any_portal, 30)
    by = any_portal.officer(Role.ADMINISTRATOR)
    wanted = (by, CardState.REVOKED, "")
    monkeypatch.setattr(exports, "MOST_EXPORTED", 15)
    assert any_portal.services.exports.cards(*wanted, lambda rows: len(list(rows))) == 15
    monkeypatch.setattr(exports, "MOST_EXPORTED", 14)
    with pytest.raises(TooLarge, match=r"export\.too-many"):
        any_portal.services.exports.cards(*wanted, lambda rows: len(list(rows)))
    assert len(told(any_portal, by)) == 1


def test_nobody_else_takes_a_list_away(portal: PortalWorld) -> None:
    for by in (portal.legal_person(), portal.officer(Role.AUDITOR)):
        with pytest.raises(Forbidden, match=r"role\.missing"):
            portal.services.exports.applications(by, Asked(), lambda rows: len(list(rows)))
        with pytest.raises(Forbidden, match=r"role\.missing"):
            portal.services.exports.cards(by, None, "", lambda rows: len(list(rows)))
