"""Synthetic applications and scans. Every enterprise, person and code is invented."""

import random
import struct
import zlib

from kernel.identifiers import uscc_check_character
from ra_portal.registration import Upload


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
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    return (
        b"\xff\xd8\xff\xe0"
        + struct.pack(">H", 16)
        + b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
        + b"\xff\xc0"
        + struct.pack(">H", len(frame) + 2)
        + frame
        + b"\xff\xda"
        + struct.pack(">H", 8)
        + b"\x01\x01\x00\x00\x3f\x00"
        + b"\x55" * padding
        + b"\xff\xd9"
    )


def scan() -> Upload:
    return Upload(png(), "营业执照.png")


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + checksum
