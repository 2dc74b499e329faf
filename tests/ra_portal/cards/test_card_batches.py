"""Officers hand out many codes at once: one proposes, another fetches; all or none."""

import pytest
from sqlalchemy import select

from kernel.refusals import Conflict, Forbidden, NotFound, TooLarge, Unprocessable
from ra_portal.applications.tables import applications
from ra_portal.cards.card import CardState
from ra_portal.cards.card_batches import MOST_CODES, Origin
from ra_portal.imports.columns import ImportKind
from ra_portal.people.identity import Identity, Role
from tests.ra_portal.imports.test_imports import ENTERPRISES, enterprise, sheet
from tests.ra_portal.world import PortalWorld, pkcs10


def imported(portal: PortalWorld, by: Identity, first: int, count: int) -> str:
    """Enterprises of one import, approved by another officer; the import's id."""
    rows = [enterprise(number) for number in range(first, first + count)]
    preview = portal.services.imports.preview(by, ImportKind.ENTERPRISES, sheet(ENTERPRISES, *rows))
    portal.services.imports.confirm(by, preview.id)
    approver = portal.officer(Role.APPROVER)
    query = select(applications.c.id).where(applications.c.import_id == preview.id)
    with portal.authority.database.reading() as connection:
        brought = list(connection.execute(query).scalars())
    for identifier in brought:
        portal.services.registration.approve(approver, identifier)
    return preview.id


def numbers(portal: PortalWorld, by: Identity, origin: Origin, identifier: str) -> list[str]:
    return [each.card.number for each in portal.services.card_batches.show(by, origin, identifier)]


def test_codes_of_one_import_are_proposed_by_one_and_fetched_by_another(
    any_portal: PortalWorld,
) -> None:
    portal, batches = any_portal, any_portal.services.card_batches
    mine = imported(portal, portal.officer(Role.REGISTRAR), 1, 3)
    imported(portal, portal.officer(Role.REGISTRAR), 11, 1)
    first, second = portal.officer(Role.ADMINISTRATOR), portal.officer(Role.APPROVER)
    assert sorted(each.waiting for each in batches.sources(first)) == [1, 3]
    chosen = numbers(portal, first, Origin.IMPORT, mine)
    assert batches.propose(first, chosen) == 3
    (source,) = [each for each in batches.sources(second) if each.id == mine]
    assert (source.waiting, source.proposed) == (0, 3)
    slips = batches.confirm(second, chosen[:2])
    assert [slip.made.card.number for slip in slips] == chosen[:2]
    assert {slip.made.note for slip in slips} <= set(portal.column("enterprises", "uscc"))
    for slip in slips:
        made = portal.services.enrolment.enrol(slip.activation_code, pkcs10()).card
        assert made.state is CardState.ACTIVE
        assert portal.events(made.number)[1:3] == ["card.code-proposed", "card.code-offered"]
    assert numbers(portal, first, Origin.IMPORT, mine) == chosen[2:]
    written = portal.everything_written()
    assert all(slip.activation_code not in written for slip in slips)


def test_operators_of_one_enterprise_are_made_together(any_portal: PortalWorld) -> None:
    portal, batches = any_portal, any_portal.services.card_batches
    owner = portal.legal_person()
    for number in range(3):
        portal.operator(owner, employee_number=f"E-{number}")
    first, second = portal.officer(Role.ADMINISTRATOR), portal.officer(Role.APPROVER)
    assert batches.sources(first) == []  # nothing was imported, and nothing is proposed yet
    chosen = numbers(portal, first, Origin.ENTERPRISE, owner.subject)
    batches.propose(first, chosen[1:])
    (source,) = batches.sources(second)
    assert (source.origin, source.id, source.proposed) == (Origin.ENTERPRISE, owner.subject, 2)
    slips = batches.confirm(second, chosen[1:])
    assert [slip.made.note for slip in slips] == ["E-1", "E-2"]


def test_one_refusal_and_nothing_is_handed_out(portal: PortalWorld) -> None:
    batches, owner = portal.services.card_batches, portal.legal_person()
    for number in range(3):
        portal.operator(owner, employee_number=f"E-{number}")
    both = portal.officer(Role.ADMINISTRATOR, Role.APPROVER)
    other = portal.officer(Role.ADMINISTRATOR)
    one, two, three = numbers(portal, both, Origin.ENTERPRISE, owner.subject)
    batches.propose(both, [one])
    batches.propose(other, [two])
    with pytest.raises(Forbidden, match=r"approval\.same-officer"):
        batches.confirm(both, [two, one])
    with pytest.raises(Conflict, match=r"card\.no-proposal"):
        batches.confirm(both, [two, three])
    with pytest.raises(NotFound, match=r"card\.unknown"):
        batches.confirm(both, [two, "OP-2026-NONE"])
    with pytest.raises(Unprocessable, match=r"card\.none-chosen"):
        batches.propose(both, [])
    with pytest.raises(TooLarge, match=r"card\.too-many-codes"):
        batches.propose(both, [f"OP-{number}" for number in range(MOST_CODES + 1)])
    with pytest.raises(Forbidden, match=r"role\.missing"):
        batches.propose(portal.officer(Role.APPROVER), [three])
    with pytest.raises(Forbidden, match=r"role\.missing"):
        batches.confirm(portal.officer(Role.REGISTRAR), [two])
    assert portal.events(two)[-1] == "card.code-proposed"  # still to be fetched
    assert len(batches.confirm(both, [two])) == 1


def test_a_branch_fetches_codes_of_its_own_enterprises_only(portal: PortalWorld) -> None:
    batches, head = portal.services.card_batches, portal.officer(Role.ADMINISTRATOR)
    here = portal.services.branches.add(head, "2900", "宁波制卡点", "浙江 宁波")
    there = portal.services.branches.add(head, "2200", "上海制卡点", "上海")
    mine = imported(portal, portal.officer_at(here, Role.REGISTRAR), 1, 2)
    chosen = numbers(portal, head, Origin.IMPORT, mine)
    batches.propose(head, chosen)
    stranger = portal.officer_at(there, Role.APPROVER)
    assert batches.sources(stranger) == []
    assert numbers(portal, stranger, Origin.IMPORT, mine) == []
    with pytest.raises(Forbidden, match=r"branch\.foreign"):
        batches.confirm(stranger, chosen)
    assert len(batches.confirm(portal.officer_at(here, Role.APPROVER), chosen)) == 2
