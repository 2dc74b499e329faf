"""`portseal archive`: what is exported, a stranger verifies with the commands that it names."""

import hashlib
import json
import shlex
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from kernel.refusals import Unavailable
from portseal.demo.signing_steps import import_declaration
from portseal.holder.service import ServiceRefusal
from signing_service.validation.evidence import SignatureFormat
from tests.portseal.service import RunningService, Twin

FORMATS = (SignatureFormat.CADES, SignatureFormat.XADES)
OTHERS = (SignatureFormat.JADES, SignatureFormat.ASIC_S)
VERIFIER = Path(__file__).parents[3] / "scripts" / "verify_export.py"


@pytest.fixture(scope="module")
def exports(
    service: RunningService, tmp_path_factory: pytest.TempPathFactory
) -> dict[SignatureFormat, Path]:
    """One signature of each format, covered by an archive timestamp and exported."""
    directory = tmp_path_factory.mktemp("exports")
    signed_in, card = service.signed_in("operator"), service.stage.cards["operator"]
    made = {each: signed_in.sign(card, import_declaration(), each).id for each in FORMATS}
    assert json.loads(service.site.run("archive", "renew", "--json"))["covered"] >= len(made)
    paths = {}
    for format_, identifier in made.items():
        paths[format_] = directory / f"{format_}.zip"
        service.site.run("archive", "export", identifier, "--output", str(paths[format_]))
    return paths


def verify(export: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(VERIFIER), str(export), *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def unpacked(export: Path, directory: Path) -> Path:
    with zipfile.ZipFile(export) as archive:
        assert archive.testzip() is None
        archive.extractall(directory)
    return directory


@pytest.mark.parametrize("format_", FORMATS)
def test_every_command_of_the_readme_succeeds(
    format_: SignatureFormat, exports: dict[SignatureFormat, Path], tmp_path: Path
) -> None:
    directory = unpacked(exports[format_], tmp_path)
    readme = (directory / "README.txt").read_text("utf-8")
    commands = [line.strip()[2:] for line in readme.splitlines() if line.startswith("   $ ")]
    assert {command.split()[0] for command in commands} >= {"openssl", "python3"}
    assert len(commands) == 5
    for command in commands:
        done = subprocess.run(
            shlex.split(command), cwd=directory, capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, f"{command}\n{said}"
        if " ts " in command:
            assert "Verification: OK" in said
        if " ocsp " in command:
            assert "Response verify OK" in said
            assert "signer.pem: good" in said


def test_other_formats_are_exported_too(service: RunningService, tmp_path: Path) -> None:
    signed_in, card = service.signed_in("operator"), service.stage.cards["operator"]
    made = {each: signed_in.sign(card, import_declaration(), each).id for each in OTHERS}
    service.site.run("archive", "renew")
    for format_, identifier in made.items():
        path = tmp_path / f"{format_}.zip"
        service.site.run("archive", "export", identifier, "--output", str(path))
        done = verify(path)
        assert done.returncode == 0, done.stdout
        assert "archive timestamp: 1 over all" in done.stdout
        assert "README.txt" in done.stdout


@pytest.mark.parametrize("format_", FORMATS)
def test_the_script_says_what_holds(
    format_: SignatureFormat, exports: dict[SignatureFormat, Path], service: RunningService
) -> None:
    root = service.stage.file("root.pem")

    done = verify(exports[format_], "--root", str(root))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "archive timestamp: 1 over all" in done.stdout
    assert "OCSP told the signer's certificate good" in done.stdout
    assert done.stdout.endswith("PASSED  everything that was checked holds\n")
    assert ("openssl cms accepts it" in done.stdout) is (format_ is SignatureFormat.CADES)


def changed(export: Path, target: Path, name: str, *, relist: bool) -> Path:
    """The export with one byte of one file flipped; `relist`: by a forger who mends manifest."""
    with zipfile.ZipFile(export) as archive:
        contents = {each: archive.read(each) for each in archive.namelist()}
    data = bytearray(contents[name])
    # Of the evidence record a hash: in its middle stand octets that no signature covers.
    data[80 if name.endswith(".ers") else len(data) // 2] ^= 1
    contents[name] = bytes(data)
    if relist:
        manifest = json.loads(contents["manifest.json"])
        for each in manifest["files"]:
            if each["path"] == name:
                each["sha256"] = hashlib.sha256(contents[name]).hexdigest()
        contents["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
    return target


@pytest.mark.parametrize("relist", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "document/document.xml",
        "signature/signature.p7s",
        "report.json",
        "timestamps/1.tst",
        "certificates/1.cer",
        "revocation/1.ocsp",
        "evidence/record.ers",
    ],
)
def test_a_changed_file_is_told(
    name: str, relist: bool, exports: dict[SignatureFormat, Path], tmp_path: Path
) -> None:
    target = changed(exports[SignatureFormat.CADES], tmp_path / "x.zip", name, relist=relist)

    done = verify(target)

    assert done.returncode == 1, done.stdout
    assert "FAILED" in done.stdout
    assert "Traceback" not in done.stderr


def test_another_certificate_cannot_stand_in_for_the_signers(
    exports: dict[SignatureFormat, Path], tmp_path: Path
) -> None:
    """The list's order is covered by nothing: a revoked signer would hide behind a good one."""
    with zipfile.ZipFile(exports[SignatureFormat.CADES]) as archive:
        contents = {each: archive.read(each) for each in archive.namelist()}
    manifest = json.loads(contents["manifest.json"])
    manifest["files"].reverse()
    contents["manifest.json"] = json.dumps(manifest).encode()
    target = tmp_path / "x.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in contents.items():
            archive.writestr(path, content)

    done = verify(target)

    assert done.returncode == 1, done.stdout
    assert "the first certificate of the export is not the signer's" in done.stdout


def test_another_root_is_not_believed(exports: dict[SignatureFormat, Path], tmp_path: Path) -> None:
    key, root = tmp_path / "key.pem", tmp_path / "root.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", str(key), "-out", str(root), "-subj", "/CN=Another"],
        check=True, capture_output=True,
    )  # fmt: skip

    assert verify(exports[SignatureFormat.CADES], "--root", str(root)).returncode == 1


def test_the_store_is_walked(service: RunningService) -> None:
    told = json.loads(service.site.run("archive", "verify", "--json"))
    assert told["archive"] == "intact"
    assert told["sound"] > 10

    store = service.site.directory / "data" / "archive"
    path = next(iter(sorted(store.glob("??/*"))))
    kept = path.with_name("kept")
    shutil.copy2(path, kept)
    try:
        path.write_bytes(b"changed")
        with pytest.raises(Unavailable, match=path.name):
            service.site.run("archive", "verify", "--json")
    finally:
        kept.replace(path)


def test_a_full_archive_accepts_nothing(service: RunningService, twin: Twin) -> None:
    def accepted() -> int:
        with closing(sqlite3.connect(twin.database_file)) as connection:
            return int(connection.execute("SELECT count(*) FROM accepted_signatures").fetchone()[0])

    before = accepted()
    twin.serve(PORTSEAL_ARCHIVE__RESERVE_MEGABYTES=str(1 << 40))
    conversation, card = twin.anonymous(), service.stage.cards["operator"]
    conversation.sign_in(card)

    with pytest.raises(ServiceRefusal) as caught:
        conversation.sign(card, import_declaration(), SignatureFormat.CADES)

    assert caught.value.code == "archive.full"
    assert accepted() == before
    assert not list((twin.site.directory / "data" / "archive").glob("??/*"))


def test_early_deletion_is_refused(service: RunningService) -> None:
    signed_in, card = service.signed_in("operator"), service.stage.cards["operator"]
    receipt = signed_in.sign(card, import_declaration(), SignatureFormat.CADES)

    with pytest.raises(Unavailable, match=r"archive\.retained"):
        service.site.run_signed(
            service.cards("administrator", "approver"), "archive", "delete", receipt.id
        )


def test_unknown_signatures_leave_no_file(service: RunningService, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"signature\.not-found"):
        service.site.run("archive", "export", "0" * 32, "--output", str(tmp_path / "x.zip"))
    assert not list(tmp_path.iterdir())


def test_the_clock_is_told_and_confirmed(service: RunningService) -> None:
    told = json.loads(service.site.run("clock", "status", "--json"))
    assert told.keys() == {"time", "synchronised", "max_error_seconds"}
    assert "confirmed" in service.site.run_signed(
        service.cards("system-administrator"), "clock", "confirm"
    )
    assert (service.site.directory / "data" / "clock-confirmed").exists()
