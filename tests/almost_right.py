"""Signature values of r and s that are almost right: the classes of Project Wycheproof."""

from collections.abc import Callable

from kernel.asn1 import der

Change = Callable[[int, int], bytes]


def values(n: int, p: int) -> dict[str, Change]:
    """By name, what is made of the right r and s: `n` is the order, `p` the field's prime."""
    return {
        "r zero": lambda r, s: der.sequence(der.integer(0), der.integer(s)),
        "s zero": lambda r, s: der.sequence(der.integer(r), der.integer(0)),
        "both zero": lambda r, s: der.sequence(der.integer(0), der.integer(0)),
        "both one": lambda r, s: der.sequence(der.integer(1), der.integer(1)),
        "r is n": lambda r, s: der.sequence(der.integer(n), der.integer(s)),
        "s is n": lambda r, s: der.sequence(der.integer(r), der.integer(n)),
        "r plus n": lambda r, s: der.sequence(der.integer(r + n), der.integer(s)),
        "s plus n": lambda r, s: der.sequence(der.integer(r), der.integer(s + n)),
        "r minus n": lambda r, s: der.sequence(der.integer(r - n), der.integer(s)),
        "s negative": lambda r, s: der.sequence(der.integer(r), der.integer(-s)),
        "r of the field": lambda r, s: der.sequence(der.integer(p), der.integer(s)),
        "r huge": lambda r, s: der.sequence(der.integer(r + (n << 2048)), der.integer(s)),
        "swapped": lambda r, s: der.sequence(der.integer(s), der.integer(r)),
        "leading zeros in r": lambda r, s: der.sequence(_long_integer(r), der.integer(s)),
        "leading zeros in s": lambda r, s: der.sequence(der.integer(r), _long_integer(s)),
        "sign bit lost": lambda r, s: der.sequence(
            der.tlv(0x02, r.to_bytes(32, "big") if r >> 255 else b"\xff" * 32), der.integer(s)
        ),
        "long form of the length": lambda r, s: (
            lambda body: b"\x30\x81" + bytes([len(body)]) + body
        )(der.integer(r) + der.integer(s)),
        "indefinite length": lambda r, s: b"\x30\x80" + der.integer(r) + der.integer(s) + b"\0\0",
        "data after the sequence": lambda r, s: (
            der.sequence(der.integer(r), der.integer(s)) + b"\0"
        ),
        "data inside the sequence": lambda r, s: der.sequence(
            der.integer(r), der.integer(s), der.NULL
        ),
        "three integers": lambda r, s: der.sequence(*[der.integer(v) for v in (r, s, 1)]),
        "one integer": lambda r, s: der.sequence(der.integer(r)),
        "a set": lambda r, s: der.tlv(0x31, der.integer(r) + der.integer(s)),
        "octet strings": lambda r, s: der.sequence(
            *[der.octet_string(v.to_bytes(32, "big")) for v in (r, s)]
        ),
        "raw": lambda r, s: r.to_bytes(32, "big") + s.to_bytes(32, "big"),
        "cut short": lambda r, s: der.sequence(der.integer(r), der.integer(s))[:-1],
        "a null": lambda r, s: der.NULL,
        "a null and s": lambda r, s: der.sequence(der.NULL, der.integer(s)),
        "empty sequence": lambda r, s: der.sequence(),
        "an octet": lambda r, s: b"\0",
    }


def _long_integer(value: int) -> bytes:
    """An INTEGER with a leading octet too many."""
    return der.tlv(0x02, b"\0" + der.integer(value)[2:])
