"""The visible seal: a picture, lines of text, and a QR code that leads to verification."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import segno

from kernel.refusals import Unprocessable
from signing_service.formats.pades.pdf import font, picture
from signing_service.formats.pades.pdf.syntax import Name, Ref, Stream, Value
from signing_service.formats.pades.pdf.update import Update

MAX_LINES = 12
MAX_LINE = 80
MAX_URL = 512
_MIN_SIDE, _MAX_SIDE = 24.0, 2000.0
"""Points (1/72 inch)."""
_MARGIN = 4.0
_LARGEST_TEXT = 11.0
_SMALLEST_TEXT = 3.0
_LEADING = 1.35
_QUIET_MODULES = 4
_QR_SHARE, _PICTURE_SHARE = 0.4, 0.5
"""Of the width, where there is something else beside them."""
_FRAME = b"0.75 0.1 0.1 RG 0.8 w"


@dataclass(frozen=True, slots=True)
class Seal:
    """What is seen of a signature. Raises Unprocessable `seal.text`, `seal.place`, `seal.url`."""

    rectangle: tuple[float, float, float, float]
    """Left, bottom, right, top, in points from the page's lower left corner. A field that
    exists already keeps its own."""
    page: int = 0
    """From zero; -1 is the last."""
    lines: tuple[str, ...] = ()
    picture: bytes | None = None
    """PNG, such as an enterprise's round seal."""
    verification_url: str | None = None
    """What the QR code says: https, where the document can be verified."""
    font: Path = font.DEFAULT_FONT

    def __post_init__(self) -> None:
        left, bottom, right, top = self.rectangle
        if not all(_MIN_SIDE <= side <= _MAX_SIDE for side in (right - left, top - bottom)):
            raise Unprocessable(
                "seal.place", "a seal is {least} points a side, or larger", least=f"{_MIN_SIDE:g}"
            )
        if len(self.lines) > MAX_LINES:
            raise Unprocessable("seal.text", "at most {most} lines", most=MAX_LINES)
        for line in self.lines:
            if not (1 <= len(line) <= MAX_LINE and line.isprintable()):
                raise Unprocessable(
                    "seal.text", "1 to {most} printable characters a line", most=MAX_LINE
                )
        if self.verification_url is not None:
            parts = urlsplit(self.verification_url)
            if len(self.verification_url) > MAX_URL or parts.scheme not in {"https", "http"}:
                raise Unprocessable(
                    "seal.url", "a web address of at most {most} characters", most=MAX_URL
                )


def appearance(update: Update, seal: Seal, corners: Sequence[Value]) -> Ref:
    """The seal as a form XObject (ISO 32000-2, 8.10) that fills the rectangle `corners`.

    Raises Unprocessable `seal.place` and as `font.glyphs` and `picture.read_png`.
    """
    if len(corners) != 4 or not all(isinstance(each, int | float) for each in corners):
        raise Unprocessable("seal.place", "the field has no rectangle")
    width, height = abs(corners[2] - corners[0]), abs(corners[3] - corners[1])
    if min(width, height) < _MIN_SIDE:
        raise Unprocessable("seal.place", "the field's rectangle is too small for a seal")
    canvas = _Canvas(update, width, height)
    parts = [part for part in (seal.picture, seal.lines, seal.verification_url) if part]
    if parts != [seal.picture]:  # a picture alone is a stamp, which has its own outline
        canvas.frame()
    left, right = _MARGIN, width - _MARGIN
    if seal.verification_url is not None:
        share = 1.0 if len(parts) == 1 else _QR_SHARE
        side = min(height - 2 * _MARGIN, (right - left) * share)
        x = (width - side) / 2 if len(parts) == 1 else right - side
        canvas.qr_code(seal.verification_url, x, (height - side) / 2, side)
        right = x - _MARGIN
    if seal.picture is not None:
        left = canvas.picture(seal.picture, left, right, share=_PICTURE_SHARE if seal.lines else 1)
    if seal.lines:
        canvas.text(seal.lines, left, right, seal.font)
    return canvas.finish()


class _Canvas:
    """Content of one appearance, with the resources that it needs."""

    def __init__(self, update: Update, width: float, height: float) -> None:
        self._update = update
        self._width = width
        self._height = height
        self._content: list[bytes] = []
        self._resources: dict[str, Value] = {}

    def frame(self) -> None:
        box = _numbers(0.4, 0.4, self._width - 0.8, self._height - 0.8)
        self._content.append(b"q " + _FRAME + b" " + box + b" re S Q")

    def qr_code(self, url: str, x: float, y: float, side: float) -> None:
        """Modules as squares on white, with the quiet zone that readers need."""
        matrix = segno.make_qr(url, error="m").matrix
        module = side / (len(matrix) + 2 * _QUIET_MODULES)
        parts = [b"q 1 g", _numbers(x, y, side, side) + b" re f 0 g"]
        parts.append(_numbers(module, 0, 0, module, x, y) + b" cm")
        for row, cells in enumerate(matrix):
            top = len(matrix) + _QUIET_MODULES - 1 - row
            for start, length in _dark_runs(cells):
                parts.append(_numbers(start + _QUIET_MODULES, top, length, 1) + b" re")
        self._content.append(b"\n".join([*parts, b"f Q"]))

    def picture(self, png: bytes, left: float, right: float, *, share: float) -> float:
        """The picture in the middle of the left `share`, as high as there is room; where the
        text may begin."""
        image = picture.read_png(png)
        room_x, room_y = (right - left) * share, self._height - 2 * _MARGIN
        scale = min(room_x / image.width, room_y / image.height)
        width, height = image.width * scale, image.height * scale
        self._resources["XObject"] = {"Picture": picture.embed(self._update, image)}
        x = left if share < 1 else left + (room_x - width) / 2
        matrix = _numbers(width, 0, 0, height, x, (self._height - height) / 2)
        self._content.append(b"q " + matrix + b" cm /Picture Do Q")
        return left + width + _MARGIN

    def text(self, lines: Sequence[str], left: float, right: float, path: Path) -> None:
        """Lines from the middle outwards, as large as they fit."""
        subset = font.glyphs(frozenset("".join(lines)), path)
        widest = max(map(subset.width, lines))
        room = self._height - 2 * _MARGIN
        size = min(_LARGEST_TEXT, (right - left) / widest, room / (len(lines) * _LEADING))
        if size < _SMALLEST_TEXT:
            raise Unprocessable("seal.place", "the seal is too small for its text")
        self._resources["Font"] = {"Text": font.embed(self._update, subset)}
        block = size * _LEADING * len(lines)
        baseline = (self._height + block) / 2 - size
        parts = [b"q 0.1 0.1 0.1 rg BT /Text " + _numbers(size) + b" Tf"]
        parts.append(_numbers(size * _LEADING) + b" TL " + _numbers(left, baseline) + b" Td")
        parts += [b"<" + subset.encode(line).hex().encode() + b"> Tj T*" for line in lines]
        self._content.append(b"\n".join([*parts, b"ET Q"]))

    def finish(self) -> Ref:
        dictionary = {
            "Type": Name("XObject"), "Subtype": Name("Form"),
            "BBox": [0, 0, float(self._width), float(self._height)],
            "Resources": self._resources, "Filter": Name("FlateDecode"),
        }  # fmt: skip
        return self._update.add(Stream(dictionary, zlib.compress(b"\n".join(self._content))))


def _dark_runs(cells: bytearray) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for column, cell in enumerate(cells):
        if not cell & 1:
            continue
        if runs and sum(runs[-1]) == column:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((column, 1))
    return runs


def _numbers(*values: float) -> bytes:
    return b" ".join(f"{value:.3f}".rstrip("0").rstrip(".").encode() for value in values)
