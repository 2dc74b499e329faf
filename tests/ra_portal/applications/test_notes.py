"""Notes between officers: read by the next one, by no applicant, and never in clear."""

import pytest

from kernel.refusals import Conflict, Forbidden, Malformed
from ra_portal.applications import notes
from ra_portal.people.identity import Role
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld

TEXT = "已致电 139 0000 0000\n法人在外地，周五前补扫描件"


def test_a_note_is_read_by_the_next_officer_and_stands_sealed(any_portal: PortalWorld) -> None:
    portal = any_portal
    made = portal.services.registration.apply(samples.details(1), samples.scan()).application
    one, other = portal.officer(Role.REGISTRAR, name="周登记"), portal.officer(Role.APPROVER)
    portal.services.notes.add(one, made.id, f"  {TEXT}  ")
    portal.authority.clock.advance(portal.services.policy.remind_after)
    portal.services.registration.refuse(one, made.id, "停业")
    portal.services.notes.add(other, made.id, "归档")
    review = portal.services.queue.review(other, made.id)
    assert [(each.officer, each.text) for each in review.notes] == [
        (one.subject, TEXT), (other.subject, "归档"),
    ]  # fmt: skip
    assert review.names[one.subject] == "周登记"
    assert "139 0000" not in portal.everything_written()
    assert portal.events(made.reference).count("application.noted") == 2


def test_nobody_else_writes_and_nothing_without_end(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = portal.services.registration.apply(samples.details(1), samples.scan()).application
    officer, add = portal.officer(Role.REGISTRAR), portal.services.notes.add
    for by in (portal.legal_person(2), portal.officer(Role.AUDITOR)):
        with pytest.raises(Forbidden, match=r"role\.missing"):
            add(by, made.id, "x")
    for text in ("", " \n ", "x" * (notes.LONGEST + 1), "\x00"):
        with pytest.raises(Malformed, match=r"field\."):
            add(officer, made.id, text)
    monkeypatch.setattr(notes, "MOST", 2)
    add(officer, made.id, "1")
    add(officer, made.id, "2")
    with pytest.raises(Conflict, match=r"note\.too-many"):
        add(officer, made.id, "3")
