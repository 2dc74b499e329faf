"""Entries stand or the field is absent; the first has the outline of an entry."""

from collections.abc import Iterator

from kernel.asn1 import der
from kernel.refusals import Malformed
from policies.lints.crl.framework import ListLint, RevocationList

_LONGEST = 64
"""Octets of an entry of this house: serial of 21, time of 17, one reason."""


def check(candidate: RevocationList) -> Iterator[str]:
    entries = candidate.entries
    if entries is None:
        return
    if not entries:
        yield "an empty list of entries: it is absent when there are none"
        return
    try:
        element = der.read(entries)
        serial, at, *extensions = (each.tag for each in der.children(entries, element))
    except (ValueError, Malformed):
        yield "the first entry is not one"
        return
    if element.end - element.start > _LONGEST:
        yield "an entry holds more than this house writes"
    shape = (element.tag, serial, at, *extensions)
    if shape[:2] != (0x30, 0x02) or at not in (0x17, 0x18) or extensions not in ([], [0x30]):
        yield "the first entry is not a serial number, a time and extensions"


LINT = ListLint("crl-entries", "7.2.2", "RFC 5280, 5.1.2.6", check)
