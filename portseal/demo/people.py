"""Synthetic people, enterprise and licence. Nobody here exists."""

import struct
import zlib

ENTERPRISE = {
    "uscc": "91310115MA1K3XY208",
    "name": "上海示例报关有限公司",
    "customs_code": "3122980003",
    "legal_representative": "示例法人",
    "region": "上海",
}
OPERATOR = {"name": "示例操作员", "employee_number": "0042"}
RELIEF = tuple(
    {"name": f"示例替班员{number}", "employee_number": f"004{number}"} for number in (3, 4, 5)
)
OFFICERS = {
    "registrar": ("示例录入员", ("registrar", "approver")),
    "approver": ("示例审核员", ("approver",)),
    "administrator": ("示例管理员", ("administrator",)),
    "auditor": ("示例审计员", ("auditor",)),
    "system-administrator": ("示例系统管理员", ("system-administrator",)),
    "audit-administrator": ("示例审计管理员", ("audit-administrator",)),
}
"""USB key label -> name and roles. The registrar may also approve, but not what he registered."""


def licence_png(width: int = 720, height: int = 480) -> bytes:
    """A scanned licence, as far as a machine can tell: a PNG of a framed sheet of paper."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            frame = min(x, y, width - 1 - x, height - 1 - y)
            ink = 14 <= frame <= 18 or (80 < y < 400 and y % 40 < 3 and 90 < x < width - 90)
            grain = (x * 31 + y * 17 + (x * y) % 23) % 9
            rows += bytes((170, 40, 45)) if ink else bytes((244 - grain, 240 - grain, 228 - grain))
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(bytes(rows), 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))
