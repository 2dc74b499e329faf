"""A directory signed with one PIN: killed in between, started again, nothing twice, none left."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from portseal.demo.signing_steps import export_declaration, import_declaration
from portseal.holder.batch import BatchSigning
from portseal.holder.service import Service, ServiceRefusal
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import SignatureFormat, SignatureLevel
from tests.portseal.service import RunningService, Twin

COUNT = 60


def fill(directory: Path, count: int, *, distinct: int = 0) -> Path:
    """Declarations that differ in the white space behind them."""
    directory.mkdir()
    for number in range(count):
        content = import_declaration() + b"\n" * (1 + number) + b" " * distinct
        (directory / f"报关单-{number:03}.xml").write_bytes(content)
    return directory


def start(
    service: RunningService, directory: Path, output: Path, origin: str | None = None
) -> subprocess.Popen[str]:
    pin = service.stage.usb_keys.keys["operator"].pin
    command = [sys.executable, "-m", "portseal.cli", "card", "sign-batch", str(directory)]
    command += ["--token", "operator", "--url", origin or service.origin, "--pin-env", "TEST_PIN"]
    command += ["--output", str(output), "--json"]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TEST_PIN": pin},
    )


def signatures(output: Path) -> list[Path]:
    return sorted(output.glob("*.p7s"))


@pytest.mark.long
def test_a_killed_run_goes_on_where_it_was(
    service: RunningService, tmp_path: Path, record_property: Any
) -> None:
    directory, output = fill(tmp_path / "in", COUNT), tmp_path / "out"
    (directory / "export.xml").write_bytes(export_declaration())
    killed = start(service, directory, output)
    while killed.poll() is None and len(signatures(output)) < COUNT // 4:
        os.sched_yield()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    before = {each.name: each.read_bytes() for each in signatures(output)}
    assert 0 < len(before) < COUNT, "killed in between"
    lost = output / next(iter(before))
    lost.unlink()  # accepted, but not written any more

    again = start(service, directory, output)
    told, _ = again.communicate(timeout=120)
    assert again.returncode == 1, "one document was refused"
    summary = json.loads(told)
    record_property("batch_seconds", summary["seconds"])
    assert (summary["total"], summary["signed"]) == (COUNT + 1, COUNT)
    assert summary["refused"] == ["export.xml: right.missing"]
    after = {each.name: each.read_bytes() for each in signatures(output)}
    assert len(after) == COUNT
    assert {name: after[name] for name in before} == before, "nothing was signed twice"

    operator = service.signed_in("operator")
    outcomes = operator.call("GET", f"/api/v1/batches/{summary['id']}/signed")["items"]
    assert len({item["outcome"] for item in outcomes}) == COUNT
    for item in outcomes[:: COUNT // 5]:
        document, signed = (directory / item["name"]), output / (item["name"] + ".p7s")
        report = operator.verify(document.read_bytes(), signed.read_bytes())
        assert report["finding"]["indication"] == "TOTAL-PASSED"

    finished = start(service, directory, output)
    told, _ = finished.communicate(timeout=60)
    assert json.loads(told)["id"] == summary["id"], "the same list is the same job"


def wait_until_signed(process: subprocess.Popen[str], output: Path, count: int) -> None:
    while process.poll() is None and len(signatures(output)) < count:
        os.sched_yield()


def run_through_a_killed_service(
    service: RunningService, twin: Twin, directory: Path, output: Path, kill_at: int, total: int
) -> dict[str, Any]:
    """SIGKILL the web server and its workers when `kill_at` are signed, start it and the run
    again; the summary of the last run. Every document has one signature that was accepted once."""
    cut_off = start(service, directory, output, twin.origin)
    wait_until_signed(cut_off, output, kill_at)
    twin.kill()
    cut_off.communicate(timeout=600)
    assert cut_off.returncode != 0, "it told that the service is gone"
    before = {each.name: each.read_bytes() for each in signatures(output)}
    assert kill_at <= len(before) < total, "killed in between"

    twin.serve()
    again = start(service, directory, output, twin.origin)
    told, said = again.communicate(timeout=600)
    assert again.returncode == 0, said
    summary: dict[str, Any] = json.loads(told)
    assert (summary["total"], summary["signed"], summary["refused"]) == (total, total, [])
    after = {each.name: each.read_bytes() for each in signatures(output)}
    assert len(after) == total
    assert {name: after[name] for name in before} == before, "nothing was signed twice"
    with sqlite3.connect(twin.database_file) as database:
        query = "SELECT count(*), count(DISTINCT outcome) FROM batch_items WHERE batch = ?"
        assert database.execute(query, (summary["id"],)).fetchone() == (total, total)
        query = (
            "SELECT count(*) FROM accepted_signatures WHERE document_sha256 IN"
            " (SELECT document_sha256 FROM batch_items WHERE batch = ?)"
        )
        assert database.execute(query, (summary["id"],)).fetchone() == (total,), "none twice"
    return summary


@pytest.mark.long
def test_a_killed_service_loses_and_doubles_nothing(
    service: RunningService, twin: Twin, tmp_path: Path
) -> None:
    total = 300
    directory, output = fill(tmp_path / "in", total, distinct=2), tmp_path / "out"
    twin.serve()
    run_through_a_killed_service(service, twin, directory, output, total // 3, total)
    assert twin.site.run_json("journal", "verify")["journal"] == "intact"


def test_a_job_may_have_any_format_and_level(service: RunningService, tmp_path: Path) -> None:
    directory = fill(tmp_path / "in", 3, distinct=1)
    reported: list[tuple[int, int]] = []
    run = BatchSigning(
        service.signed_in("operator"), service.stage.cards["operator"], directory,
        tmp_path / "out", SignatureFormat.JADES, SignatureLevel.B_LT,
    )  # fmt: skip
    result = run.run(lambda done, total: reported.append((done, total)))
    assert (result.signed, result.refused) == (3, ())
    assert reported[-1] == (3, 3)
    for path in (tmp_path / "out").iterdir():
        (evidence,) = read_signatures(path.read_bytes(), None)
        assert evidence.level is SignatureLevel.B_LT


@pytest.fixture
def opened(service: RunningService) -> tuple[Service, str]:
    operator = service.signed_in("operator")
    items = [{"name": "a.xml", "sha256": "0" * 64}, {"name": "b.xml", "sha256": "1" * 64}]
    body = {"format": "CAdES", "level": "B-T", "items": items}
    return operator, operator.call("POST", "/api/v1/batches", body)["id"]


def test_an_item_takes_only_the_document_that_it_names(
    service: RunningService, opened: tuple[Service, str]
) -> None:
    operator, identifier = opened
    operator.call("POST", f"/api/v1/batches/{identifier}/claims", {"limit": 1, "release": True})
    card, document = service.stage.cards["operator"], import_declaration()
    with pytest.raises(ServiceRefusal) as refusal:
        operator.sign(card, document, SignatureFormat.CADES, item=(identifier, 0))
    assert refusal.value.code == "batch.other-document"


@pytest.mark.parametrize(("after", "seen"), [("1" + "0" * 30, 0), ("-1" + "0" * 30, 1)])
def test_a_position_past_every_integer_of_a_database_is_one_all_the_same(
    opened: tuple[Service, str], after: str, seen: int
) -> None:
    operator, identifier = opened
    path = f"/api/v1/batches/{identifier}"
    operator.call("POST", f"{path}/claims", {"limit": 2, "release": True})
    with suppress(ServiceRefusal):  # refused before, by the run before this one
        operator.call("POST", f"{path}/refusals", {"position": 1, "code": "test.refused"})
    told = operator.call("GET", f"{path}/refused?after={after}")
    assert len(told["items"]) == seen
    body = {"item": {"batch": identifier, "position": 10**30}}
    with pytest.raises(ServiceRefusal) as refusal:
        operator.call("POST", "/api/v1/signatures/complete", body)
    assert refusal.value.code == "request.malformed"


def test_a_job_belongs_to_one_card(service: RunningService, opened: tuple[Service, str]) -> None:
    _, identifier = opened
    other = service.signed_in("legal-person")
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/signed", None),
        ("POST", "/claims", {"limit": 1}),
        ("POST", "/refusals", {"position": 0, "code": "x"}),
    ):
        with pytest.raises(ServiceRefusal) as refusal:
            other.call(method, f"/api/v1/batches/{identifier}{path}", body)
        assert refusal.value.code == "batch.not-found"


@pytest.mark.parametrize(
    "items",
    [
        [],
        [{"name": "a", "sha256": "0" * 64}] * 2,
        [{"name": "../a", "sha256": "0" * 64}],
        [{"name": "a", "sha256": "0"}],
    ],
)
def test_lists_that_are_none_are_refused(
    service: RunningService, opened: tuple[Service, str], items: list[dict[str, str]]
) -> None:
    operator, _ = opened
    with pytest.raises(ServiceRefusal) as refusal:
        operator.call("POST", "/api/v1/batches", {"format": "CAdES", "items": items})
    assert refusal.value.http_status in {400, 422}
