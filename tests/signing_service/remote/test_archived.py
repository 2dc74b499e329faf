"""What a seal signs at a distance is accepted like any signature: judged, kept, told, exported."""

import base64
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kernel.refusals import Unavailable
from portseal.demo.signing_steps import import_declaration
from portseal.holder.service import Service, ServiceRefusal
from records.database import Database
from records.journal import records
from tests.portseal.cli.test_archive import changed, verify
from tests.portseal.service import RunningService, Twin
from tests.signing_service.remote.platform import (
    RemotePlatform,
    digest,
    new_seal,
    refusal,
    text,
)
from tests.signing_service.remote.test_documents import XML, sealed

HASH = digest(b"signed attributes of somebody else's making")


def newest_in_history(browser: Service) -> tuple[str, str]:
    """The identifier of the signature that the enterprise's history tells first, and its row."""
    page = browser.fetch("GET", "/enterprise/history", headers={"Accept": "text/html"}).text
    row = next(each for each in page.split("<tr>") if "/verify/signatures/" in each)
    found = re.search(r"/verify/signatures/([0-9a-f]{32})", row)
    assert found is not None
    return found[1], row


def exported(service: RunningService, identifier: str, directory: Path) -> Path:
    """Covered by an archive timestamp, in one file."""
    service.site.run("archive", "renew")
    path = directory / "export.zip"
    service.site.run("archive", "export", identifier, "--output", str(path))
    return path


@pytest.mark.parametrize("level", ["AdES-B-B", "AdES-B-T"])
def test_a_sealed_document_is_in_the_history_and_in_the_archive(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    tmp_path: Path,
    level: str,
) -> None:
    content = f"<contract><price>{level}</price></contract>".encode()
    made = sealed(platform, browser, token, seal, ("X", content), level=level)
    identifier, row = newest_in_history(browser)
    assert seal in row
    assert "报关专用章" in row
    page = service.anonymous().fetch("GET", f"/verify/signatures/{identifier}")
    assert page.status_code == 200
    assert "签名有效" in page.text
    export = exported(service, identifier, tmp_path)
    done = verify(export, "--root", str(service.stage.file("root.pem")))
    assert done.returncode == 0, done.stdout
    assert "archive timestamp: 1 over all" in done.stdout
    unpacked = tmp_path / "unpacked"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(export), str(unpacked)], check=True)
    signed = (unpacked / "signature" / "signature.xml").read_bytes()
    assert signed == base64.b64decode(made["DocumentWithSignature"][0])
    facts = json.loads((unpacked / "manifest.json").read_bytes())["signature"]
    assert (facts["card"], facts["kind"], facts["level"]) == (seal, "document", level[5:])
    assert datetime.fromisoformat(facts["keep_until"]).year >= datetime.now(UTC).year + 10
    with pytest.raises(Unavailable, match=r"archive\.retained"):
        service.site.run_signed(
            service.cards("administrator", "approver"), "archive", "delete", identifier
        )


def test_of_a_signed_digest_its_value_is_kept_for_its_document_was_never_here(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    tmp_path: Path,
) -> None:
    sad = platform.activation(browser, seal, HASH)
    (value,) = platform.sign_hash(token, seal, sad, HASH).json()["signatures"]
    identifier, row = newest_in_history(browser)
    digest = base64.b64decode(HASH).hex()
    assert f"{digest[:8]}…{digest[-4:]}" in row
    export = exported(service, identifier, tmp_path)
    done = verify(export, "--root", str(service.stage.file("root.pem")))
    assert done.returncode == 0, done.stdout
    assert "openssl pkeyutl accepts the value over the sha256 digest" in done.stdout
    unpacked = tmp_path / "unpacked"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(export), str(unpacked)], check=True)
    assert (unpacked / "signature" / "signature.value").read_bytes() == base64.b64decode(value)
    assert (unpacked / "document" / "digest.bin").read_bytes() == base64.b64decode(HASH)
    readme = (unpacked / "README.txt").read_text("utf-8")
    (path, command) = re.findall(r"\$ (openssl (?:verify|pkeyutl) .*)", readme)
    for each, answer in (
        (path, "certificates/signer.pem: OK\n"),
        (command, "Signature Verified Successfully\n"),
    ):
        told = subprocess.run(
            each, shell=True, cwd=unpacked, capture_output=True, text=True, check=False
        )
        assert told.stdout == answer, told.stderr
    with pytest.raises(ServiceRefusal) as caught:
        service.anonymous().fetch("GET", f"/verify/signatures/{identifier}")
    assert caught.value.code == "signature.digest-only"


def test_a_changed_value_is_told(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    tmp_path: Path,
) -> None:
    sad = platform.activation(browser, seal, HASH)
    assert platform.sign_hash(token, seal, sad, HASH).status_code == 200
    export = exported(service, newest_in_history(browser)[0], tmp_path)
    for name in ("signature/signature.value", "document/digest.bin"):
        for relist in (False, True):
            done = verify(changed(export, tmp_path / "x.zip", name, relist=relist))
            assert done.returncode == 1, done.stdout


def test_a_seal_files_no_declaration(
    service: RunningService, platform: RemotePlatform, browser: Service, token: str
) -> None:
    seal = new_seal(service, "不申报章")
    content = import_declaration()
    sad = platform.activation(browser, seal, digest(content))
    body = {
        "credentialID": seal,
        "SAD": sad,
        "documents": [{"document": text(content), "signature_format": "X"}],
    }
    told = (403, "access_denied", "declaration.by-seal")
    assert refusal(platform.post("signatures/signDoc", token, body)) == told
    database = Database(f"sqlite:///{service.database_file}")
    with database.reading() as connection:
        found = [each for each in records(connection) if each.actor == seal]
        used = [each.event for each in records(connection, seal)]
    database.dispose()
    assert [each.event for each in found] == ["signature.refused"]
    assert "seal.used" not in used


@pytest.mark.long
def test_a_full_archive_hands_nothing_out(
    service: RunningService, platform: RemotePlatform, seal: str, twin: Twin
) -> None:
    twin.serve(PORTSEAL_ARCHIVE__RESERVE_MEGABYTES=str(1 << 40))
    there = RemotePlatform(twin.origin, platform.client_id, platform.secret)
    browser = twin.anonymous()
    browser.sign_in(service.stage.cards["legal-person"])
    token = there.service_token(browser)
    told = (503, "temporarily_unavailable", "archive.full")
    sad = there.activation(browser, seal, HASH)
    assert refusal(there.sign_hash(token, seal, sad, HASH)) == told
    sad = there.activation(browser, seal, digest(XML))
    body = {
        "credentialID": seal,
        "SAD": sad,
        "documents": [{"document": text(XML), "signature_format": "C"}],
    }
    assert refusal(there.post("signatures/signDoc", token, body)) == told
