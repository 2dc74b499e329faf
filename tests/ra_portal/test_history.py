"""What an enterprise's cards did, of its own cards alone; and rights for a period."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import insert, text

from kernel.refusals import Conflict, Forbidden, NotFound, Unprocessable
from ra_portal.days import day_of
from ra_portal.history import PAGE_LENGTH, Period, What, newest
from ra_portal.people.identity import Identity, Role
from records.database import Database
from records.events import Event
from records.journal import records
from records.tables import journal
from tests.ra_portal.world import PortalWorld, pkcs10


def deed(
    portal: PortalWorld, event: Event, actor: str, subject: str = "x" * 8, **facts: str
) -> None:
    """As signing and sign-in write them."""
    authority = portal.authority
    with authority.database.transaction() as connection:
        authority.journal.append(connection, event, subject=subject, actor=actor, **facts)


def busy(portal: PortalWorld, number: int, signatures: int) -> tuple[Identity, str, str]:
    """An enterprise whose operator signs and whose legal person signs in; card and operator."""
    by = portal.legal_person(number)
    added = portal.operator(by, "declare-import")
    assert added.view.card is not None
    card = added.view.card.number
    deed(portal, Event.SIGNIN_SUCCEEDED, by.subject, by.subject, card="LP-2026-AAAAAAAA")
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


def test_sign_ins_at_platforms_are_told_and_refreshed_tokens_are_not(
    any_portal: PortalWorld,
) -> None:
    by, _, operator = busy(any_portal, 1, 0)
    for event in (
        Event.PLATFORM_TOKEN_ISSUED,
        Event.PLATFORM_TOKEN_REFRESHED,
        Event.PLATFORM_TICKET_VALIDATED,
    ):
        card, platform = "OP-2026-AAAAAAAA", "报关平台"
        deed(any_portal, event, "client", operator, card=card, platform=platform, session="s")
    deed(any_portal, Event.PLATFORM_TOKEN_ISSUED, "client", operator, session="of before")
    found = any_portal.services.history.page(by, operator_id=operator).deeds
    assert [each.event for each in found] == [
        "platform.token-issued",
        "platform.ticket-validated",
        "platform.token-issued",
    ]
    assert [each.facts["platform"] for each in found] == ["client", "报关平台", "报关平台"]
    assert [each.card for each in found] == ["", "OP-2026-AAAAAAAA", "OP-2026-AAAAAAAA"]


def test_a_session_that_the_house_ended_is_told_with_the_reason(any_portal: PortalWorld) -> None:
    by, _, operator = busy(any_portal, 1, 0)
    deed(any_portal, Event.SESSION_ENDED, "sign-in", operator, card="OP", reason="idle-timeout")
    (ended,) = any_portal.services.history.page(by, operator_id=operator).deeds
    assert (ended.event, ended.card, ended.facts["reason"]) == (
        "session.ended",
        "OP",
        "idle-timeout",
    )


def test_a_refused_try_is_told_of_the_card_whose_key_was_at_work(any_portal: PortalWorld) -> None:
    owner, by = any_portal.legal_person(1), any_portal.legal_person(2)
    added = any_portal.operator(owner, "declare-import")
    card = any_portal.services.enrolment.enrol(added.activation_code, pkcs10()).card
    assert card.fingerprint is not None
    deed(any_portal, Event.SIGNIN_REFUSED, "anonymous", card.fingerprint, code="signin.revoked")
    deed(any_portal, Event.SIGNIN_REFUSED, "anonymous", "f" * 64, code="signin.revoked")
    (refused,) = any_portal.services.history.page(owner, period=Period(what=What.SIGN_INS)).deeds
    assert (refused.card, refused.facts["code"]) == (card.number, "signin.revoked")
    assert any_portal.services.history.page(by).deeds == []


def test_more_than_one_statement_can_ask_for_are_merged_in_order(portal: PortalWorld) -> None:
    by = portal.legal_person()
    cards = []
    for number in range(70):
        added = portal.operator(by, employee_number=f"E-{number:03}", name=f"操作{number}")
        assert added.view.card is not None
        cards.append((added.view.operator.id, added.view.card.number))
    for operator, card in cards * 2:
        deed(portal, Event.SIGNATURE_ACCEPTED, card)
        deed(portal, Event.SIGNIN_SUCCEEDED, card, operator, card=card)
    today = day_of(portal.authority.clock.now())
    found = portal.services.history.export(by, None, Period(today, today), "json")
    positions = [each.position for each in found]
    assert len(found) == 280
    assert positions == sorted(set(positions), reverse=True)


@pytest.mark.parametrize("column", ["actor", "subject"])
def test_the_newest_are_found_by_index(any_database: Database, column: str) -> None:
    """However many deeds others have: many sign-ins of others lie before the newest own one."""
    with any_database.transaction() as connection:
        connection.execute(insert(journal), [
            {
                "position": position, "at": "2026-11-30T00:00:00.000000Z",
                "event": str(Event.SIGNIN_REFUSED), "subject": f"s{position % 400}",
                "actor": f"a{position % 400}", "facts": "{}", "hash": b"\0" * 32,
            }
            for position in range(1, 20_001)
        ])  # fmt: skip
    if not any_database.is_sqlite:
        with any_database.transaction() as connection:
            connection.execute(text("ANALYZE journal"))
    keys = 3
    asked: dict[str, object] = {f"key{number}": f"{column[0]}{number}" for number in range(keys)}
    asked |= {"event0": "signin.refused", "first": "", "last": "~", "below": 2**62, "most": 51}
    explain = "EXPLAIN QUERY PLAN" if any_database.is_sqlite else "EXPLAIN"
    query = newest(column, keys, 1)
    with any_database.reading() as connection:
        plan = connection.execute(text(f"{explain} {query.text}"), asked)
        told = "\n".join(str(row) for row in plan)
        assert len(connection.execute(query, asked).all()) == 51
    assert told.count(f"ix_journal_{column}") == keys, told
    assert "Seq Scan" not in told
    assert "ix_journal_event" not in told
    assert "SCAN journal" not in told


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
