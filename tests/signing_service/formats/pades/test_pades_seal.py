"""The visible seal, as poppler draws it: picture, Chinese text, a QR code that can be read."""

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from kernel.refusals import Refusal, TooLarge, Unavailable, Unprocessable
from signing_service.formats.pades import whole as pades
from signing_service.formats.pades.pdf.picture import MAX_PICTURE_BYTES
from signing_service.formats.pades.whole import Placement, Seal
from tests.signing_service.formats.pades.pdf.samples import EMPTY_SIGNATURE_FIELD, sample
from tests.signing_service.formats.pades.pdf.strangers import pyhanko_verdicts
from tests.signing_service.formats.pades.test_pades import signed, sound
from tests.software_keys import Identity, SoftwareAuthority

URL = "https://verify.example.cn/v/0190f5a2-7c1e-7b2a-9a51-1f2e3d4c5b6a"
LINES = ("电子签名：操作员 张三", "深圳市示例进出口有限公司", "签署时间 2026-11-21 10:30 (UTC+8)")
PLACE = (72.0, 500.0, 360.0, 590.0)
RED = (200, 20, 20)


def round_seal(mode: str = "RGBA", size: int = 240) -> bytes:
    """A synthetic enterprise seal: a red ring with a dot, PNG."""
    image = Image.new("RGBA", (size, size), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.ellipse((6, 6, size - 6, size - 6), outline=(*RED, 255), width=size // 24)
    draw.ellipse((size * 0.4, size * 0.4, size * 0.6, size * 0.6), fill=(*RED, 255))
    written = io.BytesIO()
    image.convert(mode).save(written, "PNG")
    return written.getvalue()


def drawn(directory: Path, pdf: bytes, page: int = 1) -> Image.Image:
    """A page in pixels, 144 to the inch."""
    (directory / "sealed.pdf").write_bytes(pdf)
    command = ["pdftoppm", "-r", "144", "-f", str(page), "-l", str(page), "-png", "sealed.pdf", "p"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    (image,) = directory.glob("p-*.png")
    return Image.open(image).convert("RGB")


def at(image: Image.Image, x: float, y: float) -> tuple[int, ...]:
    """The colour at a place given in points."""
    pixel = image.getpixel((int(x * 2), image.height - int(y * 2)))
    assert isinstance(pixel, tuple)
    return pixel


def test_a_seal_with_everything(
    tmp_path: Path, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    seal = Seal(PLACE, page=1, lines=LINES, picture=round_seal(), verification_url=URL)

    pdf = signed(sample(3), signer, software_authority, placement=Placement(seal=seal))

    page = drawn(tmp_path, pdf, page=2)
    (code,) = zxingcpp.read_barcodes(page)
    assert code.text == URL
    assert at(page, 72 + 45, 545) == RED  # the dot in the middle of the picture
    text = _text(tmp_path, pdf, page=2)
    assert all(line in text for line in LINES)
    assert LINES[0] not in _text(tmp_path, pdf, page=1)
    assert sound(pades.read(pdf)[0])
    (verdict,) = pyhanko_verdicts(pdf, software_authority)
    assert verdict.bottom_line


def test_fonts_are_embedded_in_a_few_kilobytes(
    tmp_path: Path, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    plain = signed(sample(), signer, software_authority)
    seal = Seal(PLACE, lines=LINES)

    pdf = signed(sample(), signer, software_authority, placement=Placement(seal=seal))

    assert len(pdf) - len(plain) < 16 * 1024
    (tmp_path / "fonts.pdf").write_bytes(pdf)
    listed = subprocess.run(
        ["pdffonts", "fonts.pdf"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    (row,) = (row for row in listed.splitlines() if "NotoSansCJK" in row)
    assert row.split()[-5:-2] == ["yes", "yes", "yes"]  # embedded, subset, with its way to text


def test_a_picture_alone_is_a_stamp_that_lets_the_page_through(
    tmp_path: Path, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    over_the_text = Seal((72, 650, 172, 750), picture=round_seal())

    pdf = signed(sample(), signer, software_authority, placement=Placement(seal=over_the_text))

    page, bare = drawn(tmp_path, pdf), drawn(_in(tmp_path, "bare"), sample())
    assert at(page, 122, 700) == RED
    assert at(page, 73, 651) == (255, 255, 255)  # no frame
    inside = [(x, y) for x in range(92, 110) for y in range(700, 718)]
    assert any(at(bare, *place) != (255, 255, 255) for place in inside)
    assert [at(page, *place) for place in inside] == [at(bare, *place) for place in inside]


def test_each_signer_has_a_seal(tmp_path: Path, software_authority: SoftwareAuthority) -> None:
    pdf = sample(fields=(EMPTY_SIGNATURE_FIELD,))
    for index, name in enumerate(("甲", "乙")):
        left = 72.0 + 160 * index
        seal = Seal((left, 400, left + 150, 460), lines=(f"签名人 {name}",))
        signer = software_authority.signer(name)
        pdf = signed(pdf, signer, software_authority, placement=Placement(seal=seal))
    in_its_field = Placement("approval", Seal((0, 0, 100, 100), verification_url=URL))
    pdf = signed(pdf, signer, software_authority, placement=in_its_field)

    assert _text(tmp_path, pdf).count("签名人") == 2
    (code,) = zxingcpp.read_barcodes(drawn(tmp_path, pdf))
    assert code.position.top_left.x > 300 * 2  # the field's rectangle, not the seal's
    first, second, third = pades.read(pdf)
    assert all(map(sound, (first, second, third)))
    assert "with a visible seal" in first.observations[0]


@pytest.mark.parametrize("mode", ["RGBA", "RGB", "L", "LA", "P", "1"])
def test_every_kind_of_png(
    tmp_path: Path, mode: str, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    seal = Seal((100, 100, 200, 200), picture=round_seal(mode))

    page = drawn(
        tmp_path, signed(sample(), signer, software_authority, placement=Placement(seal=seal))
    )

    colour = at(page, 150, 150)
    assert colour == RED if mode.startswith("RGB") else colour != (255, 255, 255)


def test_characters_beyond_the_basic_plane(
    tmp_path: Path, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    seal = Seal(PLACE, lines=("𠮷野 龘",))

    pdf = signed(sample(), signer, software_authority, placement=Placement(seal=seal))

    assert "𠮷野 龘" in _text(tmp_path, pdf)


def test_what_cannot_be_shown_is_refused(
    tmp_path: Path, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    def attempt(seal: Seal) -> None:
        pades.prepare(
            sample(), signer.certificate, software_authority.now, placement=Placement(seal=seal)
        )

    jpeg = io.BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, "JPEG")
    for picture in (b"", b"x", jpeg.getvalue(), round_seal()[:200]):
        with pytest.raises(Unprocessable, match=r"seal.picture"):
            attempt(Seal(PLACE, picture=picture))
    with pytest.raises(TooLarge):
        attempt(Seal(PLACE, picture=bytes(MAX_PICTURE_BYTES + 1)))
    with pytest.raises(TooLarge):
        attempt(Seal(PLACE, picture=round_seal(size=2001)))
    with pytest.raises(Unprocessable, match=r"seal.page"):
        attempt(Seal(PLACE, page=7, lines=LINES))
    with pytest.raises(Unprocessable, match=r"seal.text"):
        attempt(Seal(PLACE, lines=("\ue000",)))
    with pytest.raises(Unprocessable, match=r"seal.place"):
        attempt(Seal((0, 0, 24, 24), lines=("一" * 80,)))
    with pytest.raises(Unavailable, match=r"seal.font"):
        attempt(Seal(PLACE, lines=LINES, font=tmp_path / "none.ttc"))
    wrongs: tuple[dict[str, Any], ...] = (
        {"rectangle": (0, 0, 1, 1)}, {"lines": ("a\nb",)}, {"lines": ("",)},
        {"lines": ("x",) * 13}, {"verification_url": "javascript:alert(1)"},
    )  # fmt: skip
    for wrong in wrongs:
        with pytest.raises(Refusal, match=r"seal\."):
            Seal(**{"rectangle": PLACE, **wrong})


def _text(directory: Path, pdf: bytes, page: int = 1) -> str:
    (directory / "text.pdf").write_bytes(pdf)
    command = ["pdftotext", "-f", str(page), "-l", str(page), "-layout", "text.pdf", "-"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    return "\n".join(line.strip() for line in done.stdout.splitlines())


def _in(directory: Path, name: str) -> Path:
    (directory / name).mkdir()
    return directory / name
