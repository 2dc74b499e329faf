"""Regional authorities: which of several issues for whom.

A unified social credit code names the registration district in its third to eighth character
(GB 32100-2015, GB/T 2260). The authority whose districts fit issues; where none does, the one of
the house.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol
from weakref import WeakKeyDictionary

from ca.authority import Authority
from ca.issuing.issuance import CertificateRequest, IssuanceIntent, IssuedCertificate
from ca.issuing.subject import SubjectFields
from kernel.asn1.certificate import Certificate
from kernel.identifiers import ProfileName
from kernel.refusals import Conflict

_USCC = len("NTRCN-")
_DISTRICT = slice(_USCC + 2, _USCC + 8)


class Issuing(Protocol):
    """What registration asks of an authority, or of several."""

    @property
    def certificate(self) -> Certificate | None:
        """Of the house's own."""
        ...

    def prepare(
        self, profile: ProfileName | str, request: CertificateRequest
    ) -> IssuanceIntent: ...

    def issue(self, intent: IssuanceIntent) -> IssuedCertificate: ...

    def path_of(self, certificate: Certificate) -> tuple[Certificate, ...]:
        """Above a certificate that was issued here: issuer first, root last."""
        ...


class RegionalIssuing:
    """Chooses the authority by the subject's organizationIdentifier. Safe for threads."""

    def __init__(
        self, house: Authority, regions: Sequence[tuple[Authority, Sequence[str]]]
    ) -> None:
        """`regions`: authorities with the beginnings of their districts' codes."""
        self._house = house
        by_district = {district: each for each, districts in regions for district in districts}
        # The longest beginning first: a city before its province.
        self._districts: Mapping[str, Authority] = {
            district: by_district[district]
            for district in sorted(by_district, key=len, reverse=True)
        }
        self._all = (house, *(each for each, _ in regions))
        self._prepared: WeakKeyDictionary[IssuanceIntent, Authority] = WeakKeyDictionary()

    @property
    def certificate(self) -> Certificate | None:
        return self._house.certificate

    def authority_of(self, subject: SubjectFields) -> Authority:
        district = (subject.organization_identifier or "")[_DISTRICT]
        for beginning, authority in self._districts.items():
            if district.startswith(beginning):
                return authority
        return self._house

    def prepare(self, profile: ProfileName | str, request: CertificateRequest) -> IssuanceIntent:
        """See `Authority.prepare`."""
        authority = self.authority_of(request.subject)
        intent = authority.prepare(profile, request)
        self._prepared[intent] = authority
        return intent

    def issue(self, intent: IssuanceIntent) -> IssuedCertificate:
        """See `Authority.issue`."""
        authority = self._prepared.get(intent)
        if authority is None:
            raise Conflict("intent.used", "an intent is issued once, where it was prepared")
        return authority.issue(intent)

    def path_of(self, certificate: Certificate) -> tuple[Certificate, ...]:
        for each in self._all:
            if each.certificate is not None and certificate.is_signed_by(each.certificate):
                return each.path_of(certificate)
        return self._house.path_of(certificate)
