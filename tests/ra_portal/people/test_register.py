"""The register of enterprises: filters, search, pages by key; on both databases."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, text

from kernel.refusals import Forbidden, NotFound, Unprocessable
from ra_portal.cards import card_rows, tables
from ra_portal.keyset import Place
from ra_portal.people import name_search, register_rows
from ra_portal.people.branches import Branch
from ra_portal.people.identity import Role
from ra_portal.people.register import OPERATORS_SHOWN, PAGE_LENGTH, Asked
from ra_portal.people.register_rows import EnterpriseState, Filter
from ra_portal.people.tables import enterprises, operators
from records.database import new_id
from tests.plans import plan_of
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, pkcs10

CLOSED, ACTIVE = (EnterpriseState.CLOSED,), (EnterpriseState.ACTIVE,)


def fill(connection: Connection, portal: PortalWorld, count: int, branch: Branch) -> None:
    """Enterprises by the thousand: every third is closed, every second is the branch's."""
    now = portal.authority.clock.now()
    rows: list[dict[str, object]] = [
        {
            "id": new_id(),
            "uscc": f"9133{number:014d}",
            "name": f"批量样本{number}有限公司",
            "customs_code": f"33{number % 1000:08d}",
            "legal_representative": "样本",
            "region": "浙江",
            "branch_id": branch.id if number % 2 else None,
            "created_at": now - timedelta(seconds=number // 3),
            "closed_at": None if number % 3 else now,
        }
        for number in range(count)
    ]
    connection.execute(insert(enterprises), rows)


def opened(portal: PortalWorld, count: int) -> Branch:
    branch = portal.services.branches.add(
        portal.officer(Role.ADMINISTRATOR), "2900", "宁波制卡点", "浙江 宁波"
    )
    with portal.authority.database.transaction() as connection:
        fill(connection, portal, count, branch)
    return branch


@pytest.mark.parametrize("states", [tuple(EnterpriseState), ACTIVE, CLOSED])
def test_pages_follow_each_other_newest_first_and_back(
    any_portal: PortalWorld, states: tuple[EnterpriseState, ...]
) -> None:
    branch = opened(any_portal, 150)
    register, officer = any_portal.services.register, any_portal.officer(Role.REGISTRAR)
    for branch_id in (None, branch.id):
        pages = [register.page(officer, Asked(states, branch_id))]
        while (later := pages[-1].later) is not None:
            pages.append(register.page(officer, Asked(states, branch_id, after=later)))
        seen = [each for page in pages for each in page.enterprises]
        wanted = [
            number
            for number in range(150)
            if (EnterpriseState.ACTIVE if number % 3 else EnterpriseState.CLOSED) in states
            if branch_id is None or number % 2
        ]
        assert len(seen) == len({each.id for each in seen}) == len(wanted)
        assert {each.uscc for each in seen} == {f"9133{number:014d}" for number in wanted}
        assert seen == sorted(seen, key=lambda each: (each.created_at, each.id), reverse=True)
        back = register.page(
            officer, Asked(states, branch_id, after=pages[1].earlier, backwards=True)
        )
        assert (back.enterprises, back.earlier) == (pages[0].enterprises, None)


def test_a_part_of_the_name_or_a_number_finds(any_portal: PortalWorld) -> None:
    owner = any_portal.legal_person(1)
    any_portal.legal_person(2)
    register, officer = any_portal.services.register, any_portal.officer(Role.REGISTRAR)
    added = any_portal.operator(owner)
    assert added.view.card is not None

    def found(sought: str) -> list[str]:
        return [each.id for each in register.page(officer, Asked(text=sought)).enterprises]

    assert len(found("东海样本")) == 2
    own = register.show(officer, owner.subject)
    assert own.card is not None
    for sought in (
        samples.uscc(1).lower(),
        str(samples.details(1)["customs_code"]),
        own.card.number,
        added.view.card.number.lower(),
        str(samples.details(1)["name"]),
    ):
        assert found(sought) == [owner.subject], sought
    assert found("LP-2026-NONE") == found("100%_") == found("' OR 1=1 --") == []
    assert [page.id for page in register.page(officer, Asked(ACTIVE, text="东海")).enterprises]
    assert register.page(officer, Asked(CLOSED, text="东海")).enterprises == []
    with pytest.raises(Unprocessable, match=r"search\.identity-number"):
        found(samples.identity_number())


def test_a_long_answer_of_a_search_is_turned_over(any_portal: PortalWorld) -> None:
    opened(any_portal, 3000)  # three of each customs code
    with any_portal.authority.database.transaction() as connection:
        for number in range(50):
            name_search.ENTERPRISES.remember(connection, f"9133{number:014d}", "千里马有限公司")
    register, officer = any_portal.services.register, any_portal.officer(Role.REGISTRAR)
    first = register.page(officer, Asked(text="千里马"))
    second = register.page(officer, Asked(text="千里马", after=first.later))
    third = register.page(officer, Asked(text="千里马", after=second.later))
    assert [len(page.enterprises) for page in (first, second, third)] == [20, 20, 10]
    back = register.page(officer, Asked(text="千里马", after=third.earlier, backwards=True))
    assert back.enterprises == second.enterprises
    assert len(register.page(officer, Asked(text="3300000007")).enterprises) == 3


def test_an_enterprise_is_shown_with_its_people(any_portal: PortalWorld) -> None:
    owner, officer = any_portal.legal_person(), any_portal.officer(Role.APPROVER)
    code = any_portal.operator(owner, employee_number="E-002", name="乙").activation_code
    any_portal.operator(owner, employee_number="E-001", name="甲")
    any_portal.services.enrolment.enrol(code, pkcs10())
    shown = any_portal.services.register.show(officer, owner.subject)
    assert [operator.name for operator, _ in shown.operators] == ["甲", "乙"]
    assert [str(card and card.state) for _, card in shown.operators] == ["requested", "active"]
    assert shown.application is not None
    assert shown.application[1].startswith("AP-")
    assert (shown.branch, shown.more_after) == (None, None)
    with pytest.raises(NotFound, match=r"enterprise\.unknown"):
        any_portal.services.register.show(officer, "none")
    with pytest.raises(Forbidden, match=r"role\.missing"):
        any_portal.services.register.show(owner, owner.subject)


def test_many_operators_come_in_pages(any_portal: PortalWorld) -> None:
    owner, officer = any_portal.legal_person(), any_portal.officer(Role.APPROVER)
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "enterprise_id": owner.subject,
            "name": "某",
            "employee_number": f"E-{number:04d}",
            "created_at": any_portal.authority.clock.now(),
        }
        for number in range(OPERATORS_SHOWN + 3)
    ]
    with any_portal.authority.database.transaction() as connection:
        connection.execute(insert(operators), rows)
    first = any_portal.services.register.show(officer, owner.subject)
    assert first.more_after == "E-0049"
    assert len(first.operators) == OPERATORS_SHOWN
    second = any_portal.services.register.show(officer, owner.subject, first.more_after)
    assert [operator.employee_number for operator, _ in second.operators] == [
        "E-0050", "E-0051", "E-0052",
    ]  # fmt: skip
    assert second.more_after is None


@pytest.mark.parametrize("state", EnterpriseState)
def test_each_walk_follows_an_index_and_sorts_nothing(
    any_portal: PortalWorld, state: EnterpriseState
) -> None:
    database = any_portal.authority.database
    branch = opened(any_portal, 20_000)
    if not database.is_sqlite:
        with database.transaction() as connection:
            connection.execute(text("ANALYZE enterprises"))
    some = Place(any_portal.authority.clock.now() - timedelta(seconds=3000), "0" * 32)
    walks = [
        (register_rows.of_state(wanted, state, PAGE_LENGTH + 1, some, backwards), index)
        for wanted, index in (
            (Filter(), f"ix_enterprises_{state}"),
            (Filter(branch_id=branch.id), f"ix_enterprises_branch_{state}"),
        )
        for backwards in (False, True)
    ]
    walks.append((register_rows.operators_walk(new_id(), "E-1", 51), "employee_number"))
    for query, index in walks:
        plan = plan_of(database, query)
        assert index in plan, plan
        for slow in ("SCAN enterprises", "SCAN operators", "Seq Scan", "Sort", "TEMP B-TREE"):
            assert slow not in plan, plan


def test_a_persons_name_is_found_by_an_index(any_portal: PortalWorld) -> None:
    owner, officer = any_portal.legal_person(), any_portal.officer(Role.REGISTRAR, name="欧阳审")
    made = any_portal.operator(owner, name="欧阳操作")
    assert made.view.card is not None
    cards = any_portal.services.cards

    def found(sought: str) -> set[str]:
        return {holder for _, holder in cards.search(officer, text=sought).cards}

    assert found("欧阳") == {"欧阳审", "欧阳操作"}
    assert found("阳操") == {"欧阳操作"}
    proposed = any_portal.services.data_changes.propose(
        owner, made.view.operator.holder, {"name": "司马操作"}, "更名"
    )
    any_portal.services.data_changes.approve(any_portal.officer(Role.APPROVER), proposed.id)
    assert found("欧阳") == {"欧阳审"}
    assert found("司马") == {"司马操作"}
    database = any_portal.authority.database
    plan = plan_of(database, name_search.PEOPLE.query("欧阳"))
    assert "SCAN person_name_parts" not in plan, plan
    assert "Sort" not in plan, plan
    if database.is_sqlite:  # PostgreSQL reads a short table as a whole
        with database.reading() as connection:
            matching = card_rows.matching(connection, "欧阳")
        plan = plan_of(database, select(tables.cards).where(matching))
        assert "ix_cards_holder" in plan, plan
        assert "SCAN cards" not in plan, plan
