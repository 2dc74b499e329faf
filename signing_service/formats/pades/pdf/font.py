"""A font for the seal's text: the few glyphs that are needed, embedded (ISO 32000-2, 9.7).

The outlines come from a font on the machine that has the Chinese characters; nothing is fetched.
"""

import io
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from kernel.refusals import Unavailable, Unprocessable
from signing_service.formats.pades.pdf.syntax import Name, Ref, Stream
from signing_service.formats.pades.pdf.update import Update

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

DEFAULT_FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
"""Debian's fonts-noto-cjk (SIL Open Font License)."""
_SIMPLIFIED_CHINESE = "Noto Sans CJK SC"
_MAX_COLLECTION = 64
_UNITS = 1000
_SYMBOLIC = 4
_DROPPED = ["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx", "DSIG", "meta"]
_one_at_a_time = Lock()


@dataclass(frozen=True, slots=True)
class Glyphs:
    """A subset of a font: enough for one text."""

    program: bytes
    """CFF, with the original's glyph numbers (CIDs)."""
    name: str
    codes: dict[str, int]
    """CID by character."""
    widths: dict[int, int]
    """Advance by CID, in thousandths of the size."""
    box: tuple[int, int, int, int]
    ascent: int
    descent: int

    def width(self, text: str) -> float:
        """How wide a line is at size 1."""
        return sum(self.widths[self.codes[character]] for character in text) / _UNITS

    def encode(self, text: str) -> bytes:
        """The string that shows a line (Identity-H)."""
        return b"".join(self.codes[character].to_bytes(2, "big") for character in text)


@lru_cache(maxsize=64)
def glyphs(characters: frozenset[str], path: Path = DEFAULT_FONT) -> Glyphs:
    """The glyphs of some characters. Raises Unavailable `seal.font` where the font is not there;
    Unprocessable `seal.text` for a character that it does not have."""
    with _one_at_a_time:
        font = _open(path)
        try:
            return _subset(font, characters)
        finally:
            font.close()


def embed(update: Update, subset: Glyphs) -> Ref:
    """The font as objects of the update: Type 0 over CIDFontType0, with its way back to text."""
    program = update.add(
        Stream(
            {"Subtype": Name("CIDFontType0C"), "Filter": Name("FlateDecode")},
            zlib.compress(subset.program),
        )
    )
    descriptor = update.add(
        {
            "Type": Name("FontDescriptor"), "FontName": Name(subset.name), "Flags": _SYMBOLIC,
            "FontBBox": list(subset.box), "ItalicAngle": 0, "Ascent": subset.ascent,
            "Descent": subset.descent, "CapHeight": subset.ascent, "StemV": 80,
            "FontFile3": program,
        }
    )  # fmt: skip
    widths: list[object] = []
    for code, width in sorted(subset.widths.items()):
        widths += [code, [width]]
    descendant = update.add(
        {
            "Type": Name("Font"), "Subtype": Name("CIDFontType0"), "BaseFont": Name(subset.name),
            "CIDSystemInfo": {"Registry": b"Adobe", "Ordering": b"Identity", "Supplement": 0},
            "FontDescriptor": descriptor, "DW": _UNITS, "W": widths,
        }
    )  # fmt: skip
    return update.add(
        {
            "Type": Name("Font"), "Subtype": Name("Type0"), "BaseFont": Name(subset.name),
            "Encoding": Name("Identity-H"), "DescendantFonts": [descendant],
            "ToUnicode": update.add(_to_unicode(subset)),
        }
    )  # fmt: skip


def _open(path: Path) -> "TTFont":
    from fontTools.ttLib import TTFont, TTLibError  # slow to load, and seldom needed

    try:
        for number in range(_MAX_COLLECTION):
            font = TTFont(path, fontNumber=number, lazy=True)
            last = getattr(font.reader, "numFonts", 1) - 1
            if number >= last or font["name"].getDebugName(1) == _SIMPLIFIED_CHINESE:
                return font
            font.close()
    except (OSError, TTLibError):
        pass
    raise Unavailable("seal.font", "the font for Chinese text is not installed")


def _subset(font: "TTFont", characters: frozenset[str]) -> Glyphs:
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    known = font.getBestCmap()
    missing = sorted(character for character in characters if ord(character) not in known)
    if missing or "CFF " not in font:
        raise Unprocessable(
            "seal.text", "the font does not have a character", character="".join(missing[:1])
        )
    options = Options(
        layout_features=[], name_IDs=[], hinting=False, desubroutinize=True, notdef_outline=True
    )
    options.drop_tables += _DROPPED
    subsetter = Subsetter(options)
    subsetter.populate(text="".join(sorted(characters)))
    codes = {character: _code(known[ord(character)]) for character in characters}
    scale = _UNITS / font["head"].unitsPerEm
    metrics = font["hmtx"]
    widths = {
        codes[character]: round(metrics[known[ord(character)]][0] * scale)
        for character in characters
    }
    ascent, descent = font["hhea"].ascent, font["hhea"].descent
    subsetter.subset(font)
    name = font["CFF "].cff.fontNames[0]
    head = font["head"]
    box = tuple(round(value * scale) for value in (head.xMin, head.yMin, head.xMax, head.yMax))
    buffer = io.BytesIO()
    font.save(buffer)
    saved = TTFont(io.BytesIO(buffer.getvalue()), lazy=True)
    return Glyphs(
        saved.reader["CFF "], f"PORTSL+{name}", codes, widths, box,
        round(ascent * scale), round(descent * scale),
    )  # fmt: skip


def _code(glyph: str) -> int:
    """The CID of a glyph of a CID-keyed font, as fontTools names it."""
    if not (glyph.startswith("cid") and glyph[3:].isdigit()):
        raise Unavailable("seal.font", "the font for Chinese text is not a CID-keyed one")
    return int(glyph[3:])


def _to_unicode(subset: Glyphs) -> Stream:
    """A ToUnicode CMap (9.10.3), in blocks of at most a hundred."""
    pairs = [
        b"<%04X> <%s>" % (code, character.encode("utf-16-be").hex().upper().encode())
        for character, code in sorted(subset.codes.items())
    ]
    blocks = [
        b"%d beginbfchar\n%s\nendbfchar\n" % (len(block), b"\n".join(block))
        for block in (pairs[start : start + 100] for start in range(0, len(pairs), 100))
    ]
    text = (
        b"/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        b"/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n"
        b"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        b"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
        + b"".join(blocks)
        + b"endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend"
    )
    return Stream({"Filter": Name("FlateDecode")}, zlib.compress(text))
