"""Containers around files on disk: written without packing, read where they are."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from kernel.refusals import Malformed, Unprocessable
from signing_service.formats.asic import whole as asic
from signing_service.formats.asic.whole import Container, ContainerType, LargeContainer
from signing_service.formats.asic.zip_file import LARGE_ENTRY_BYTES
from signing_service.formats.document import StreamedDocument
from signing_service.validation.evidence import SignatureFormat, SignatureLevel
from tests.signing_service.validation.scenery import START, World

WORLD = World()
CADES, XADES = SignatureFormat.CADES, SignatureFormat.XADES
KINDS = [
    (ContainerType.ASIC_S, CADES),
    (ContainerType.ASIC_S, XADES),
    (ContainerType.ASIC_E, CADES),
    (ContainerType.ASIC_E, XADES),
]


def written(directory: Path, kind: ContainerType, inner: SignatureFormat, size: int) -> Path:
    files = {"大文件.bin": directory / "large"}
    (directory / "large").write_bytes(b"0123456789abcdef" * (size // 16))
    if kind is ContainerType.ASIC_E:
        files["b.txt"] = directory / "b"
        (directory / "b").write_bytes(b"beside it")
    made = LargeContainer(kind, inner, files)
    target = directory / "made.zip"
    with target.open("wb") as file:
        made.write(
            file, WORLD.card.key, WORLD.card.certificate, START, timestamper=WORLD.timestamper()
        )
    return target


@pytest.mark.parametrize(("kind", "inner"), KINDS)
def test_what_stays_on_disk_is_covered(
    tmp_path: Path, kind: ContainerType, inner: SignatureFormat
) -> None:
    made = written(tmp_path, kind, inner, LARGE_ENTRY_BYTES)
    with made.open("rb") as file:
        assert list(Container.read_file(file).large) == ["大文件.bin"]
        (evidence,) = asic.read(StreamedDocument(file))
        assert evidence.covers_document
        assert evidence.level is SignatureLevel.B_T
        assert WORLD.verification().verify(StreamedDocument(file)).passed
    assert asic.read(made.read_bytes()) == [evidence], "in memory it is the same"
    subprocess.run(["unzip", "-tq", str(made)], check=True, capture_output=True)


def test_a_changed_octet_is_seen_though_its_checksum_is_right(tmp_path: Path) -> None:
    made = written(tmp_path, ContainerType.ASIC_E, CADES, LARGE_ENTRY_BYTES)
    with zipfile.ZipFile(made) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
        comment = archive.comment
    entries["大文件.bin"] = entries["大文件.bin"][:-1] + b"X"
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
        archive.comment = comment
    with made.open("rb") as file:
        report = WORLD.verification().verify(StreamedDocument(file))
        assert report.sub_indication == "HASH_FAILURE"


def test_a_wrong_checksum_is_seen_before_that(tmp_path: Path) -> None:
    made = written(tmp_path, ContainerType.ASIC_S, CADES, LARGE_ENTRY_BYTES)
    data = bytearray(made.read_bytes())
    data[LARGE_ENTRY_BYTES // 2] ^= 1
    made.write_bytes(data)
    with made.open("rb") as file:
        with pytest.raises(Malformed, match=r"zip\.malformed"):
            asic.read(StreamedDocument(file))


def test_a_signature_file_does_not_stay_on_disk(tmp_path: Path) -> None:
    made = written(tmp_path, ContainerType.ASIC_S, CADES, 1600)
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr("META-INF/large.xml", b"x" * LARGE_ENTRY_BYTES)
    with made.open("rb") as file, pytest.raises(Malformed, match=r"asic\.structure"):
        Container.read_file(file)


def test_what_is_only_read_is_not_written(tmp_path: Path) -> None:
    made = written(tmp_path, ContainerType.ASIC_S, CADES, LARGE_ENTRY_BYTES)
    with made.open("rb") as file, pytest.raises(Unprocessable, match=r"document\.streamed"):
        Container.read_file(file).encode()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"PK\x03\x04" + b"\0" * 100])
def test_a_file_that_is_no_container_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with (tmp_path / "x").open("rb") as file, pytest.raises(Malformed):
        asic.read(StreamedDocument(file))
