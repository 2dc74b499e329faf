"""ASiC: containers against the rules, and files that are none, are refused."""

import io
import stat
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.refusals import Malformed, Refusal, TooLarge, Unprocessable
from signing_service.formats.asic import whole as asic
from signing_service.formats.asic.zip_file import read_zip, write_zip
from tests.signing_service.formats.asic.containers import ASIC_E, changed, sign
from tests.software_keys import Identity, SoftwareAuthority


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"META-INF/signature.p7s": None}, "asic.no-signature"),
        ({"declaration.xml": None}, "asic.structure"),
        ({"second.xml": b"<a/>"}, "asic.structure"),
        ({"META-INF/signatures.xml": b"<a/>"}, "asic.structure"),
        ({"meta-inf/other.p7s": b"x"}, "asic.structure"),
        ({"mimetype": b"application/zip"}, "asic.mimetype"),
        ({"mimetype": ASIC_E.value.encode()}, "asic.mimetype"),
    ],
)
def test_containers_against_the_rules_are_refused(
    signed: bytes, files: dict[str, bytes | None], code: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        asic.read(changed(signed, files))
    assert refusal.value.code == code


def test_the_mimetype_is_first_and_not_packed(signed: bytes) -> None:
    entries = read_zip(signed).entries
    last = dict(list(entries.items())[1:]) | {"mimetype": entries["mimetype"]}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    for container in (write_zip(last, stored=["mimetype"], comment=b""), packed.getvalue()):
        with pytest.raises(Malformed, match=r"asic\.mimetype"):
            asic.read(container)


@pytest.mark.parametrize(
    "manifest",
    [
        b"<a/>",
        b'<asic:ASiCManifest xmlns:asic="http://uri.etsi.org/02918/v1.2.1#"/>',
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
    ],
)
def test_manifests_that_are_none_are_refused(
    signer: Identity, software_authority: SoftwareAuthority, manifest: bytes
) -> None:
    container = sign(signer, software_authority)
    with pytest.raises(Malformed):
        asic.read(changed(container, {"META-INF/ASiCManifest001.xml": manifest}))
    with pytest.raises(Malformed, match=r"asic\.manifest"):
        asic.read(changed(container, {"META-INF/ASiCManifest001.xml": None}))


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/passwd", "a/../../b", "C:/x", "a\\b", "a//b", "./a", "a\x00b", "con .", ""],
)
def test_names_that_leave_their_place_are_refused(name: str) -> None:
    with pytest.raises(Unprocessable, match=r"zip\.name"):
        write_zip({name: b""}, stored=[], comment=b"")
    if name.isprintable() and name:
        with pytest.raises(Malformed, match=r"zip\.name|zip\.malformed"):
            read_zip(_zip({name: b"x"}))


def test_two_entries_of_one_name_are_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = _zip([("a", b"1"), ("a", b"2")])
    for container in (twice, _zip([("a", b"1"), ("A", b"2")])):
        with pytest.raises(Malformed, match=r"zip\.duplicate"):
            read_zip(container)


def test_links_are_refused() -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(Malformed, match=r"zip\.link"):
        read_zip(file.getvalue())


def test_encrypted_entries_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"secret")
    subprocess.run(["zip", "-qP", "password", "c.zip", "a"], cwd=tmp_path, check=True)
    with pytest.raises(Malformed, match=r"zip\.encrypted"):
        read_zip((tmp_path / "c.zip").read_bytes())


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    ratio = _zip({"zeros": bytes(16 * 1024 * 1024)})
    with pytest.raises(Malformed, match=r"zip\.bomb"):
        read_zip(ratio)
    with pytest.raises(Malformed, match=r"zip\.bomb"):
        read_zip(_zip({str(number): b"" for number in range(1001)}))
    with pytest.raises(Malformed, match=r"zip\.bomb"):
        read_zip(_zip({str(number): bytes(30 << 20) for number in range(5)}))
    with pytest.raises(TooLarge, match=r"zip\.too-large"):
        read_zip(b"PK\x03\x04" + bytes(1 << 26))


def test_an_entry_that_is_larger_than_it_says_is_refused() -> None:
    honest = _zip({"a": b"x" * 5000})
    lying = honest.replace((5000).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    assert lying != honest
    with pytest.raises(Malformed, match=r"zip\.malformed"):
        read_zip(lying)


@pytest.mark.parametrize("extra", [b"MZ", b"PK\x03\x04", bytes(64)])
def test_octets_around_the_entries_are_refused(signed: bytes, extra: bytes) -> None:
    for container in (extra + signed, signed + extra):
        with pytest.raises(Malformed, match=r"zip\."):
            asic.read(container)
    start = signed.index(b"PK\x01\x02")
    with pytest.raises(Malformed, match=r"zip\."):
        asic.read(signed[:start] + extra + signed[start:])


def test_local_and_central_headers_agree(signed: bytes) -> None:
    renamed = signed.replace(b"declaration.xml", b"Declaration.xml", 1)
    with pytest.raises(Malformed, match=r"zip\.header-mismatch"):
        asic.read(renamed)


def test_streamed_entries_of_strangers_are_read() -> None:
    class Unseekable(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += bytes(data)
            return len(data)

    file = Unseekable()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", b"content" * 100)
        archive.writestr("b/", b"")
    assert read_zip(bytes(file.data)).entries == {"a": b"content" * 100}


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x05\x06", b"not a zip" * 10])
def test_what_is_no_zip_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"zip\.malformed"):
        read_zip(data)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(data: bytes) -> None:
    for container in (data, b"PK\x03\x04" + data + b"PK\x05\x06" + bytes(18)):
        with pytest.raises(Refusal):
            asic.read(container)


def _zip(entries: dict[str, bytes] | list[tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items() if isinstance(entries, dict) else entries:
            archive.writestr(name, content)
    return file.getvalue()
