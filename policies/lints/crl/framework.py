"""What a lint of revocation lists is, and the list's frame as a lint reads it.

Entries are judged by their outline: a list of a million is signed in seconds, and each entry was
encoded by one function from a serial number, a time and a reason.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed
from policies.lints.framework import Finding, Level, cited

_HEAD = 1024
"""Octets of the entries that are looked at."""


@dataclass(frozen=True)
class ListExtension:
    critical: bool
    value: bytes


@dataclass(frozen=True)
class RevocationList:
    """A TBSCertList to judge (RFC 5280, 5.1.2), beside the issuer that is about to sign it."""

    issuer: Certificate
    version: bytes
    algorithm: bytes
    issuer_name: bytes
    this_update: bytes
    next_update: bytes
    entries: bytes | None
    """The beginning of revokedCertificates' content; None: absent."""
    extensions: dict[str, ListExtension]
    """By dotted type."""
    repeated: bool
    """An extension stands twice."""


@dataclass(frozen=True)
class ListLint:
    name: str
    clause: str
    """Of policies/cp-cps.md."""
    standard: str
    check: Callable[[RevocationList], Iterator[str]]

    def findings(self, candidate: RevocationList) -> Iterator[Finding]:
        for message in self.check(candidate):
            yield Finding(Level.ERROR, self.name, cited(self.clause, self.standard), message)


def read(tbs: bytes, issuer: Certificate, known: dict[bytes, str]) -> RevocationList:
    """`known`: dotted extension types by their encoding; another one is refused.

    Raises Malformed `crl.malformed`.
    """
    try:
        parts = list(der.children(tbs, der.read_only(tbs, der.SEQUENCE)))
        whole = [tbs[part.start : part.end] for part in parts[:5]]
        entries = None
        if len(parts) == 7:
            entries = tbs[parts[5].content : min(parts[5].end, parts[5].content + _HEAD)]
        if len(parts) not in (6, 7) or parts[-1].tag != 0xA0:
            raise Malformed("crl.malformed", "fields missing or in excess")
        (listed,) = der.children(tbs, parts[-1])
        found: dict[str, ListExtension] = {}
        count = 0
        for extension in der.children(tbs, listed):
            kind, *flag, value = der.children(tbs, extension)
            dotted = known[tbs[kind.start : kind.end]]
            critical = any(tbs[each.start : each.end] == der.TRUE for each in flag)
            found[dotted] = ListExtension(critical, tbs[value.content : value.end])
            count += 1
    except (ValueError, KeyError, Malformed) as error:
        raise Malformed("crl.malformed", "not a revocation list as this house makes it") from error
    version, algorithm, name, this, following = whole
    return RevocationList(
        issuer, version, algorithm, name, this, following, entries, found, count > len(found)
    )
