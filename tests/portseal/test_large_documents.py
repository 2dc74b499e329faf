"""Large documents from the command line: signed by the service or without being sent, verified
piece by piece."""

import hashlib
import json
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.portseal.cli.terminal import PORTSEAL, Outcome, run
from tests.portseal.memory import forget_peaks, peak_mebibytes, servers_of
from tests.portseal.service import RunningService

MIB, GIB = 1 << 20, 1 << 30
_PEAK_OF = Path(__file__).with_name("peak_of.py")
_SECONDS = 600
"""A GiB takes its time on a busy machine."""
FORMATS = ("cades", "xades", "jades", "asic-s", "asic-e")


class Desk:
    """A holder with one large file, and an eye on everybody's memory."""

    def __init__(self, service: RunningService, directory: Path, mebibytes: int) -> None:
        self.service = service
        self.directory = directory
        self.document = directory / "large.bin"
        self.client_mebibytes = 0
        """The most that one of the holder's programs took."""
        with self.document.open("wb") as file:
            for number in range(mebibytes):
                file.write(number.to_bytes(4, "big") * (MIB // 4))

    def run(self, *arguments: str | Path) -> Outcome:
        environment = {**os.environ, "PORTSEAL_URL": self.service.origin}
        environment["TEST_PIN"] = self.service.stage.usb_keys.keys["operator"].pin
        report = self.directory / "peak"
        measured = (sys.executable, str(_PEAK_OF), str(report), *PORTSEAL)
        done = run([*map(str, arguments)], environment, seconds=_SECONDS, program=measured)
        self.client_mebibytes = max(self.client_mebibytes, int(report.read_text()))
        return done

    def sign(self, format_: str, *more: str) -> Path:
        output = self.directory / f"large.{format_}"
        done = self.try_to_sign(output, "--format", format_, *more)
        assert done.code == 0, done.said
        return output

    def try_to_sign(self, output: Path, *more: str) -> Outcome:
        return self.run(
            "card", "sign", self.document, *more,
            "--token", "operator", "--pin-env", "TEST_PIN", "--output", output,
        )  # fmt: skip

    @contextmanager
    def watched(self) -> Iterator[list[int]]:
        """By how many MiB the peak of a server's memory grew, added to the list at the end."""
        processes, found = servers_of(), list[int]()
        forget_peaks(processes)
        before = {process: peak_mebibytes(process) for process in processes}
        yield found
        found.append(max(peak_mebibytes(process) - before[process] for process in processes))


def signed_and_verified(desk: Desk, format_: str, *more: str) -> None:
    signature = desk.sign(format_, *more)
    presented = [signature] if format_.startswith("asic") else [desk.document, signature]
    done = desk.run("verify", *presented, "--json")
    assert done.code == 0, done.said
    (found,) = json.loads(done.out)["signatures"]
    assert (found["level"], found["packaging"]) == ("B-T", "detached")
    with presented[0].open("r+b") as file:
        file.seek(presented[0].stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
        file.flush()
        changed = desk.run("verify", *presented, "--json")
        file.seek(-1, os.SEEK_CUR)
        file.write(byte)
    assert changed.code == 5
    # A ZIP file's own checksum notices it before the signature does.
    noticed = "FORMAT_FAILURE" if format_.startswith("asic") else "HASH_FAILURE"
    assert json.loads(changed.out)["finding"]["sub_indication"] == noticed


def sha256_of(path: Path | zipfile.Path) -> str:
    running = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(MIB):
            running.update(piece)
    return running.hexdigest()


@pytest.fixture
def small(service: RunningService, tmp_path: Path) -> Iterator[Desk]:
    """Just above what is verified in memory."""
    desk = Desk(service, tmp_path, 70)
    yield desk
    desk.document.unlink()


@pytest.mark.parametrize("format_", ["cades", "asic-e"])
def test_more_than_fits_into_memory_is_verified(small: Desk, format_: str) -> None:
    signed_and_verified(small, format_, "--local")


@pytest.mark.parametrize("format_", ["cades", "asic-e"])
def test_the_service_signs_more_than_it_holds_in_memory(
    service: RunningService, tmp_path: Path, format_: str
) -> None:
    """Judged at once, kept and exported like every document; what grows is not memory."""
    desk = Desk(service, tmp_path, 40)
    signature = tmp_path / "signature"
    with desk.watched() as grown:
        done = desk.try_to_sign(signature, "--format", format_, "--level", "B-LTA", "--json")
    assert done.code == 0, done.said
    assert grown[0] < 24, "less than the document"
    presented = [signature] if format_ == "asic-e" else [desk.document, signature]
    (found,) = json.loads(desk.run("verify", *presented, "--json").out)["signatures"]
    assert (found["level"], found["packaging"]) == ("B-LTA", "detached")
    identifier = json.loads(done.out)["id"]
    page = requests.get(f"{service.origin}/verify/signatures/{identifier}", timeout=60)
    assert sha256_of(presented[0]) in page.text, "the verdict on it, as it is kept"
    evidence = tmp_path / "evidence.zip"
    service.site.run("archive", "export", identifier, "--output", str(evidence))
    with zipfile.ZipFile(evidence) as archive:
        digests = {sha256_of(zipfile.Path(archive, name)) for name in archive.namelist()}
    assert {sha256_of(desk.document), sha256_of(signature)} <= digests


def test_what_is_too_large_is_refused(service: RunningService, tmp_path: Path) -> None:
    card = service.signed_in("operator")
    answer = card.session.post(
        f"{service.origin}/api/v1/documents",
        headers={"Content-Type": "application/octet-stream", "Content-Length": str(GIB + 1)},
        timeout=30,
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "document.too-large")


def test_a_large_file_that_holds_its_signature_is_refused(small: Desk) -> None:
    done = small.run("verify", small.document)
    assert done.code != 0
    assert "document.too-large" in done.err
    inside = small.try_to_sign(
        small.directory / "x", "--format", "xades", "--packaging", "enveloping"
    )
    assert "document.streamed" in inside.err


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("where", ["--local", "--no-local"])
@pytest.mark.parametrize("format_", FORMATS)
def test_one_gibibyte_is_signed_and_verified_in_bounded_memory(
    service: RunningService, tmp_path: Path, format_: str, where: str
) -> None:
    desk = Desk(service, tmp_path, 1024)
    try:
        with desk.watched() as grown:
            signed_and_verified(desk, format_, where)
    finally:
        desk.document.unlink()
    client = desk.client_mebibytes
    print(f"{format_} {where}: server grew by {grown[0]} MiB, largest client {client} MiB")
    assert grown[0] < 128
    assert client < 400
