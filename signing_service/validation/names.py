"""Names compared as RFC 5280, 7.1 asks: case, runs of spaces and the string type do not count."""

import unicodedata
from functools import lru_cache

from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed

NameKey = tuple[frozenset[tuple[bytes, bytes | str]], ...]
_ENCODINGS = {
    0x0C: "utf-8",
    0x12: "ascii",
    0x13: "ascii",
    0x14: "latin-1",
    0x16: "ascii",
    0x1A: "ascii",
    0x1C: "utf-32-be",
    0x1E: "utf-16-be",
}


@lru_cache(maxsize=4096)
def name_key(name: bytes) -> NameKey | bytes:
    """What two Names (DER) that mean the same have in common; unreadable ones stay as they are."""
    try:
        return tuple(
            frozenset(_attribute(name, attribute) for attribute in der.children(name, rdn))
            for rdn in der.children(name, der.read_only(name, der.SEQUENCE))
        )
    except (Malformed, ValueError):
        return name


def is_self_issued(certificate: Certificate) -> bool:
    return name_key(certificate.issuer_der) == name_key(certificate.subject_der)


def folded(text: str) -> str:
    """Text for comparison (RFC 5280, 7.1 and RFC 4518, 2, for what certificates carry)."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _attribute(name: bytes, attribute: der.Element) -> tuple[bytes, bytes | str]:
    kind, value = der.children(name, attribute)
    content = name[value.content : value.end]
    encoding = _ENCODINGS.get(value.tag)
    identifier = name[kind.content : kind.end]
    return identifier, content if encoding is None else folded(content.decode(encoding))
