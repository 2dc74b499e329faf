"""ETSI trusted lists (TS 119 612 v2): read strictly, believed only from a pinned signer.

A service that may issue certificates for signatures or timestamps becomes one `TrustedAuthority`
for each period in which its status was good, so that what was signed in such a period stays
valid after the status was withdrawn.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from kernel.asn1.certificate import Certificate
from kernel.refusals import Forbidden, Malformed, Refusal, Unprocessable
from policies.validation import ValidationPolicy
from signing_service.formats import xml_security
from signing_service.formats.xades import whole as xades
from signing_service.trust import Purpose, TrustedAuthority
from signing_service.validation import blocks
from signing_service.validation.constraints import weak_key

NAMESPACE = "http://uri.etsi.org/02231/v2#"
MAX_PROVIDERS = 2_000
MAX_SERVICES = 20_000
MAX_HISTORY = 100
MAX_CERTIFICATES = 64
"""Of one service."""
VERSIONS = frozenset({"5", "6"})

_SERVICES = "http://uri.etsi.org/TrstSvc/Svctype/"
_PURPOSES = {
    f"{_SERVICES}CA/QC": Purpose.SIGNATURE,
    f"{_SERVICES}CA/PKC": Purpose.SIGNATURE,
    f"{_SERVICES}TSA": Purpose.TIMESTAMP,
    f"{_SERVICES}TSA/QTST": Purpose.TIMESTAMP,
    f"{_SERVICES}TSA/TSS-QC": Purpose.TIMESTAMP,
    f"{_SERVICES}TSA/TSS-AdESQCandQES": Purpose.TIMESTAMP,
}
_STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
_OLD_STATUS = "http://uri.etsi.org/TrstSvc/eSigDir-1999-93-EC-TrustedList/Svcstatus/"
_GOOD_WORDS = ("undersupervision", "supervisionincessation", "accredited")
_GOOD = frozenset(
    {f"{_STATUS}granted", f"{_STATUS}recognisedatnationallevel"}
    | {f"{base}{word}" for base in (_STATUS, _OLD_STATUS) for word in _GOOD_WORDS}
)
_INFORMATION = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/"
_FOR_SIGNATURES = frozenset({f"{_INFORMATION}ForeSignatures", f"{_INFORMATION}ForeSeals"})
_ELSEWHERE = f"{_INFORMATION}ForWebSiteAuthentication"
_UNDERSTOOD = frozenset(
    {"AdditionalServiceInformation", "ExpiredCertsRevocationInfo", "Qualifications"}
)


@dataclass(frozen=True)
class TrustedList:
    """A list whose signature was checked."""

    operator: str
    territory: str
    sequence_number: int
    issued_at: datetime
    next_update: datetime
    authorities: tuple[TrustedAuthority, ...]
    unread_services: int
    """Services left out because a certificate or a critical extension of theirs is not
    understood here."""


@dataclass(frozen=True)
class _Period:
    """One status of a service, from its start to the start of the next."""

    kind: str
    name: str
    status: str
    start: datetime
    certificates: tuple[Certificate, ...]
    is_for_signatures: bool


def load_trusted_list(
    data: bytes,
    signers: Sequence[Certificate],
    at: datetime,
    policy: ValidationPolicy,
    *,
    newer_than: int = 0,
) -> TrustedList:
    """Read a list that one of `signers` signed. `newer_than`: the sequence number last seen.

    Raises Malformed `trusted-list.malformed` and as `xades.read`; Forbidden
    `trusted-list.signature`; Unprocessable `trusted-list.version`, `trusted-list.expired`,
    `trusted-list.older`.
    """
    root = xml_security.parse(data)
    if root.tag != _tag("TrustServiceStatusList"):
        raise Malformed("trusted-list.malformed", "not a TrustServiceStatusList")
    _check_signature(data, signers, at, policy)
    try:
        found = _read(root)
    except (ValueError, AttributeError):
        raise Malformed("trusted-list.malformed", "the list's structure is not clear") from None
    if at > found.next_update:
        raise Unprocessable("trusted-list.expired", "a newer list was due")
    if found.sequence_number < newer_than:
        raise Unprocessable("trusted-list.older", "a newer list was seen before")
    return found


def _check_signature(
    data: bytes, signers: Sequence[Certificate], at: datetime, policy: ValidationPolicy
) -> None:
    """TS 119 612, 5.7: one enveloped signature over the whole list, by a pinned certificate."""
    refusal = Forbidden("trusted-list.signature", "the list is not signed by its operator")
    signatures = xades.read(data)
    if len(signatures) != 1:
        raise refusal
    evidence, certificate = signatures[0], signatures[0].signing_certificate
    pinned = {signer.fingerprint for signer in signers}
    if certificate is None or certificate.fingerprint not in pinned:
        raise refusal
    if not evidence.covers_document or not certificate.not_before <= at <= certificate.not_after:
        raise refusal
    findings = (
        blocks.check_format(evidence),
        blocks.identify_certificate(evidence),
        blocks.verify_cryptographically(evidence, certificate),
        *blocks.accept(evidence, policy, at, is_timestamp=True),
    )
    if not all(finding.passed for finding in findings):
        raise refusal
    if weak_key(policy, certificate.public_key) is not None:
        raise refusal


def _read(root: etree._Element) -> TrustedList:
    scheme = _only(root, "SchemeInformation")
    version = _text(scheme, "TSLVersionIdentifier")
    if version not in VERSIONS:
        raise Unprocessable("trusted-list.version", "this version of lists is not understood")
    providers = root.findall(f"{_tag('TrustServiceProviderList')}/{_tag('TrustServiceProvider')}")
    if len(providers) > MAX_PROVIDERS:
        raise ValueError("too many providers")
    authorities: list[TrustedAuthority] = []
    services = unread = 0
    for provider in providers:
        name = _name(_only(_only(provider, "TSPInformation"), "TSPName"))
        for service in provider.findall(f"{_tag('TSPServices')}/{_tag('TSPService')}"):
            services += 1
            if services > MAX_SERVICES:
                raise ValueError("too many services")
            try:
                authorities += _authorities(name, list(_periods(service)))
            except Refusal:
                unread += 1
    update = _only(_only(scheme, "NextUpdate"), "dateTime")
    return TrustedList(
        _name(_only(scheme, "SchemeOperatorName")),
        _text(scheme, "SchemeTerritory"),
        int(_text(scheme, "TSLSequenceNumber")),
        _time(_text(scheme, "ListIssueDateTime")),
        _time(xml_security.text_of(update)),
        tuple(authorities),
        unread,
    )


def _periods(service: etree._Element) -> Iterator[_Period]:
    """The present status first, then the history, back in time."""
    current = _only(service, "ServiceInformation")
    identity = _certificates(current)
    history = service.findall(f"{_tag('ServiceHistory')}/{_tag('ServiceHistoryInstance')}")
    if len(history) > MAX_HISTORY:
        raise ValueError("too long a history")
    for one in (current, *history):
        yield _Period(
            _text(one, "ServiceTypeIdentifier"),
            _name(_only(one, "ServiceName")),
            _text(one, "ServiceStatus"),
            _time(_text(one, "StatusStartingTime")),
            identity,
            _is_for_signatures(one),
        )


def _authorities(provider: str, periods: list[_Period]) -> Iterator[TrustedAuthority]:
    """One authority for each run of good status; `periods` go back in time."""
    periods = sorted(periods, key=lambda period: period.start)
    start: datetime | None = None
    for position, period in enumerate(periods):
        is_good = _is_good(period)
        if is_good and start is None:
            start = period.start
        following = periods[position + 1] if position + 1 < len(periods) else None
        ends = following is None or not _is_good(following) or following.kind != period.kind
        if is_good and ends and start is not None and period.certificates:
            yield TrustedAuthority(
                f"{provider}: {period.name}",
                period.certificates,
                purposes=frozenset({_PURPOSES[period.kind]}),
                trusted_from=start,
                trusted_until=None if following is None else following.start,
            )
        if ends:
            start = None


def _is_good(period: _Period) -> bool:
    return period.kind in _PURPOSES and period.status in _GOOD and period.is_for_signatures


def _is_for_signatures(information: etree._Element) -> bool:
    """Whether the extensions leave the service good for signatures and timestamps.

    Raises Unprocessable where a critical one is not understood (5.5.9).
    """
    uses: set[str] = set()
    path = f"{_tag('ServiceInformationExtensions')}/{_tag('Extension')}"
    for extension in information.findall(path):
        names = {etree.QName(child).localname for child in extension.iterchildren("{*}*")}
        if extension.get("Critical") in {"true", "1"} and not names <= _UNDERSTOOD:
            raise Unprocessable("trusted-list.extension", "a critical extension is not known")
        uses |= {(uri.text or "").strip() for uri in extension.iter(_tag("URI"))}
    return _ELSEWHERE not in uses or bool(uses & _FOR_SIGNATURES)


def _certificates(information: etree._Element) -> tuple[Certificate, ...]:
    identity = _only(information, "ServiceDigitalIdentity")
    return _x509(identity.iter(_tag("X509Certificate")))


def _x509(elements: Iterable[etree._Element]) -> tuple[Certificate, ...]:
    found: dict[Certificate, None] = {}
    for element in elements:
        if len(found) >= MAX_CERTIFICATES:
            raise Malformed("trusted-list.malformed", "too many certificates")
        found[Certificate.parse(xml_security.base64_of(element))] = None
    return tuple(found)


def _only(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(_tag(name))
    if len(found) != 1:
        raise Malformed("trusted-list.malformed", "there must be one {name}", name=name)
    return found[0]


def _text(parent: etree._Element, name: str) -> str:
    return xml_security.text_of(_only(parent, name)).strip()


def _name(names: etree._Element) -> str:
    """The English name where there is one, else the first."""
    found = names.findall(_tag("Name"))
    english = [
        one for one in found if one.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
    ]
    if not found:
        raise Malformed("trusted-list.malformed", "a name is missing")
    return " ".join(xml_security.text_of((english or found)[0]).split())[:256]


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
