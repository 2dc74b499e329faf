"""What goes in and out of an issue: a request, an intent, a certificate."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from ca.issuing.subject import SubjectFields
from kernel.algorithms import PublicKey
from kernel.asn1.certificate import Certificate
from kernel.identifiers import ProfileName, Serial


@dataclass(frozen=True)
class CertificateRequest:
    """What somebody asks to have certified. Possession of the key was proven before."""

    public_key: PublicKey
    subject: SubjectFields
    requester: str
    """Who asks, for the journal: an officer, the ceremony's operator."""
    reference: str
    """The requester's own handle on it: a card's identifier."""
    not_after: datetime | None = None
    """An earlier end of validity than the profile's."""
    dns_names: tuple[str, ...] = ()
    """Of a server, where the profile has them: lower case, whole, without wildcards."""
    succeeds: tuple[int, ...] = ()
    """Serial numbers of certificates of the same key and subject that live: this one stands
    beside them (cross and link certificates) or will take their place (issue under a new key)."""
    companion_of: Serial | None = None
    """The holder's signing certificate, which an encryption certificate goes with."""


@dataclass(frozen=True, eq=False)
class IssuanceIntent:
    """A certificate that is linted and recorded, to be issued once by who prepared it."""

    serial: Serial
    profile: ProfileName
    reference: str
    requester: str
    tbs: bytes = field(repr=False)
    published: bool
    companion_of: Serial | None = None


@dataclass(frozen=True)
class IssuedCertificate:
    der: bytes = field(repr=False)
    serial: Serial
    chain: tuple[Certificate, ...]
    """The certificates above it, issuer first, root last; none above a root."""

    @cached_property
    def certificate(self) -> Certificate:
        return Certificate.parse(self.der)
