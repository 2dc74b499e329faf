"""Pictures of uploaded pages, made by us: decoded, scaled down, written again without metadata.

So nothing that an applicant uploads reaches another person's browser. A PDF is read in a process of
its own that may use little memory and time: its reader is much code, in C++.
"""

import io
import subprocess
import sys
from dataclasses import dataclass

from PIL import Image, ImageOps

from kernel.refusals import Malformed, Refusal, Unavailable, Unprocessable

LONGEST_EDGE = 1800
"""Pixels of a picture: an A4 page at about 150 dots per inch."""
MOST_PAGES = 10
PICTURE_TYPE = "image/jpeg"
_QUALITY = 82
_SECONDS = 20

REFUSALS: dict[str, Refusal] = {
    "damaged": Malformed("licence.damaged", "the scan is damaged or not wholly of its type"),
    "active": Unprocessable(
        "licence.active", "the PDF holds scripts, actions, files or forms: print it to a plain PDF"
    ),
    "encrypted": Unprocessable("licence.encrypted", "the PDF is encrypted"),
    "pages": Unprocessable("licence.pages", "the PDF has no page, or more than ten"),
}
"""What the process that reads PDFs may say."""


@dataclass(frozen=True)
class Picture:
    """One page as people see it; JPEG."""

    content: bytes


def picture_of(content: bytes, media_type: str) -> Picture:
    """Of a PNG or JPEG whose pixels were counted before. Raises Malformed `licence.damaged`."""
    kind = {"image/png": "PNG", "image/jpeg": "JPEG"}[media_type]
    try:
        with Image.open(io.BytesIO(content), formats=[kind]) as image:
            image.draft("RGB", (LONGEST_EDGE, LONGEST_EDGE))
            upright = ImageOps.exif_transpose(image)
            return Picture(encode(upright))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise REFUSALS["damaged"] from None


def encode(image: Image.Image) -> bytes:
    """A picture of at most `LONGEST_EDGE`, its transparency on white, nothing but pixels in it."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer.getchannel("A"))
    plain = image.convert("RGB")
    plain.thumbnail((LONGEST_EDGE, LONGEST_EDGE))
    written = io.BytesIO()
    plain.save(written, "JPEG", quality=_QUALITY)
    return written.getvalue()


def pictures_of_pdf(content: bytes) -> tuple[Picture, ...]:
    """Raises Malformed `licence.damaged`, Unprocessable `licence.active`, `licence.encrypted`,
    `licence.pages`, Unavailable `licence.reader`."""
    command = [sys.executable, "-m", "ra_portal.papers.pdf_reader"]
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise REFUSALS["damaged"] from None
    except OSError as error:
        raise Unavailable("licence.reader", "the reader of PDF files does not start") from error
    said, _, body = done.stdout.partition(b"\n")
    word, *sizes = said.decode("ascii", "replace").split()
    if word in REFUSALS:
        raise REFUSALS[word]
    if word != "read" or done.returncode:  # it ran out of memory or time, or crashed
        raise REFUSALS["damaged"]
    pictures, start = [], 0
    for size in sizes:
        pictures.append(Picture(body[start : start + int(size)]))
        start += int(size)
    return tuple(pictures)
