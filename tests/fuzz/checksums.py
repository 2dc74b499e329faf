"""Checksums made right again, so that what a fuzzer changes is read and not refused at the door."""

import struct
import zlib

_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = b"PK\x01\x02"
_PNG_START = 8


def mended_png(data: bytes) -> bytes:
    """Every chunk's CRC as it should be."""
    mended, position = bytearray(data), _PNG_START
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        end = position + 12 + length
        if end > len(data):
            break
        crc = zlib.crc32(data[position + 4 : end - 4])
        mended[end - 4 : end] = crc.to_bytes(4, "big")
        position = end
    return bytes(mended)


def mended_zip(data: bytes) -> bytes:
    """The CRC of every entry that is not packed, in both its headers."""
    mended, position, checksums = bytearray(data), 0, []
    while position + _LOCAL.size <= len(data) and data[position : position + 2] == b"PK":
        signature, _, _, method, _, _, _, packed, _, name, extra = _LOCAL.unpack_from(
            data, position
        )
        if signature != b"PK\x03\x04":
            break
        begin = position + _LOCAL.size + name + extra
        crc = data[position + 14 : position + 18]
        if method == 0:
            crc = zlib.crc32(data[begin : begin + packed]).to_bytes(4, "little")
            mended[position + 14 : position + 18] = crc
        checksums.append(crc)
        position = begin + packed
    for crc in checksums:
        position = data.find(_CENTRAL, position)
        if position < 0 or position + 20 > len(data):
            break
        mended[position + 16 : position + 20] = crc
        position += 4
    return bytes(mended)
