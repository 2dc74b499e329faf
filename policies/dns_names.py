"""What a DNS name in a certificate looks like: whole, lower case, no wildcard, no trick."""

import re

from kernel.refusals import Reason

MOST_NAMES = 20
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST = 253


def fault_of_dns_name(name: str) -> Reason | None:
    """Why this is no name for a certificate, or None (RFC 5280, 4.2.1.6; RFC 1123, 2.1)."""
    if len(name) > _LONGEST:
        return Reason("longer than {longest} characters", {"longest": _LONGEST})
    labels = name.split(".")
    if len(labels) < 2:
        return Reason("not a whole name")
    if not all(_LABEL.fullmatch(label) for label in labels):
        return Reason("not lower-case letters, digits and hyphens in labels of 1 to 63")
    if labels[-1].isdigit():
        return Reason("an address, not a name")
    for label in labels:
        if label[2:4] == "--" and not _is_a_label(label):
            return Reason("an internationalised label that does not decode")
    return None


def _is_a_label(label: str) -> bool:
    """RFC 5890, 2.3.2.1: xn-- and Punycode that gives other text than ASCII."""
    if not label.startswith("xn--"):
        return False
    try:
        return not label[4:].encode("ascii").decode("punycode").isascii()
    except UnicodeError:
        return False
