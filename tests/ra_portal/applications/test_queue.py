"""The queue: filters, search, pages by key, assignment, reminders; on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert, text

from kernel.refusals import Conflict, Forbidden, Malformed, Unprocessable
from policies.registration import load_registration
from ra_portal.applications import queue_rows
from ra_portal.applications.application import Application, ApplicationState
from ra_portal.applications.queue import Asked
from ra_portal.applications.queue_rows import Filter
from ra_portal.applications.tables import applications
from ra_portal.fields import InvalidFields
from ra_portal.keyset import Place, read_place, write_place
from ra_portal.people import name_search
from ra_portal.people.identity import Role
from records.database import Database, new_id
from tests.plans import plan_of
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld

ALL = tuple(ApplicationState)


def applied(portal: PortalWorld, number: int = 1, **changes: str) -> Application:
    details = samples.details(number, **changes)
    return portal.services.registration.apply(details, samples.scan()).application


def fill(connection: Connection, portal: PortalWorld, count: int) -> None:
    """Applications by the thousand: what `apply` writes, without the papers."""
    now = portal.authority.clock.now()
    for start in range(0, count, 10_000):
        connection.execute(
            insert(applications),
            [
                {
                    "id": new_id(),
                    "reference": f"AP-2026-B{number:07d}",
                    "access_hash": "",
                    "state": "applied" if number % 3 else "approved",
                    "uscc": f"9133{number:014d}",
                    "name": f"批量样本{number}有限公司",
                    "customs_code": "3302900001",
                    "legal_representative": "样本",
                    "region": "浙江",
                    "assigned_to": "o" * 32 if number % 500 == 0 else None,
                    "submitted_at": now,
                    "changed_at": now + timedelta(seconds=number // 5),
                    "version": 0,
                }
                for number in range(start, min(start + 10_000, count))
            ],
        )


def test_pages_follow_each_other_in_order_and_back(any_portal: PortalWorld) -> None:
    with any_portal.authority.database.transaction() as connection:
        fill(connection, any_portal, 50)
    queue, officer = any_portal.services.queue, any_portal.officer(Role.REGISTRAR)
    first = queue.page(officer, Asked(ALL))
    second = queue.page(officer, Asked(ALL, after=first.later))
    third = queue.page(officer, Asked(ALL, after=second.later))
    assert (first.earlier, third.later) == (None, None)
    seen = [*first.applications, *second.applications, *third.applications]
    assert len(seen) == len({each.id for each in seen}) == 50
    assert seen == sorted(seen, key=lambda each: (each.changed_at, each.id))
    back = queue.page(officer, Asked(ALL, after=third.earlier, backwards=True))
    assert back.applications == second.applications
    again = queue.page(officer, Asked(ALL, after=back.earlier, backwards=True))
    assert (again.applications, again.earlier) == (first.applications, None)


def test_a_part_of_the_name_a_code_or_a_reference_finds(any_portal: PortalWorld) -> None:
    made = applied(any_portal, 1, name="宁波海天ABC货运有限公司")
    applied(any_portal, 2, name="上海长江货运代理有限公司")
    queue, officer = any_portal.services.queue, any_portal.officer(Role.REGISTRAR)

    def found(sought: str) -> list[str]:
        return [each.details.name for each in queue.page(officer, Asked(text=sought)).applications]

    assert found("海天") == found("天abc货") == found("宁波海天") == [made.details.name]
    assert sorted(found("货运")) == ["上海长江货运代理有限公司", "宁波海天ABC货运有限公司"]
    assert found(samples.uscc(1).lower()) == found(made.reference.lower()) == [made.details.name]
    assert found("100%_") == found("' OR 1=1 --") == found("没有") == []


def test_a_corrected_name_is_found_and_the_old_one_no_longer(any_portal: PortalWorld) -> None:
    made = applied(any_portal, 1, name="旧名货运有限公司")
    registration, officer = any_portal.services.registration, any_portal.officer(Role.REGISTRAR)
    registration.send_back(officer, made.id, "", {"name": "differs-from-licence"})
    registration.resubmit(made.id, samples.details(1, name="新名货运有限公司"), None)
    queue = any_portal.services.queue
    assert len(queue.page(officer, Asked(text="新名")).applications) == 1
    assert queue.page(officer, Asked(text="旧名")).applications == []


def test_an_identity_number_finds_by_its_blind_index_and_never_by_an_address(
    portal: PortalWorld,
) -> None:
    number = samples.identity_number()
    made = applied(portal, 1, identity_number=number)
    applied(portal, 2, identity_number=samples.identity_number(2))
    queue, officer = portal.services.queue, portal.officer(Role.REGISTRAR)
    found = queue.page(officer, Asked(ALL, identity=f" {number.lower()} ")).applications
    assert [each.id for each in found] == [made.id]
    with pytest.raises(Unprocessable, match=r"search\.identity-number"):
        queue.page(officer, Asked(text=number))
    with pytest.raises(Unprocessable, match=r"field\.identity-check"):
        queue.page(officer, Asked(identity=number[:-1] + "?"))


def test_an_application_is_taken_handed_over_and_laid_back(any_portal: PortalWorld) -> None:
    made = applied(any_portal)
    queue, assignments = any_portal.services.queue, any_portal.services.assignments
    one, other = any_portal.officer(Role.REGISTRAR), any_portal.officer(Role.APPROVER)
    assignments.assign(one, made.id, one.subject)
    mine = queue.page(one, Asked(mine=True))
    assert [each.id for each in mine.applications] == [made.id]
    assert mine.names == {one.subject: one.name}
    assert queue.standing(one).mine == 1
    assignments.assign(one, made.id, other.subject)
    assert queue.page(one, Asked(mine=True)).applications == []
    assert assignments.assign(other, made.id, None).assigned_to is None
    assert any_portal.events(made.reference).count("application.assigned") == 3
    with pytest.raises(Forbidden, match=r"role\.missing"):
        assignments.assign(any_portal.legal_person(3), made.id, None)
    any_portal.services.registration.refuse(one, made.id, "停业")
    with pytest.raises(Conflict, match=r"application\.state"):
        assignments.assign(one, made.id, one.subject)


def test_what_waits_too_long_is_overdue_and_reminded_of_once(any_portal: PortalWorld) -> None:
    made = applied(any_portal)
    queue, officer = any_portal.services.queue, any_portal.officer(Role.REGISTRAR)
    reminders = any_portal.services.reminders
    assert reminders.send() == 0
    any_portal.authority.clock.advance(load_registration().remind_after + timedelta(minutes=1))
    assert queue.is_overdue(made)
    overdue = queue.page(officer, Asked(overdue=True)).applications
    assert ([each.id for each in overdue], queue.standing(officer).overdue) == ([made.id], 1)
    assert (reminders.send(), reminders.send()) == (1, 0)
    assert any_portal.events(made.reference)[-1] == "application.reminded"
    any_portal.services.registration.register(officer, made.id)  # the wait begins anew
    any_portal.authority.clock.advance(load_registration().remind_after + timedelta(minutes=1))
    assert reminders.send() == 1


def test_a_place_survives_its_address_and_nonsense_is_refused() -> None:
    place = read_place("1795958400123456-0123456789abcdef0123456789abcdef")
    assert write_place(place) == "1795958400123456-0123456789abcdef0123456789abcdef"
    for nonsense in ("", "x", "-1-a", "99999999999999999999-a", "１-a", "1e9-a"):
        with pytest.raises(Malformed, match=r"page\.place"):
            read_place(nonsense)


def test_reasons_are_the_policys_and_fit_their_field(portal: PortalWorld) -> None:
    made = applied(portal)
    registration, officer = portal.services.registration, portal.officer(Role.REGISTRAR)
    for remarks in (
        {"licence": "no-such-reason"},
        {"licence": "customs-code-unknown"},
        {"password": "licence-illegible"},
        {"licence": "forged-papers"},
    ):
        with pytest.raises(Unprocessable, match=r"reason\.unknown"):
            registration.send_back(officer, made.id, "", remarks)
    returned = registration.send_back(officer, made.id, "", {"licence": "licence-illegible"})
    assert (returned.reasons, returned.remarks) == (None, {"licence": "licence-illegible"})
    with pytest.raises(InvalidFields):
        registration.resubmit(made.id, samples.details(uscc="wrong"), None)
    corrected = registration.resubmit(made.id, samples.details(region="上海"), None)
    assert (corrected.previous, corrected.remarks) == ({"region": "浙江 宁波"}, {})


@pytest.mark.parametrize("state", [ApplicationState.APPLIED, ApplicationState.APPROVED])
def test_each_walk_follows_an_index_and_sorts_nothing(
    any_portal: PortalWorld, state: ApplicationState
) -> None:
    database = any_portal.authority.database
    with database.transaction() as connection:
        fill(connection, any_portal, 20_000)
        if not database.is_sqlite:
            connection.execute(text("ANALYZE applications"))
    some = Place(any_portal.authority.clock.now() + timedelta(seconds=2000), "0" * 32)
    for wanted, index in (
        (Filter((state,)), "ix_applications_queue"),
        (Filter((state,), branch_id="b" * 32), "ix_applications_branch"),
        (Filter((state,), assigned_to="o" * 32), "ix_applications_assigned"),
        (Filter((state,), unassigned=True, not_registered_by="o" * 32), "ix_applications_"),
    ):
        for backwards in (False, True):
            query = queue_rows.of_state(wanted, state, 21, some, backwards)
            plan = plan_of(database, query)
            assert index in plan, plan
            assert "SCAN applications" not in plan, plan
            assert "Seq Scan" not in plan, plan
            assert "Sort" not in plan, plan
            assert "TEMP B-TREE" not in plan, plan


def test_a_search_by_name_walks_its_index(any_database: Database) -> None:
    with any_database.transaction() as connection:
        name_search.ENTERPRISES.remember(connection, samples.uscc(), "宁波海天货运有限公司")
        assert name_search.ENTERPRISES.find(connection, "海天货") == [samples.uscc()]
    assert name_search.cuts("宁波有限公司") == ["宁波有限公司".encode(), "波有限公司".encode()]
    plan = plan_of(any_database, name_search.ENTERPRISES.query("海天货"))
    assert "SCAN name_parts" not in plan
    assert "Sort" not in plan
