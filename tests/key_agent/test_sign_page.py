"""The portal's page that signs documents: many with one PIN, each of them told clearly.

The running service in Chromium, the real agent, a real token.
"""

import csv
import io
import json
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import FilePayload, Page, Route, expect

from signing_service.formats.recognition import read_signatures
from signing_service.waiting import MAX_PREPARED_PER_CARD
from tests.key_agent.holder import accepted, agrees, pins
from tests.key_agent.human import Window
from tests.key_agent.running import RunningAgent
from tests.portseal.service import RunningService
from tests.signing_service.formats.pades.pdf.samples import sample

pytestmark = pytest.mark.browser

SAMPLES = Path(__file__).parents[1] / "samples"
DECLARATION = (SAMPLES / "dec-import.xml").read_bytes()
FORBIDDEN = DECLARATION.replace(b"<IEFlag>I<", b"<IEFlag>E<")
PDF = sample()
PATIENCE_MILLISECONDS = 60_000


def declarations(count: int) -> list[FilePayload]:
    return [
        payload(f"declaration-{n}.xml", DECLARATION.replace(b"<GQty>40<", b"<GQty>%d<" % n))
        for n in range(1, count + 1)
    ]


def payload(name: str, content: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def states(page: Page) -> list[str]:
    return page.locator("#items [data-state]").all_inner_texts()


def waiting(service: RunningService) -> set[str]:
    """Prepared signatures that still wait at the service, of whatever card. Those of before may
    be given up or expire meanwhile."""
    with closing(sqlite3.connect(service.database_file, timeout=30)) as records:
        return {row[0] for row in records.execute("SELECT id FROM prepared_signatures")}


def saved(page: Page) -> zipfile.ZipFile:
    with page.expect_download() as download:
        page.click("#save-all")
    assert download.value.suggested_filename == "signed.zip"
    return zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes()))


def test_many_files_of_every_kind_are_signed_with_one_pin_and_saved_together(
    page: Page, operator: RunningAgent, service: RunningService
) -> None:
    others = [
        payload("合同.pdf", PDF),
        payload("data.json", json.dumps({"goods": "steel"}).encode()),
        payload("note.txt", b"a note"),
        payload("note.txt", b"another of the same name"),
    ]
    before = waiting(service)
    page.set_input_files("#documents", [*declarations(48), *others])
    expect(page.locator("#chosen-summary")).to_contain_text("Documents: 52")
    page.click("#agent-sign")
    says = page.locator("#sign-says")
    expect(says).to_have_text("All of them are signed: 52", timeout=PATIENCE_MILLISECONDS)
    assert pins(operator) == 1
    lines = [line for window in operator.human.windows for line in window.lines]
    assert "It asks you to sign 52 documents" in lines
    assert states(page) == ["Signed"] * 52
    assert page.locator("#items [data-indication]").all_inner_texts() == ["TOTAL-PASSED"] * 52
    expect(page.locator("#chosen-summary")).to_contain_text("Import declaration × 48")
    assert waiting(service) <= before
    with saved(page) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert len(names) == len(set(names)) == 53
        assert {"合同.pdf.signed.pdf", "data.json.jades.json"} <= set(names)
        assert {"note.txt.asics", "note (2).txt.asics"} <= set(names)
        listed = list(
            csv.DictReader(io.StringIO(archive.read("signatures.csv").decode("utf-8-sig")))
        )
        assert [row["Verdict"] for row in listed] == ["TOTAL-PASSED"] * 52
        inner = zipfile.ZipFile(io.BytesIO(archive.read("note.txt.asics")))
        assert inner.read("note.txt") == b"a note"
        for name in names[1:]:
            (evidence,) = read_signatures(archive.read(name), None)
            assert evidence.covers_document


def test_what_the_service_refuses_is_told_and_the_others_are_signed(
    page: Page, operator: RunningAgent
) -> None:
    files = [*declarations(2), payload("export.xml", FORBIDDEN)]
    page.set_input_files("#documents", files)
    page.click("#agent-sign")
    says = page.locator("#sign-says")
    expect(says).to_contain_text("refuses 1 of them")
    expect(says).to_be_focused()
    assert states(page) == ["Ready to be signed", "Ready to be signed", "Refused"]
    assert Axe().run(page).response["violations"] == []
    expect(page.locator("#items tbody tr").nth(2)).to_contain_text("right.missing")
    assert pins(operator) == 0
    expect(page.locator("#agent-sign")).to_have_text("Sign the others: 2")
    page.click("#agent-sign")
    expect(page.locator("#items [data-state]")).to_have_text(["Signed", "Signed", "Refused"])
    expect(says).to_have_text("Signed: 2. Refused: 1, as the list says.")
    expect(page.locator("portseal-progress")).to_have_attribute("data-outcome", "done")
    assert Axe().run(page).response["violations"] == []
    assert pins(operator) == 1


@pytest.mark.long
def test_what_is_too_large_for_the_service_or_the_agent_holds_up_no_other(
    page: Page, operator: RunningAgent, service: RunningService, tmp_path: Path
) -> None:
    before = waiting(service)
    contents = {
        "declaration.xml": DECLARATION,
        "for-the-agent.bin": bytes(24_000_000),
        "for-the-service.bin": bytes(34_000_000),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    page.set_input_files("#documents", [tmp_path / name for name in contents])
    page.click("#agent-sign")
    expect(page.locator("#sign-says")).to_contain_text("refuses 2 of them", timeout=60_000)
    for row in (1, 2):
        expect(page.locator("#items tbody tr").nth(row)).to_contain_text(
            "The document is too large."
        )
    page.click("#agent-sign")
    expect(page.locator("#items [data-state]")).to_have_text(["Signed", "Refused", "Refused"])
    assert pins(operator) == 1
    assert waiting(service) <= before


def test_a_file_that_does_not_fit_the_format_is_told_and_can_be_removed(
    page: Page, operator: RunningAgent
) -> None:
    page.goto("/sign?lang=zh")
    page.set_input_files("#documents", [payload("a.txt", b"no PDF"), payload("b.pdf", PDF)])
    page.select_option("#format", "PAdES")
    page.click("#agent-sign")
    expect(page.locator("#sign-says")).to_contain_text("服务拒绝了其中 1 份")
    row = page.locator("#items tbody tr").first
    expect(row).to_contain_text("此文件不能以所选格式签署。")
    row.get_by_role("button", name="移除").click()
    expect(page.locator("#items tbody tr")).to_have_count(1)
    page.click("#agent-sign")
    expect(page.locator("#items [data-state]")).to_have_text(["已签署"])
    assert pins(operator) == 1


def test_what_could_not_be_completed_is_tried_again_without_another_pin(
    page: Page, operator: RunningAgent
) -> None:
    calls = 0

    def fail_the_second(route: Route) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/v1/signatures/complete", fail_the_second)
    page.set_input_files("#documents", declarations(3))
    page.click("#agent-sign")
    says = page.locator("#sign-says")
    expect(says).to_contain_text("1 of them are signed already")
    assert sorted(states(page)) == ["Not completed", "Signed", "Signed"]
    expect(page.locator("#format")).to_be_disabled()
    expect(page.locator("#agent-sign")).to_have_text("Try again")
    page.click("#agent-sign")
    expect(says).to_have_text("All of them are signed: 3")
    assert states(page) == ["Signed"] * 3
    assert pins(operator) == 1


def test_an_answer_that_is_lost_on_its_way_signs_nothing_twice(
    page: Page, operator: RunningAgent, service: RunningService
) -> None:
    """The service completes it; the browser never hears so."""
    calls, lost = 0, []

    def lose_the_first(route: Route) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            route.continue_()
            return
        lost.append(route.fetch().json()["id"])
        route.abort("connectionreset")

    before = accepted(service)
    page.route("**/api/v1/signatures/complete", lose_the_first)
    page.set_input_files("#documents", declarations(2))
    page.click("#agent-sign")
    says = page.locator("#sign-says")
    expect(says).to_contain_text("1 of them are signed already")
    page.click("#agent-sign")
    expect(says).to_have_text("All of them are signed: 2")
    assert states(page) == ["Signed"] * 2
    assert pins(operator) == 1
    assert accepted(service) == before + 2
    reports = [each.get_attribute("href") or "" for each in page.locator("[data-report]").all()]
    assert any(each.endswith(lost[0]) for each in reports)


def test_while_the_archive_is_away_one_may_try_as_often_as_one_likes_or_start_anew(
    page: Page, operator: RunningAgent, service: RunningService
) -> None:
    archive = service.database_file.parent / "archive"
    aside = archive.with_name("archive-aside")
    archive.rename(aside)
    archive.write_bytes(b"no directory: nothing can be stored")
    says = page.locator("#sign-says")
    try:
        page.set_input_files("#documents", declarations(1))
        for _ in range(5):
            with page.expect_response("**/api/v1/signatures/complete") as answered:
                page.click("#agent-sign")
            assert answered.value.json()["code"] == "archive.unavailable"
            expect(says).to_contain_text("1 of them are signed already")
            expect(page.locator("#agent-sign")).to_be_enabled()
        expect(page.locator("#anew")).to_be_visible()
        expect(page.locator("#anew")).to_be_enabled()
    finally:
        archive.unlink()
        aside.rename(archive)
    page.click("#agent-sign")
    expect(says).to_have_text("All of them are signed: 1")
    assert pins(operator) == 1


def test_after_a_cancelled_window_it_goes_on_and_what_is_given_up_waits_no_longer(
    page: Page, operator: RunningAgent, service: RunningService
) -> None:
    def close_it(window: Window) -> dict[str, object]:
        return {"cancel": True}

    before = waiting(service)
    operator.human.answer = close_it
    page.set_input_files("#documents", declarations(3))
    page.click("#agent-sign")
    told = page.locator("portseal-progress .agent-line code")
    expect(told).to_have_text("agent.cancelled")
    assert states(page) == ["Ready to be signed"] * 3
    assert len(waiting(service) - before) == 3
    with page.expect_response("**/api/v1/signatures/abandon"):
        page.select_option("#level", "B-LT")
    assert waiting(service) <= before
    operator.human.answer = agrees
    page.click("#agent-sign")
    expect(page.locator("#sign-says")).to_have_text("All of them are signed: 3")


def test_what_the_service_has_no_room_for_is_signed_after_the_others(
    page: Page, operator: RunningAgent, service: RunningService
) -> None:
    """Others of the same card wait already: there is room for two more."""
    card = page.get_attribute("#sign-form", "data-card")
    waits = (
        "INSERT INTO prepared_signatures (id, card, kind, level, document, prepared, expires_at, "
        "attempts) VALUES (:id, :card, 'document', 'B-T', x'', x'', "
        "'2999-01-01 00:00:00.000000', 0)"
    )
    rows = [{"id": f"{n:032x}", "card": card} for n in range(MAX_PREPARED_PER_CARD - 2)]
    with closing(sqlite3.connect(service.database_file, timeout=30)) as records:
        records.executemany(waits, rows)
        records.commit()
    try:
        page.set_input_files("#documents", declarations(5))
        page.click("#agent-sign")
        says = page.locator("#sign-says")
        expect(says).to_have_text("All of them are signed: 5", timeout=PATIENCE_MILLISECONDS)
        assert pins(operator) == 3
    finally:
        with closing(sqlite3.connect(service.database_file, timeout=30)) as records:
            records.executemany("DELETE FROM prepared_signatures WHERE id = :id", rows)
            records.commit()


def test_what_was_prepared_for_another_certificate_is_prepared_anew(
    page: Page, operator: RunningAgent, service: RunningService
) -> None:
    """The agent's first word names another certificate, as before a renewal."""
    told = 0

    def another(route: Route) -> None:
        nonlocal told
        told += 1
        answer = route.fetch()
        text = answer.text()
        held = [each["certificates"] for each in answer.json()["tokens"]]
        for certificate in (each for some in held for each in some) if told == 1 else ():
            text = text.replace(certificate["id"], "0" * 64)
        route.fulfill(response=answer, body=text)

    before = waiting(service)
    page.route("**/v1/tokens", another)
    page.set_input_files("#documents", declarations(2))
    page.click("#agent-sign")
    expect(page.locator("portseal-progress")).to_have_attribute("data-outcome", "failed")
    assert states(page) == ["Ready to be signed"] * 2
    with page.expect_response("**/api/v1/signatures/prepare"):
        page.click("#agent-sign")
    expect(page.locator("#sign-says")).to_have_text("All of them are signed: 2")
    assert waiting(service) <= before


def test_an_agent_that_is_too_old_for_a_container_is_told_before_anything_is_prepared(
    page: Page, operator: RunningAgent, service: RunningService
) -> None:
    """What an older agent says of itself is put in the place of this one's word."""

    def older(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "version": "1.2.0"})

    before = waiting(service)
    page.route("**/v1/status", older)
    page.set_input_files("#documents", declarations(2))
    page.select_option("#format", "ASiC-E")
    page.click("#agent-sign")
    told = page.locator("portseal-progress .agent-line")
    expect(told.locator("code")).to_have_text("agent.too-old")
    expect(told).to_contain_text("Here: 1.2.0; needed: 1.3.0.")
    expect(told.locator("a")).to_have_attribute("href", "/agent")
    assert waiting(service) <= before
    page.select_option("#format", "")
    page.click("#agent-sign")
    expect(page.locator("#sign-says")).to_have_text("All of them are signed: 2")
    assert pins(operator) == 1


def test_all_in_one_container_are_signed_with_one_signature(
    page: Page, operator: RunningAgent
) -> None:
    page.set_input_files("#documents", [*declarations(1), payload("合同.pdf", PDF)])
    page.select_option("#format", "ASiC-E")
    expect(page.locator("#items tbody tr")).to_have_count(1)
    page.click("#agent-sign")
    expect(page.locator("#items [data-state]")).to_have_text(["Signed"])
    lines = [line for window in operator.human.windows for line in window.lines]
    assert "The same signature also signs: a PDF document" in lines
    with page.expect_download() as download:
        page.click("#items [data-file]")
    assert download.value.suggested_filename == "documents.asice"
    content = Path(download.value.path()).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as container:
        assert {"declaration-1.xml", "合同.pdf"} <= set(container.namelist())
    (evidence,) = read_signatures(content, None)
    assert evidence.covers_document
