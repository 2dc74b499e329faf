"""Large documents from the command line: signed without being sent, verified piece by piece."""

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.portseal.cli.terminal import Outcome, run
from tests.portseal.memory import forget_peaks, peak_mebibytes, servers_of
from tests.portseal.service import RunningService

MIB = 1 << 20
FORMATS = ("cades", "xades", "jades", "asic-s", "asic-e")


class Desk:
    """A holder with one large file, and an eye on everybody's memory."""

    def __init__(self, service: RunningService, directory: Path, mebibytes: int) -> None:
        self.service = service
        self.directory = directory
        self.document = directory / "large.bin"
        with self.document.open("wb") as file:
            for number in range(mebibytes):
                file.write(number.to_bytes(4, "big") * (MIB // 4))

    def run(self, *arguments: str | Path) -> Outcome:
        environment = {**os.environ, "PORTSEAL_URL": self.service.origin}
        environment["TEST_PIN"] = self.service.stage.usb_keys.keys["operator"].pin
        return run([*map(str, arguments)], environment)

    def sign(self, format_: str) -> Path:
        output = self.directory / f"large.{format_}"
        done = self.run(
            "card", "sign", self.document, "--local", "--format", format_,
            "--token", "operator", "--pin-env", "TEST_PIN", "--output", output,
        )  # fmt: skip
        assert done.code == 0, done.said
        return output


def signed_and_verified(desk: Desk, format_: str) -> None:
    signature = desk.sign(format_)
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


@pytest.fixture
def small(service: RunningService, tmp_path: Path) -> Iterator[Desk]:
    """Just above what is verified in memory."""
    desk = Desk(service, tmp_path, 70)
    yield desk
    desk.document.unlink()


@pytest.mark.parametrize("format_", ["cades", "asic-e"])
def test_more_than_fits_into_memory_is_verified(small: Desk, format_: str) -> None:
    signed_and_verified(small, format_)


def test_a_large_file_that_holds_its_signature_is_refused(small: Desk) -> None:
    done = small.run("verify", small.document)
    assert done.code != 0
    assert "document.too-large" in done.err
    sent = small.run(
        "card", "sign", small.document, "--token", "operator", "--pin-env", "TEST_PIN",
        "--output", small.directory / "x",
    )  # fmt: skip
    assert "document.too-large" in sent.err


@pytest.mark.long
@pytest.mark.parametrize("format_", FORMATS)
def test_one_gibibyte_is_signed_and_verified_in_bounded_memory(
    service: RunningService, tmp_path: Path, format_: str
) -> None:
    desk = Desk(service, tmp_path, 1024)
    processes = servers_of()
    forget_peaks(processes)
    before = {process: peak_mebibytes(process) for process in processes}
    try:
        signed_and_verified(desk, format_)
    finally:
        desk.document.unlink()
    grown = max(peak_mebibytes(process) - before[process] for process in processes)
    client = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"{format_}: server grew by {grown} MiB, largest child {client} MiB")
    assert grown < 128
    assert client < 400
