"""The picture of a seal: PNG in, an image of the PDF out, with its transparency."""

import io
import warnings
import zlib
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, UnidentifiedImageError

from kernel.refusals import TooLarge, Unprocessable
from signing_service.formats.pades.pdf.syntax import Name, Ref, Stream
from signing_service.formats.pades.pdf.update import Update

MAX_PICTURE_BYTES = 1024 * 1024
MAX_PICTURE_SIDE = 2000
"""Pixels."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Decoded once, compressed for PDF."""

    width: int
    height: int
    colours: bytes
    """DeviceRGB, eight bits, deflated."""
    opacity: bytes | None
    """DeviceGray, eight bits, deflated; None where everything is opaque."""


@lru_cache(maxsize=32)
def read_png(png: bytes) -> Picture:
    """Raises TooLarge `seal.picture-too-large`; Unprocessable `seal.picture` for anything but a
    PNG picture."""
    if len(png) > MAX_PICTURE_BYTES:
        raise TooLarge("seal.picture-too-large", "at most {most} octets", most=MAX_PICTURE_BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
                if max(image.size) > MAX_PICTURE_SIDE:
                    raise TooLarge(
                        "seal.picture-too-large",
                        "at most {most} pixels a side",
                        most=MAX_PICTURE_SIDE,
                    )
                pixels = image.convert("RGBA")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Warning):
        raise Unprocessable("seal.picture", "not a PNG picture") from None
    alpha = pixels.getchannel("A")
    is_opaque = alpha.getextrema() == (255, 255)
    return Picture(
        pixels.width,
        pixels.height,
        zlib.compress(pixels.convert("RGB").tobytes()),
        None if is_opaque else zlib.compress(alpha.tobytes()),
    )


def embed(update: Update, picture: Picture) -> Ref:
    """The picture as an image XObject (ISO 32000-2, 8.9.5), its opacity as a soft mask."""
    dictionary = {
        "Type": Name("XObject"), "Subtype": Name("Image"), "Width": picture.width,
        "Height": picture.height, "BitsPerComponent": 8, "Filter": Name("FlateDecode"),
    }  # fmt: skip
    colours = {**dictionary, "ColorSpace": Name("DeviceRGB")}
    if picture.opacity is not None:
        mask = Stream({**dictionary, "ColorSpace": Name("DeviceGray")}, picture.opacity)
        colours["SMask"] = update.add(mask)
    return update.add(Stream(colours, picture.colours))
