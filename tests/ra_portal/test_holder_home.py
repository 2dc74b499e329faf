"""What the home of an enterprise and of an operator tells, and that it stays a few look-ups."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from kernel.refusals import Forbidden, Unavailable
from ra_portal.holder_home import OperatorsCards, cards_of_operators
from ra_portal.people.identity import HolderKind, Identity
from records.events import Event
from tests.plans import plan_of
from tests.ra_portal.world import PortalWorld, pkcs10


def operator_with_card(portal: PortalWorld, by: Identity, number: str) -> tuple[Identity, str]:
    """Signed in, and the card's number."""
    added = portal.operator(by, "declare-import", employee_number=number)
    card = portal.services.enrolment.enrol(added.activation_code, pkcs10()).card
    return Identity(HolderKind.OPERATOR, card.holder.id, "张操作"), card.number


def signed_in(portal: PortalWorld, by: Identity, session: str) -> None:
    authority = portal.authority
    with authority.database.transaction() as connection:
        authority.journal.append(
            connection, Event.SIGNIN_SUCCEEDED, subject=by.subject, actor=by.subject,
            session=session,
        )  # fmt: skip


def test_an_enterprise_sees_how_its_cards_stand(any_portal: PortalWorld) -> None:
    portal, by = any_portal, any_portal.legal_person(1)
    other = portal.legal_person(2)
    operator_with_card(portal, other, "E-1")
    _, frozen = operator_with_card(portal, by, "E-1")
    operator_with_card(portal, by, "E-2")
    portal.operator(by, employee_number="E-3")
    portal.services.life.freeze(by, frozen, "on leave")
    home = portal.services.homes.of(by)
    assert home.operators_cards == OperatorsCards(1, 1, 1, 0)
    assert (home.rights, home.ends_soon) == ((), False)
    assert home.card is not None
    assert home.card.holder.id == by.subject


def test_cards_that_end_within_thirty_days_are_told(portal: PortalWorld) -> None:
    by = portal.legal_person()
    operator, _ = operator_with_card(portal, by, "E-1")
    card = portal.services.homes.of(operator).card
    assert card is not None
    assert card.not_after is not None
    clock = portal.authority.clock
    clock.advance(card.not_after - timedelta(days=31) - clock.now())
    assert not portal.services.homes.of(operator).ends_soon
    clock.advance(timedelta(days=2))
    assert portal.services.homes.of(operator).ends_soon
    counts = portal.services.homes.of(by).operators_cards
    assert counts is not None
    assert counts.ending == 1


def test_the_last_sign_in_is_the_one_before_this_session(any_portal: PortalWorld) -> None:
    by, homes = any_portal.legal_person(), any_portal.services.homes
    signed_in(any_portal, by, "first")
    assert homes.of(by).last_sign_in is None
    before = any_portal.authority.clock.now()
    any_portal.authority.clock.advance(timedelta(hours=1))
    signed_in(any_portal, by, "second")
    signed_in(any_portal, by, "second")  # the card was proven anew
    assert homes.of(by).last_sign_in == before


def test_an_operator_sees_rights_in_force_and_to_come_and_none_that_are_over(
    portal: PortalWorld,
) -> None:
    by, clock = portal.legal_person(), portal.authority.clock
    operator, _ = operator_with_card(portal, by, "E-1")
    coming = clock.now() + timedelta(days=3)
    portal.services.operators.grant(by, operator.subject, "declare-export", coming, None)
    rights = portal.services.homes.of(operator).rights
    assert [each.right for each in rights] == ["declare-import", "declare-export"]
    portal.services.operators.withdraw(by, operator.subject, rights[0].id)
    assert [each.right for each in portal.services.homes.of(operator).rights] == ["declare-export"]


def test_who_left_no_contact_is_told_and_a_token_that_is_away_stops_nobody(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    by = portal.legal_person()
    operator, number = operator_with_card(portal, by, "E-1")
    assert not portal.services.homes.of(operator).reachable
    portal.services.contacts.change(operator, number, {"phone": "+8613900000000", "email": ""})
    assert portal.services.homes.of(operator).reachable

    def away(*_: object) -> bytes:
        raise Unavailable("token.unavailable", "the token is away")

    monkeypatch.setattr(portal.services.contacts, "look_up", away)
    assert portal.services.homes.of(operator).reachable


def test_an_operator_reads_the_own_history_and_no_other(any_portal: PortalWorld) -> None:
    by = any_portal.legal_person()
    operator, _ = operator_with_card(any_portal, by, "E-1")
    colleague, _ = operator_with_card(any_portal, by, "E-2")
    for each in (operator, colleague, by):
        signed_in(any_portal, each, "s")
    history = any_portal.services.history
    (deed,) = history.page(operator).deeds
    assert deed.subject == operator.subject
    for another in (colleague.subject, by.subject):
        with pytest.raises(Forbidden, match=r"legal-person\.required"):
            history.page(operator, operator_id=another)


def test_the_counts_are_found_by_the_one_enterprises_indexes(any_portal: PortalWorld) -> None:
    database, by = any_portal.authority.database, any_portal.legal_person()
    now = any_portal.authority.clock.now()
    with database.transaction() as connection:
        rows = [
            {"id": f"{n:032x}", "number": f"OP-{n}", "live": f"operator:{n:032x}", "now": now}
            for n in range(20_000)
        ]
        connection.execute(
            text(
                "INSERT INTO cards (id, number, holder_kind, holder_id, live_holder, state, "
                "requested_at, failed_attempts, version) VALUES "
                "(:id, :number, 'operator', :id, :live, 'active', :now, 0, 1)"
            ),
            rows,
        )
    if not database.is_sqlite:
        with database.transaction() as connection:
            connection.execute(text("ANALYZE"))
    plan = plan_of(database, cards_of_operators(by.subject, now))
    assert "ix_cards_holder" in plan, plan
    assert "Seq Scan on cards" not in plan
    assert "SCAN cards" not in plan
