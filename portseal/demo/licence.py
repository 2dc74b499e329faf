"""A business licence of nobody: what an applicant of the demonstration scans and hands in.

It has the place for everything that the real one has, and says across the sheet that it is a
sample. The Chinese is written where the machine has the font for it, and else left out.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import segno
from PIL import Image, ImageDraw, ImageFont

from portseal.demo.people import ENTERPRISE

_FONT = Path("/usr/share/fonts/opentype/noto/NotoSerifCJK-Bold.ttc")
"""Debian's fonts-noto-cjk."""
_SIMPLIFIED = 2
"""The face with the mainland's forms in that file."""
_SIZE = WIDTH, HEIGHT = 1080, 760
"""Pixels."""
_PAPER, _FRAME, _INK, _QUIET, _RED = "#fbf6e6", "#b98b3d", "#2a2622", "#7c7265", "#c2262e"
_COLOURS = 24
_SPECIMEN = "样本 SAMPLE"
_REST = (
    ("类型", "Type", "有限责任公司"),
    ("注册资本", "Capital", "人民币壹佰万元整"),
    ("成立日期", "Founded", "2021年03月15日"),
)
_SCOPE = ("货物进出口；报关代理；", "国内货物运输代理；供应链管理服务。")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def licence_png(enterprise: Mapping[str, object] = ENTERPRISE) -> bytes:
    """The scan of its licence, the same for the same enterprise; PNG, some 40 KiB.

    `enterprise`: `name`, `uscc`, `legal_representative` and `region`, as an application has them.
    """
    sheet = Image.new("RGB", _SIZE, _PAPER)
    pen = ImageDraw.Draw(sheet)
    _frame(pen)
    _heading(pen, str(enterprise["uscc"]))
    _facts(pen, enterprise)
    _code(pen, f"SAMPLE {enterprise['uscc']}")
    _seal(pen)
    _write(pen, (WIDTH / 2, HEIGHT - 54), "样本：仅供演示，无法律效力", 20, _RED, "mm",
           latin="Sample: for demonstrations, of no effect")  # fmt: skip
    written = io.BytesIO()
    _across(sheet).quantize(_COLOURS).save(written, "PNG", optimize=True)
    return written.getvalue()


def _frame(pen: ImageDraw.ImageDraw) -> None:
    for inset, width in ((18, 6), (30, 2), (38, 1)):
        pen.rectangle((inset, inset, WIDTH - inset, HEIGHT - inset), outline=_FRAME, width=width)


def _heading(pen: ImageDraw.ImageDraw, uscc: str) -> None:
    _write(pen, (WIDTH / 2, 118), "营 业 执 照", 64, _INK, "mm", latin="LICENCE")
    _write(pen, (WIDTH / 2, 178), "（副 本）", 26, _INK, "mm", latin="of a business (copy)")
    _write(pen, (84, 86), "统一社会信用代码", 18, _QUIET, latin="Unified social credit code")
    _write(pen, (84, 112), uscc, 22, _INK)


def _facts(pen: ImageDraw.ImageDraw, enterprise: Mapping[str, object]) -> None:
    lines = (
        ("名称", "Name", enterprise["name"]),
        ("法定代表人", "Represented by", enterprise["legal_representative"]),
        ("住所", "Seat", f"{enterprise['region']} 样本路1号"),
        *_REST,
        ("经营范围", "Business", _SCOPE[0]),
        ("", "", _SCOPE[1]),
    )
    for index, (label, english, value) in enumerate(lines):
        y = 228 + 52 * index
        _write(pen, (96, y), label, 22, _QUIET, latin=english)
        _write(pen, (250, y), str(value), 24, _INK)


def _code(pen: ImageDraw.ImageDraw, text: str) -> None:
    """A QR code that reads as what it is."""
    module, left, top = 5, WIDTH - 212, 84
    for row, line in enumerate(segno.make(text, error="m", micro=False).matrix):
        for column, dark in enumerate(line):
            if dark:
                x, y = left + module * column, top + module * row
                pen.rectangle((x, y, x + module - 1, y + module - 1), fill=_INK)


def _seal(pen: ImageDraw.ImageDraw) -> None:
    """The registrar's, who does not exist either."""
    x, y, radius = WIDTH - 210, HEIGHT - 190, 88
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=_RED, width=5)
    _write(pen, (x, y - 26), "示例登记机关", 24, _RED, "mm", latin="Registrar")
    _write(pen, (x, y + 18), "样本", 38, _RED, "mm", latin="Sample")
    _write(pen, (x, HEIGHT - 84), "2026年01月08日", 20, _INK, "mm", latin="2026-01-08")


def _across(sheet: Image.Image) -> Image.Image:
    """With the word across the whole sheet, pale enough to read through."""
    layer = Image.new("RGBA", _SIZE, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    _write(pen, (WIDTH / 2, HEIGHT / 2), _SPECIMEN, 150, (194, 38, 46, 44), "mm", latin="SAMPLE")
    turned = layer.rotate(24, resample=Image.Resampling.BICUBIC)
    return Image.alpha_composite(sheet.convert("RGBA"), turned).convert("RGB")


def _write(
    pen: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    ink: str | tuple[int, int, int, int],
    anchor: str = "la",
    *,
    latin: str = "",
) -> None:
    """`latin`: instead, where the font is missing; an ASCII text needs no other."""
    if not _FONT.exists():
        text = text if text.isascii() else latin
    pen.text(at, text, ink, _font(size), anchor)


def _font(size: int) -> Font:
    if _FONT.exists():
        return ImageFont.truetype(_FONT, size, index=_SIMPLIFIED)
    return ImageFont.load_default(size)
