"""The same code, person or customs code elsewhere is told beside the fields, by an index."""

from sqlalchemy import text

from ra_portal.applications.alike import MOST, Same, queries
from ra_portal.applications.application import Application
from ra_portal.people.identity import Role
from tests.plans import plan_of
from tests.ra_portal import samples
from tests.ra_portal.applications.test_queue import fill
from tests.ra_portal.world import PortalWorld


def applied(portal: PortalWorld, number: int, **changes: str) -> Application:
    details = samples.details(number, **changes)
    return portal.services.registration.apply(details, samples.scan()).application


def seen(portal: PortalWorld, application: Application) -> set[tuple[str, str, str]]:
    review = portal.services.queue.review(portal.officer(Role.REGISTRAR), application.id)
    return {(each.same, each.reference, each.state) for each in review.alike}


def test_the_same_enterprise_and_the_same_person_are_told(any_portal: PortalWorld) -> None:
    portal = any_portal
    person = samples.identity_number()
    before = applied(portal, 1)
    assert seen(portal, before) == set()
    portal.services.registration.refuse(portal.officer(Role.REGISTRAR), before.id, "forged-papers")
    again = applied(portal, 1, identity_number=person)
    assert seen(portal, again) == {(Same.USCC, before.reference, "refused")}
    other = applied(portal, 2, identity_number=person)
    assert seen(portal, other) == {(Same.IDENTITY, again.reference, "applied")}
    applied(portal, 3, identity_number=samples.identity_number(2))
    assert seen(portal, other) == {(Same.IDENTITY, again.reference, "applied")}


def test_an_enterprise_of_the_register_with_the_same_customs_code_or_person_is_told(
    any_portal: PortalWorld,
) -> None:
    portal = any_portal
    person, code = samples.identity_number(), str(samples.details(1)["customs_code"])
    registration = portal.services.registration
    first = applied(portal, 1, identity_number=person)
    registration.register(portal.officer(Role.REGISTRAR), first.id)
    registration.approve(portal.officer(Role.APPROVER), first.id)
    approved = registration.standing(first.id)
    assert seen(portal, approved) == set()  # the enterprise that it became is no other
    second = applied(portal, 2, customs_code=code, identity_number=person)
    assert seen(portal, second) == {
        (Same.IDENTITY, first.reference, "approved"),
        (Same.IDENTITY, "", "active"),
        (Same.CUSTOMS_CODE, "", "active"),
    }


def test_a_person_behind_many_is_told_shortly(portal: PortalWorld) -> None:
    person = samples.identity_number()
    for number in range(1, MOST + 3):
        last = applied(portal, number, identity_number=person)
    assert len(seen(portal, last)) == MOST


def test_each_question_follows_an_index(any_portal: PortalWorld) -> None:
    made = applied(any_portal, 1, identity_number=samples.identity_number())
    database = any_portal.authority.database
    with database.transaction() as connection:
        fill(connection, any_portal, 20_000)
        if not database.is_sqlite:
            connection.execute(text("ANALYZE applications"))
    asked = queries(made)
    assert len(asked) == 4
    for same, query in asked:
        plan = plan_of(database, query.limit(MOST))
        if "enterprises" in str(query) and not database.is_sqlite:
            continue  # too small for PostgreSQL to use an index; SQLite shows that there is one
        assert "Index" in plan or "USING INDEX" in plan, (same, plan)
        assert "Seq Scan" not in plan, (same, plan)
        assert "SCAN " not in plan, (same, plan)
