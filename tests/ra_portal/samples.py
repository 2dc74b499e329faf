"""Synthetic applications and scans. Every enterprise, person and code is invented."""

import io
import random
import struct
import zlib
from collections.abc import Callable

import pikepdf
from PIL import Image

from kernel.identifiers import uscc_check_character
from ra_portal.papers.documents import Upload


def uscc(number: int = 1) -> str:
    body = f"91330201MA2AB{number:04d}"
    return body + uscc_check_character(body)


def details(number: int = 1, **changes: str) -> dict[str, object]:
    return {
        "uscc": uscc(number),
        "name": f"宁波东海样本进出口有限公司{number}",
        "customs_code": f"33029{number:05d}",
        "legal_representative": "王样本",
        "region": "浙江 宁波",
        "phone": "0574-5550 1234",
        "email": "customs@sample.example",
        **changes,
    }


def png(width: int = 640, height: int = 480, seed: int = 1) -> bytes:
    """A grey noise image: as large as its pixels, and decodable."""
    noise = random.Random(seed)
    rows = b"".join(b"\x00" + noise.randbytes(width) for _ in range(height))
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(rows, 1))
        + _chunk(b"IEND", b"")
    )


def jpeg(width: int = 800, height: int = 600, padding: int = 8000) -> bytes:
    """A grey sheet with `padding` octets of comment in it."""
    written = io.BytesIO()
    Image.new("L", (width, height), 200).save(written, "JPEG", quality=20, optimize=True)
    plain, comments = written.getvalue(), b""
    while padding > 0:
        length = min(padding, 65_000)
        comments += b"\xff\xfe" + struct.pack(">H", length + 2) + b"\x55" * length
        padding -= length
    return plain[:2] + comments + plain[2:]


def pdf(change: Callable[[pikepdf.Pdf], None] = lambda pdf: None, pages: int = 1) -> bytes:
    """White sheets, objects compressed; `change` puts into it what it likes."""
    sheets = [Image.new("RGB", (620, 877), "white") for _ in range(pages)]
    written, changed = io.BytesIO(), io.BytesIO()
    sheets[0].save(written, "PDF", save_all=True, append_images=sheets[1:])
    with pikepdf.open(written) as made:
        change(made)
        made.save(changed, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    return changed.getvalue()


def identity_number(number: int = 1) -> str:
    """Of nobody: the region 999999 does not exist."""
    body = f"99999919700101{number:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, weights, strict=True)) % 11]


def scan() -> Upload:
    return Upload(png(), "营业执照.png")


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + checksum
