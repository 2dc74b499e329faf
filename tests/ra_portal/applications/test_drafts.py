"""Drafts: what is kept of them, and two who change one at the same time."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from kernel.refusals import Conflict
from ra_portal.applications import application_rows, draft_rows
from ra_portal.papers.documents import DocumentKind, Upload
from ra_portal.papers.tables import document_pages, documents
from ra_portal.people.identity import Role
from tests.ra_portal import samples
from tests.ra_portal.token_calls import outside_transactions
from tests.ra_portal.world import PortalWorld

LICENCE, ATTORNEY = DocumentKind.LICENCE, DocumentKind.ATTORNEY
OTHER = Upload(samples.pdf(), "other.pdf")


def wait_until_blocked(portal: PortalWorld) -> None:
    """Until another connection waits for a lock of ours."""
    waits = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with portal.authority.database.reading() as connection:
            if connection.execute(waits).scalar_one():
                return
    raise AssertionError("nobody waits")


def the_second_waits(
    portal: PortalWorld,
    first: Callable[[], object],
    at: tuple[object, str],
    second: Callable[[], object],
) -> BaseException | None:
    """The first is held where it stores, until the second waits for it; the first succeeds.
    What the second raised."""
    module, name = at
    reached, goes_on = threading.Event(), threading.Event()
    stores = getattr(module, name)

    def held(*arguments: object) -> object:
        reached.set()
        assert goes_on.wait(10)
        return stores(*arguments)

    with ThreadPoolExecutor(2) as pool, pytest.MonkeyPatch.context() as patch:
        try:
            patch.setattr(module, name, held)
            earlier = pool.submit(first)
            assert reached.wait(10)
            patch.undo()
            later = pool.submit(second)
            wait_until_blocked(portal)
        finally:
            goes_on.set()
        earlier.result(10)
        return later.exception(10)


def test_a_newer_scan_takes_the_place_of_the_one_before(any_portal: PortalWorld) -> None:
    drafts = any_portal.services.drafts
    draft = drafts.save(None, {}, {LICENCE: samples.scan(), ATTORNEY: OTHER})
    for _ in range(3):
        draft = drafts.save(draft.id, {}, {LICENCE: OTHER})
    kept = drafts.papers(draft)
    assert {kind: paper.file_name for kind, paper in kept.items()} == {
        LICENCE: "other.pdf", ATTORNEY: "other.pdf",
    }  # fmt: skip
    ids = {paper.id for paper in kept.values()}
    assert set(any_portal.column("documents", "id")) == ids
    assert set(any_portal.column("document_pages", "document_id")) == ids


def test_of_two_who_save_into_one_version_one_is_told(postgresql_portal: PortalWorld) -> None:
    """In the same moment."""
    portal, drafts = postgresql_portal, postgresql_portal.services.drafts
    draft = drafts.save(None, {"name": "旧"}, {}, 0)
    with ThreadPoolExecutor(2) as pool:
        with portal.authority.database.transaction() as connection:
            draft_rows.lock(connection, draft.id)
            saving = [
                pool.submit(drafts.save, draft.id, {"name": name}, {}, draft.version)
                for name in ("一", "二")
            ]
            wait_until_blocked(portal)
        errors = [each.exception(10) for each in saving]
    assert sorted(type(each).__name__ for each in errors) == ["Conflict", "NoneType"]


def test_what_an_application_was_handed_in_with_stays_as_evidence(portal: PortalWorld) -> None:
    draft = portal.services.drafts.save(None, {}, {LICENCE: samples.scan()})
    portal.services.registration.apply(samples.details(), OTHER, None, draft)
    assert len(portal.column("documents", "id")) == 2


def test_a_draft_that_was_handed_in_is_not_handed_in_again(portal: PortalWorld) -> None:
    draft = portal.services.drafts.save(None, {}, {LICENCE: samples.scan()})
    portal.services.registration.apply(samples.details(1), None, None, draft)
    with pytest.raises(Conflict, match=r"draft\.gone"):
        portal.services.registration.apply(samples.details(2), None, None, draft)


def test_a_save_keeps_what_was_written_beside_it(postgresql_portal: PortalWorld) -> None:
    """A code that was offered and a scan that came while another save was under way."""
    portal, drafts = postgresql_portal, postgresql_portal.services.drafts
    draft = drafts.save(None, {"name": "旧"}, {LICENCE: samples.scan()})
    with ThreadPoolExecutor(1) as pool:
        with portal.authority.database.transaction() as connection:
            found = draft_rows.find(connection, draft.id)
            assert found is not None
            draft_rows.save(connection, draft_rows.with_paper(found, "attorney", "0" * 32))
            connection.execute(
                text("UPDATE drafts SET code_hash = 'offered' WHERE id = :id"), {"id": draft.id}
            )
            saving = pool.submit(drafts.save, draft.id, {"name": "新"}, {LICENCE: OTHER})
            wait_until_blocked(portal)
        saving.result(10)
    now = drafts.find(draft.id)
    assert now is not None
    assert (now.code_hash, now.papers.attorney_id) == ("offered", "0" * 32)
    assert drafts.values(now)["name"] == "新"
    assert [paper.file_name for paper in drafts.papers(now).values()] == ["other.pdf"]


def test_what_is_handed_in_has_the_scan_that_was_saved_meanwhile(
    postgresql_portal: PortalWorld,
) -> None:
    portal, drafts = postgresql_portal, postgresql_portal.services.drafts
    draft = drafts.save(None, {}, {LICENCE: samples.scan()})
    looked, goes_on = threading.Event(), threading.Event()
    apply = portal.services.registration.apply
    lock = draft_rows.lock

    with ThreadPoolExecutor(1) as pool, pytest.MonkeyPatch.context() as patch:

        def held(*arguments):  # type: ignore[no-untyped-def]
            looked.set()
            assert goes_on.wait(10)
            return lock(*arguments)

        patch.setattr(draft_rows, "lock", held)
        applying = pool.submit(apply, samples.details(), None, None, draft)
        assert looked.wait(10)
        patch.undo()
        drafts.save(draft.id, {}, {LICENCE: OTHER})
        goes_on.set()
        submitted = applying.result(10)
    papers = portal.services.registration.papers_of(submitted.application)
    assert papers[LICENCE].file_name == "other.pdf"


def test_who_hands_in_while_a_save_is_under_way_is_told_and_nothing_is_handed_in(
    postgresql_portal: PortalWorld,
) -> None:
    portal, drafts = postgresql_portal, postgresql_portal.services.drafts
    draft = drafts.save(None, {"name": "旧"}, {LICENCE: samples.scan()}, 0)
    apply = portal.services.registration.apply
    refused = the_second_waits(
        portal,
        lambda: drafts.save(draft.id, {"name": "新"}, {LICENCE: OTHER}, draft.version),
        (draft_rows, "save"),
        lambda: apply(samples.details(), None, None, draft, draft.version),
    )
    assert isinstance(refused, Conflict)
    assert refused.code == "draft.changed"
    assert portal.column("applications", "id") == []
    now = drafts.find(draft.id)
    assert now is not None
    assert drafts.values(now)["name"] == "新"
    apply(samples.details(), None, None, now, now.version)


def test_what_is_saved_while_the_draft_is_handed_in_begins_another(
    postgresql_portal: PortalWorld,
) -> None:
    portal, drafts = postgresql_portal, postgresql_portal.services.drafts
    draft = drafts.save(None, {}, {LICENCE: samples.scan()}, 0)
    refused = the_second_waits(
        portal,
        lambda: portal.services.registration.apply(
            samples.details(), None, None, draft, draft.version
        ),
        (draft_rows, "remove"),
        lambda: drafts.save(draft.id, {"name": "新"}, {}, draft.version),
    )
    assert refused is None
    assert portal.column("applications", "id") == [draft.id]
    (other,) = portal.column("drafts", "id")
    begun = drafts.find(other)
    assert begun is not None
    assert (other != draft.id, drafts.values(begun)["name"]) == (True, "新")


def returned(portal: PortalWorld) -> str:
    registration = portal.services.registration
    made = registration.apply(samples.details(), samples.scan()).application
    return registration.send_back(portal.officer(Role.REGISTRAR), made.id, "请更正").id


def test_who_hands_a_correction_in_while_it_is_saved_is_told(
    postgresql_portal: PortalWorld,
) -> None:
    portal, drafts = postgresql_portal, postgresql_portal.services.drafts
    identifier, correct = returned(portal), postgresql_portal.services.registration.resubmit
    refused = the_second_waits(
        portal,
        lambda: drafts.save_correction(identifier, {"region": "浙江 舟山"}, 0),
        (draft_rows, "add"),
        lambda: correct(identifier, samples.details(), None, None, 0),
    )
    assert isinstance(refused, Conflict)
    assert refused.code == "draft.changed"
    now = drafts.correction(identifier)
    assert now is not None
    assert drafts.values(now)["region"] == "浙江 舟山"
    correct(identifier, samples.details(), None, None, now.version)


def test_a_correction_that_is_saved_while_it_is_handed_in_leaves_nothing_behind(
    postgresql_portal: PortalWorld,
) -> None:
    portal, drafts = postgresql_portal, postgresql_portal.services.drafts
    identifier = returned(portal)
    kept = drafts.save_correction(identifier, {"region": "浙江 舟山"}, 0)
    refused = the_second_waits(
        portal,
        lambda: portal.services.registration.resubmit(
            identifier, samples.details(), None, None, kept.version
        ),
        (application_rows, "save"),
        lambda: drafts.save_correction(identifier, {"region": "晚到"}, kept.version),
    )
    assert isinstance(refused, Conflict)
    assert refused.code == "application.state"
    assert drafts.correction(identifier) is None, "else a later return would show it"


def test_the_token_is_asked_before_the_draft_is_locked(
    portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts = portal.services.drafts
    with outside_transactions(portal.authority.database, monkeypatch):
        draft = drafts.save(None, {"name": "x"}, {})
        drafts.save(draft.id, {"name": "y"}, {})


def test_a_draft_that_the_worker_erased_begins_anew(portal: PortalWorld) -> None:
    drafts = portal.services.drafts
    draft = drafts.save(None, {"name": "x"}, {LICENCE: samples.scan()})
    portal.authority.clock.advance(timedelta(days=400))
    assert drafts.erase_untouched() == 1
    assert drafts.save(draft.id, {"name": "y"}, {}).id != draft.id
    with portal.authority.database.reading() as connection:
        assert connection.execute(documents.select()).all() == []
        assert connection.execute(document_pages.select()).all() == []
