"""Whom we trust: several authorities, each with its own certificates, policy and validity."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kernel.asn1.certificate import Certificate
from signing_service.validation.names import NameKey, name_key


class Purpose(StrEnum):
    """What an authority's certificates may be trusted for."""

    SIGNATURE = "signature"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True)
class TrustedAuthority:
    """One authority: its trust anchors and the terms on which they are trusted."""

    name: str
    certificates: tuple[Certificate, ...]
    """Trust anchors: any one of them ends a path (RFC 5280, 6.1.1 d)."""
    policies: tuple[str, ...] = ()
    """Certificate policies of which a path must hold one; empty: any."""
    token_policies: frozenset[str] = frozenset()
    """Certificate policies under which this authority certifies only keys that were made in the
    holder's token and are used there after a PIN: evidence for article 13 (1) and (2)."""
    purposes: frozenset[Purpose] = frozenset(Purpose)
    trusted_from: datetime | None = None
    trusted_until: datetime | None = None
    """None: as long as the anchor's own certificate is valid."""

    def trusts_at(self, anchor: Certificate, at: datetime) -> bool:
        """Whether `anchor` is trusted at that time."""
        start = self.trusted_from or anchor.not_before
        end = self.trusted_until or anchor.not_after
        return start <= at <= end


@dataclass(frozen=True)
class TrustAnchors:
    """All trusted authorities, with intermediate certificates that help to build paths.

    Intermediates are not trusted by themselves: a path must end on an anchor.
    """

    authorities: tuple[TrustedAuthority, ...]
    intermediates: tuple[Certificate, ...] = ()
    _by_subject: dict[NameKey | bytes, tuple[Certificate, ...]] = field(
        init=False, repr=False, compare=False
    )
    _configured: frozenset[str] = field(init=False, repr=False, compare=False)
    _authority_of: dict[str, tuple[TrustedAuthority, ...]] = field(
        init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        authority_of: dict[str, tuple[TrustedAuthority, ...]] = {}
        for authority in self.authorities:
            for anchor in authority.certificates:
                known = authority_of.get(anchor.fingerprint, ())
                authority_of[anchor.fingerprint] = (*known, authority)
        anchors = [anchor for one in self.authorities for anchor in one.certificates]
        object.__setattr__(self, "_authority_of", authority_of)
        configured = [*anchors, *self.intermediates]
        object.__setattr__(self, "_by_subject", _by_subject(configured))
        object.__setattr__(self, "_configured", frozenset(c.fingerprint for c in configured))

    def is_configured(self, certificate: Certificate) -> bool:
        """Whether we named it ourselves: then nobody need prove that it existed in time."""
        return certificate.fingerprint in self._configured

    def named(self, name: bytes) -> tuple[Certificate, ...]:
        """Anchors and intermediates of that subject (Name, DER)."""
        return self._by_subject.get(name_key(name), ())

    def authorities_of(self, certificate: Certificate) -> tuple[TrustedAuthority, ...]:
        """The authorities of which `certificate` is an anchor; empty: it is none."""
        return self._authority_of.get(certificate.fingerprint, ())

    def issuer_candidates(
        self, certificate: Certificate, others: Iterable[Certificate] = ()
    ) -> Iterator[Certificate]:
        """Certificates that may have issued `certificate`, anchors and matching key identifiers
        first, without looking at the signature. `others` come from the signature itself."""
        name = name_key(certificate.issuer_der)
        found = dict.fromkeys(self._by_subject.get(name, ()))
        found.update(dict.fromkeys(o for o in others if name_key(o.subject_der) == name))
        wanted = certificate.authority_key_identifier

        def rank(candidate: Certificate) -> tuple[bool, bool]:
            own = candidate.subject_key_identifier
            differs = wanted is not None and own is not None and own != wanted
            return differs, not self.authorities_of(candidate)

        return iter(sorted(found, key=rank))


def _by_subject(
    certificates: Iterable[Certificate],
) -> dict[NameKey | bytes, tuple[Certificate, ...]]:
    index: dict[NameKey | bytes, tuple[Certificate, ...]] = {}
    for certificate in dict.fromkeys(certificates):
        name = name_key(certificate.subject_der)
        index[name] = (*index.get(name, ()), certificate)
    return index
