"""What an enterprise's cards did, of its own cards alone; and rights for a period."""

from datetime import UTC, date, datetime, timedelta

import pytest

from kernel.refusals import Conflict, Forbidden, NotFound, Unprocessable
from ra_portal.days import day_of
from ra_portal.history import PAGE_LENGTH, Period, What
from ra_portal.people.identity import Identity, Role
from records.events import Event
from records.journal import records
from tests.ra_portal.world import PortalWorld


def deed(portal: PortalWorld, event: Event, actor: str, **facts: str) -> None:
    """As signing and sign-in write them."""
    authority = portal.authority
    with authority.database.transaction() as connection:
        authority.journal.append(connection, event, subject="x" * 8, actor=actor, **facts)


def busy(portal: PortalWorld, number: int, signatures: int) -> tuple[Identity, str, str]:
    """An enterprise whose operator signs and whose legal person signs in; card and operator."""
    by = portal.legal_person(number)
    added = portal.operator(by, "declare-import")
    assert added.view.card is not None
    card = added.view.card.number
    deed(portal, Event.SIGNIN_SUCCEEDED, by.subject, card="LP-2026-AAAAAAAA", session="s")
    for _ in range(signatures):
        deed(portal, Event.SIGNATURE_ACCEPTED, card, kind="import-declaration", format="cades")
    return by, card, added.view.operator.id


def test_an_enterprise_reads_what_its_cards_did_and_no_others(any_portal: PortalWorld) -> None:
    by, card, operator = busy(any_portal, 1, 3)
    other, _, _ = busy(any_portal, 2, 1)
    history = any_portal.services.history
    deeds = history.page(by).deeds
    assert [each.event for each in deeds] == ["signature.accepted"] * 3 + ["signin.succeeded"]
    assert [each.card for each in deeds] == [card] * 3 + ["LP-2026-AAAAAAAA"]
    assert deeds[0].name == "张操作"
    assert len(history.page(by, operator_id=operator).deeds) == 3
    assert len(history.page(other).deeds) == 2
    with pytest.raises(NotFound, match=r"operator\.unknown"):
        history.page(other, operator_id=operator)
    with pytest.raises(Forbidden, match=r"legal-person\.required"):
        history.page(any_portal.officer(Role.ADMINISTRATOR))


def test_pages_go_on_where_the_last_one_ended(portal: PortalWorld) -> None:
    by, _, _ = busy(portal, 1, PAGE_LENGTH + 7)
    first = portal.services.history.page(by)
    assert first.older is not None
    second = portal.services.history.page(by, first.older)
    assert (len(first.deeds), len(second.deeds), second.older) == (PAGE_LENGTH, 8, None)
    positions = [each.position for each in (*first.deeds, *second.deeds)]
    assert positions == sorted(set(positions), reverse=True)


def test_a_period_is_exported_and_the_export_is_journalled(any_portal: PortalWorld) -> None:
    by, _, _ = busy(any_portal, 1, 2)
    today = day_of(any_portal.authority.clock.now())
    history = any_portal.services.history
    assert len(history.export(by, None, Period(today, today), "csv")) == 3
    assert history.export(by, None, Period(None, today - timedelta(days=1)), "csv") == []
    assert history.export(by, None, Period(date(2100, 1, 1)), "csv") == []
    assert any_portal.events(f"legal-person:{by.subject}").count("history.exported") == 3


def test_a_day_is_the_one_that_the_page_shows(any_portal: PortalWorld) -> None:
    """17:05 UTC is past midnight in Beijing."""
    clock = any_portal.authority.clock
    evening = clock.now().replace(hour=17, minute=5) + timedelta(days=1)
    clock.advance(evening - clock.now())
    by, _, _ = busy(any_portal, 1, 2)
    history, shown = any_portal.services.history, evening.date() + timedelta(days=1)
    assert len(history.page(by, period=Period(shown, shown)).deeds) == 3
    before = shown - timedelta(days=1)
    assert history.page(by, period=Period(before, before)).deeds == []


def test_signatures_and_sign_ins_are_read_apart(any_portal: PortalWorld) -> None:
    by, _, _ = busy(any_portal, 1, 2)
    history = any_portal.services.history
    found = {what: history.page(by, period=Period(what=what)).deeds for what in What}
    assert [each.event for each in found[What.SIGNATURES]] == ["signature.accepted"] * 2
    assert [each.event for each in found[What.SIGN_INS]] == ["signin.succeeded"]
    assert len(found[What.ALL]) == 3
    with any_portal.authority.database.reading() as connection:
        known = {each.position: each.hash.hex() for each in records(connection)}
    assert all(known[each.position] == each.record_sha256 for each in found[What.ALL])


def test_a_right_holds_for_its_period_alone(any_portal: PortalWorld) -> None:
    by, operators = any_portal.legal_person(), any_portal.services.operators
    operator = any_portal.operator(by).view.operator.id
    clock = any_portal.authority.clock
    start = clock.now() + timedelta(days=2)
    view = operators.grant(by, operator, "declare-import", start, start + timedelta(days=1))
    assert view.rights == ()
    clock.advance(timedelta(days=2, seconds=1))
    assert operators.show(by, operator).rights == ("declare-import",)
    clock.advance(timedelta(days=1))
    assert operators.show(by, operator).rights == ()


def test_a_grant_is_withdrawn_now_or_before_it_begins(portal: PortalWorld) -> None:
    by, operators = portal.legal_person(), portal.services.operators
    operator = portal.operator(by, "declare-export").view.operator.id
    start = portal.authority.clock.now() + timedelta(days=2)
    operators.grant(by, operator, "declare-import", start, None)
    held, coming = operators.show(by, operator).history
    assert operators.withdraw(by, operator, held.id).rights == ()
    operators.withdraw(by, operator, coming.id)
    portal.authority.clock.advance(timedelta(days=3))
    assert operators.show(by, operator).rights == ()
    with pytest.raises(Conflict, match=r"grant\.over"):
        operators.withdraw(by, operator, coming.id)
    with pytest.raises(NotFound, match=r"grant\.unknown"):
        operators.withdraw(by, operator, "0" * 32)
    with pytest.raises(NotFound, match=r"operator\.unknown"):
        operators.withdraw(portal.legal_person(2), operator, held.id)


def test_a_period_that_is_none_or_overlaps_is_refused(portal: PortalWorld) -> None:
    by, operators = portal.legal_person(), portal.services.operators
    operator = portal.operator(by).view.operator.id
    now = portal.authority.clock.now()
    past = datetime(2020, 1, 1, tzinfo=UTC)
    with pytest.raises(Unprocessable, match=r"grant\.period"):
        operators.grant(by, operator, "declare-import", past, past + timedelta(days=9))
    operators.grant(by, operator, "declare-import", now, now + timedelta(days=9))
    with pytest.raises(Conflict, match=r"grant\.overlaps"):
        operators.grant(by, operator, "declare-import", now + timedelta(days=8), None)
    operators.grant(by, operator, "declare-import", now + timedelta(days=9), None)
    with pytest.raises(Unprocessable, match=r"right\.unknown"):
        operators.grant(by, operator, "emperor", now, None)
