"""Scans are recognised by their bytes, and nothing else hangs on them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.refusals import Refusal
from ra_portal.documents import LARGEST_LICENCE, read_licence
from tests.ra_portal import samples


@pytest.mark.parametrize(
    ("content", "media_type", "extension"),
    [
        (samples.png(), "image/png", ".png"),
        (samples.jpeg(), "image/jpeg", ".jpg"),
    ],
)
def test_the_type_is_read_from_the_bytes(content: bytes, media_type: str, extension: str) -> None:
    licence = read_licence(content, "scan.exe")
    assert (licence.media_type, licence.file_name) == (media_type, "scan" + extension)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"MZ" + bytes(9000), "licence.type"),
        (b"<html><script>alert(1)</script>" + b" " * 9000, "licence.type"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>" + b" " * 9000, "licence.type"),
        (b"", "licence.type"),
        (samples.png() + b"PK\x03\x04 a ZIP archive behind", "licence.damaged"),
        (samples.png()[:-30], "licence.damaged"),
        (samples.png().replace(b"IDAT", b"IDAX", 1), "licence.damaged"),
        (samples.jpeg() + b"<script>", "licence.damaged"),
        (b"%PDF-1.4\n<< /S/J#61vaScript >>\n" + b" " * 9000 + b"%%EOF\n", "licence.type"),
        (samples.png(50, 4000), "licence.resolution"),
        (samples.jpeg(20_000, 500), "licence.resolution"),
        (samples.jpeg(padding=100), "licence.too-small"),
        (samples.jpeg(padding=LARGEST_LICENCE), "licence.too-large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_plain_scan_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_licence(content, "scan.png")
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/passwd", "passwd.png"),
        ("C:\\scans\\营业执照.png", "营业执照.png"),
        ('a"b\r\nSet-Cookie: x.png', "a_b__Set-Cookie__x.png"),
        ("photo.php.png", "photo_php.png"),
        ("", "licence.png"),
        ("....", "licence.png"),
    ],
)
def test_a_file_name_keeps_letters_and_digits_only(given_name: str, kept: str) -> None:
    assert read_licence(samples.png(), given_name).file_name == kept


@given(st.binary(max_size=300), st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"]))
def test_any_bytes_behind_a_known_beginning_are_refused_not_crashed_on(
    rest: bytes, beginning: bytes
) -> None:
    with pytest.raises(Refusal):
        read_licence(beginning + rest, "scan")
