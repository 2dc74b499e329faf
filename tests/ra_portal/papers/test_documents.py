"""Scans are recognised by their bytes, and nothing else hangs on them."""

import io
from collections.abc import Callable

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kernel.refusals import Malformed, Refusal, Unprocessable
from ra_portal.papers.documents import LARGEST_LICENCE, read_licence
from tests.ra_portal import samples


@pytest.mark.parametrize(
    ("content", "media_type", "extension"),
    [
        (samples.png(), "image/png", ".png"),
        (samples.jpeg(), "image/jpeg", ".jpg"),
        (samples.pdf(), "application/pdf", ".pdf"),
    ],
)
def test_the_type_is_read_from_the_bytes(content: bytes, media_type: str, extension: str) -> None:
    licence = read_licence(content, "scan")
    assert licence.pages[0].content.startswith(b"\xff\xd8\xff")
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
        (b"%PDF-1.4\n<< /S/J#61vaScript >>\n" + b" " * 9000 + b"%%EOF\n", "licence.damaged"),
        (samples.png(50, 4000), "licence.resolution"),
        (samples.jpeg(20_000, 500), "licence.resolution"),
        (samples.jpeg(padding=100), "licence.too-small"),
        (samples.jpeg(padding=LARGEST_LICENCE), "licence.too-large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_plain_scan_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_licence(content, "scan")
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


def script(pdf: pikepdf.Pdf) -> None:
    pdf.Root.OpenAction = pikepdf.Dictionary(S=pikepdf.Name.JavaScript, JS="app.alert(1)")


def launch(pdf: pikepdf.Pdf) -> None:
    action = pikepdf.Dictionary(S=pikepdf.Name.Launch, F="calc.exe")
    link = pikepdf.Dictionary(
        Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Link, Rect=[0, 0, 9, 9], A=action
    )
    pdf.pages[0].Annots = pdf.make_indirect(pikepdf.Array([link]))


def attachment(pdf: pikepdf.Pdf) -> None:
    pdf.attachments["malware.exe"] = b"MZ"


def form(pdf: pikepdf.Pdf) -> None:
    pdf.Root.AcroForm = pikepdf.Dictionary(XFA=pdf.make_stream(b"<xdp/>"), Fields=[])


def page_action(pdf: pikepdf.Pdf) -> None:
    pdf.pages[0].AA = pikepdf.Dictionary(O=pikepdf.Dictionary(S=pikepdf.Name.Named, N="/Print"))


@pytest.mark.parametrize("change", [script, launch, attachment, form, page_action])
def test_a_pdf_that_does_something_is_refused(change: Callable[[pikepdf.Pdf], None]) -> None:
    with pytest.raises(Unprocessable, match=r"licence\.active"):
        read_licence(samples.pdf(change), "licence.pdf")


def test_a_pdf_is_pictured_page_by_page_and_may_not_be_long() -> None:
    assert len(read_licence(samples.pdf(pages=3), "licence.pdf").pages) == 3
    with pytest.raises(Unprocessable, match=r"licence\.pages"):
        read_licence(samples.pdf(pages=11), "licence.pdf")


def test_an_encrypted_pdf_and_one_with_something_behind_it_are_refused() -> None:
    encrypted = io.BytesIO()
    with pikepdf.open(io.BytesIO(samples.pdf())) as made:
        made.save(encrypted, encryption=pikepdf.Encryption(owner="owner", user="user"))
    with pytest.raises(Unprocessable, match=r"licence\.encrypted"):
        read_licence(encrypted.getvalue(), "licence.pdf")
    with pytest.raises(Malformed, match=r"licence\.damaged"):
        read_licence(samples.pdf() + b"PK\x03\x04 an archive", "licence.pdf")
    with pytest.raises(Malformed, match=r"licence\.damaged"):
        read_licence(b"%PDF-1.7\n" + b"\x00" * 5000 + b"%%EOF", "licence.pdf")


def test_people_see_a_picture_without_what_the_camera_knew() -> None:
    exif = Image.Exif()
    exif[0x010F] = "a camera"
    exif[0x0112] = 6  # lies on its side
    exif.get_ifd(0x8825)[1] = "N"  # where it was taken
    taken = io.BytesIO()
    Image.effect_noise((900, 600), 50).save(taken, "JPEG", exif=exif)
    picture = read_licence(taken.getvalue(), "photo.jpg").pages[0].content
    with Image.open(io.BytesIO(picture)) as shown:
        assert not shown.getexif()
        assert shown.size == (600, 900)
    assert b"camera" not in picture


def test_a_picture_that_unpacks_to_too_much_is_refused_before_it_is_unpacked() -> None:
    bomb = io.BytesIO()
    Image.new("1", (12_000, 5_000)).save(bomb, "PNG")
    with pytest.raises(Unprocessable, match=r"licence\.resolution"):
        read_licence(bomb.getvalue(), "bomb.png")
