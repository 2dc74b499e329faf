"""ETSI trusted lists (TS 119 612): synthetic lists, signed with our own XAdES."""

import base64
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from kernel.asn1.certificate import Certificate
from kernel.refusals import Forbidden, Malformed, Refusal, TooLarge, Unprocessable
from signing_service.formats.xades import whole as xades
from signing_service.trust import Purpose, TrustAnchors
from signing_service.trusted_lists import NAMESPACE, TrustedList, load_trusted_list
from signing_service.validation.engine import ValidationEngine
from tests.signing_service.validation.scenery import DAY, START, YEAR, Ca, World
from tests.signing_service.validation.test_engine import verdict

TYPE = "http://uri.etsi.org/TrstSvc/Svctype/"
STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
ISSUING, STAMPING = f"{TYPE}CA/QC", f"{TYPE}TSA/QTST"


@dataclass
class Service:
    ca: Certificate
    history: tuple[tuple[str, datetime], ...]
    """(status, since), the newest first."""
    kind: str = ISSUING
    extension: str = ""

    def xml(self) -> str:
        (status, since), *older = self.history
        instances = "".join(
            f"<ServiceHistoryInstance>{self._information(*one)}</ServiceHistoryInstance>"
            for one in older
        )
        return (
            f"<TSPService><ServiceInformation>{self._information(status, since)}"
            f"</ServiceInformation><ServiceHistory>{instances}</ServiceHistory></TSPService>"
        )

    def _information(self, status: str, since: datetime) -> str:
        return f"""<ServiceTypeIdentifier>{self.kind}</ServiceTypeIdentifier>
<ServiceName><Name xml:lang="zh">签发</Name><Name xml:lang="en">Issuing</Name></ServiceName>
<ServiceDigitalIdentity><DigitalId><X509Certificate>
{base64.b64encode(self.ca.der).decode()}
</X509Certificate></DigitalId></ServiceDigitalIdentity>
<ServiceStatus>{STATUS}{status}</ServiceStatus>
<StatusStartingTime>{since:%Y-%m-%dT%H:%M:%SZ}</StatusStartingTime>
<ServiceInformationExtensions>{self.extension}</ServiceInformationExtensions>"""


@dataclass
class Operator:
    """Who runs the list, with the pinned key."""

    world: World = field(default_factory=World)
    sequence: int = 7

    def __post_init__(self) -> None:
        self.signer = Ca.root("List operator").card("List signer")
        self.ministry = Ca.root("Ministry CA")

    def unsigned(self, *services: Service, version: str = "5") -> bytes:
        issued, due = START - DAY, START + 180 * DAY
        return f"""<TrustServiceStatusList xmlns="{NAMESPACE}" Id="list"><SchemeInformation>
<TSLVersionIdentifier>{version}</TSLVersionIdentifier>
<TSLSequenceNumber>{self.sequence}</TSLSequenceNumber>
<SchemeOperatorName><Name xml:lang="en">Operator</Name></SchemeOperatorName>
<SchemeTerritory>CN</SchemeTerritory>
<ListIssueDateTime>{issued:%Y-%m-%dT%H:%M:%SZ}</ListIssueDateTime>
<NextUpdate><dateTime>{due:%Y-%m-%dT%H:%M:%SZ}</dateTime></NextUpdate>
</SchemeInformation><TrustServiceProviderList><TrustServiceProvider>
<TSPInformation><TSPName><Name xml:lang="en">Ministry</Name></TSPName></TSPInformation>
<TSPServices>{"".join(service.xml() for service in services)}</TSPServices>
</TrustServiceProvider></TrustServiceProviderList></TrustServiceStatusList>""".encode()

    def signed(self, *services: Service, version: str = "5") -> bytes:
        return xades.sign(
            self.unsigned(*services, version=version),
            self.signer.key, self.signer.certificate, START - timedelta(hours=1),
        )  # fmt: skip

    def load(self, data: bytes, *, at: datetime = START, newer_than: int = 0) -> TrustedList:
        signers = (self.signer.certificate,)
        return load_trusted_list(data, signers, at, self.world.policy, newer_than=newer_than)

    def service(self, *history: tuple[str, datetime]) -> Service:
        since = history or (("granted", START - 200 * DAY),)
        return Service(self.ministry.certificate, since)


@pytest.fixture
def operator() -> Operator:
    return Operator()


def test_a_granted_service_becomes_a_trusted_authority(operator: Operator) -> None:
    found = operator.load(operator.signed(operator.service()))
    (authority,) = found.authorities
    assert authority.name == "Ministry: Issuing"
    assert authority.certificates == (operator.ministry.certificate,)
    assert authority.purposes == {Purpose.SIGNATURE}
    assert authority.trusted_from == START - 200 * DAY
    assert authority.trusted_until is None
    assert (found.territory, found.sequence_number) == ("CN", 7)


def test_a_card_of_a_listed_authority_passes(operator: Operator) -> None:
    world, ministry = operator.world, operator.ministry
    world.book.issuers.add(ministry.certificate.fingerprint)
    evidence = world.signed(ministry.card())
    assert not world.judge(evidence).conclusion.passed
    found = operator.load(operator.signed(operator.service()))
    anchors = TrustAnchors((world.authority, *found.authorities))
    engine = ValidationEngine(anchors, (world.book,), world.policy)
    assert verdict(engine.validate(evidence, START)) == "TOTAL-PASSED"


def test_a_withdrawn_service_stays_trusted_for_what_was_proven_before(operator: Operator) -> None:
    world, ministry = operator.world, operator.ministry
    world.book.issuers.add(ministry.certificate.fingerprint)
    withdrawn = START + 10 * DAY
    service = operator.service(("withdrawn", withdrawn), ("granted", START - 200 * DAY))
    found = operator.load(operator.signed(service), at=START + 20 * DAY)
    (authority,) = found.authorities
    assert authority.trusted_until == withdrawn
    anchors = TrustAnchors((world.authority, *found.authorities), (world.issuing.certificate,))
    engine = ValidationEngine(anchors, (world.book,), world.policy)
    card = ministry.card()
    before = world.stamped(world.signed(card))
    world.clock.advance(15 * DAY)
    after = world.stamped(world.signed(card))
    now = world.clock.now() + DAY
    assert verdict(engine.validate(before, now)) == "TOTAL-PASSED"
    refused = "INDETERMINATE/NO_CERTIFICATE_CHAIN_FOUND_NO_POE"
    assert verdict(engine.validate(after, now)) == refused


def test_each_run_of_good_status_is_one_period(operator: Operator) -> None:
    at = [START - days * DAY for days in (400, 300, 200, 100, 50)]
    service = operator.service(
        ("granted", at[4]), ("withdrawn", at[3]), ("granted", at[2]),
        ("accredited", at[1]), ("undersupervision", at[0]),
    )  # fmt: skip
    found = operator.load(operator.signed(service)).authorities
    assert [(one.trusted_from, one.trusted_until) for one in found] == [
        (at[0], at[3]), (at[4], None),
    ]  # fmt: skip


def test_a_timestamp_service_vouches_for_timestamps_alone(operator: Operator) -> None:
    service = operator.service()
    service.kind = STAMPING
    (authority,) = operator.load(operator.signed(service)).authorities
    assert authority.purposes == {Purpose.TIMESTAMP}


def test_other_services_and_other_uses_are_not_trusted(operator: Operator) -> None:
    other, web = operator.service(), operator.service()
    other.kind = f"{TYPE}Certstatus/OCSP"
    uri = "http://uri.etsi.org/TrstSvc/TrustedList/SvcInfoExt/ForWebSiteAuthentication"
    web.extension = (
        '<Extension Critical="true"><AdditionalServiceInformation>'
        f'<URI xml:lang="en">{uri}</URI></AdditionalServiceInformation></Extension>'
    )
    assert operator.load(operator.signed(other, web)).authorities == ()


def test_a_critical_extension_that_is_not_understood_leaves_the_service_out(
    operator: Operator,
) -> None:
    service = operator.service()
    service.extension = '<Extension Critical="true"><Strange/></Extension>'
    found = operator.load(operator.signed(service, operator.service()))
    assert len(found.authorities) == 1
    assert found.unread_services == 1


# -- what is not believed --------------------------------------------------------------------------


def refused(
    operator: Operator, data: bytes, kind: type[Refusal], code: str, at: datetime = START
) -> None:
    with pytest.raises(kind) as refusal:
        operator.load(data, at=at)
    assert refusal.value.code == code


def test_a_list_that_was_changed_is_refused(operator: Operator) -> None:
    changed = operator.signed(operator.service()).replace(b"Ministry", b"Minister")
    refused(operator, changed, Forbidden, "trusted-list.signature")


def test_a_list_by_somebody_else_is_refused(operator: Operator) -> None:
    data = operator.signed(operator.service())
    operator.signer = Ca.root("List operator").card("List signer")
    refused(operator, data, Forbidden, "trusted-list.signature")


def test_an_unsigned_list_is_refused(operator: Operator) -> None:
    with pytest.raises(Malformed):
        operator.load(operator.unsigned(operator.service()))


def test_a_list_beside_a_signed_part_is_refused(operator: Operator) -> None:
    """Wrapping: the signed list inside another one that is not signed."""
    signed = operator.signed(operator.service())
    body = signed[signed.index(b"<TrustServiceStatusList") :]
    outer = operator.unsigned(operator.service())
    wrapped = outer.replace(b"</TrustServiceStatusList>", body + b"</TrustServiceStatusList>")
    with pytest.raises(Refusal):
        operator.load(wrapped)


def test_an_old_list_is_refused(operator: Operator) -> None:
    data = operator.signed(operator.service())
    refused(operator, data, Unprocessable, "trusted-list.expired", START + 181 * DAY)
    with pytest.raises(Unprocessable) as refusal:
        operator.load(data, newer_than=8)
    assert refusal.value.code == "trusted-list.older"


def test_a_list_by_a_certificate_that_expired_is_refused(operator: Operator) -> None:
    data = operator.signed(operator.service())
    refused(operator, data, Forbidden, "trusted-list.signature", START + 3 * YEAR)


def test_another_version_is_not_guessed(operator: Operator) -> None:
    data = operator.signed(operator.service(), version="4")
    refused(operator, data, Unprocessable, "trusted-list.version")


@pytest.mark.parametrize(
    "data",
    [b"", b"<x/>", b"<!DOCTYPE x><TrustServiceStatusList/>", b"\xff\xfe", b"<a>" * 300],
)
def test_what_is_no_list_is_refused(operator: Operator, data: bytes) -> None:
    with pytest.raises((Malformed, TooLarge)):
        operator.load(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<TSLSequenceNumber>7<", b"<TSLSequenceNumber>seven<"),
        (b"<ListIssueDateTime>2026", b"<ListIssueDateTime>soon"),
        (b"<SchemeTerritory>CN</SchemeTerritory>", b""),
        (b"<SchemeTerritory>CN<", b"<SchemeTerritory><!-- -->CN<"),
    ],
)
def test_a_list_of_unclear_structure_is_refused(operator: Operator, old: bytes, new: bytes) -> None:
    body = operator.unsigned(operator.service())
    assert old in body
    signer = operator.signer
    data = xades.sign(body.replace(old, new), signer.key, signer.certificate, START)
    with pytest.raises(Malformed):
        operator.load(data)
