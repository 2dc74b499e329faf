"""pkilint judges the first certificate of every shape; our own lints judge each."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from ca.issuing.issuance import CertificateRequest
from ca.issuing.subject import SubjectFields
from ca.linting import certificates as linting
from ca.linting.certificates import Linter, pkilint_findings
from policies.lints.framework import Finding, Level
from policies.profile import CertificateProfile
from tests.ca.world import World
from tests.software_keys import SoftwareKey


def test_pkilint_finds_what_is_wrong_in_a_stranger_s_certificate(world: World) -> None:
    right = x509.load_der_x509_certificate(world.issue().certificate.der)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "CN")])
    wrong = x509.CertificateBuilder(
        name,
        name,
        right.public_key(),
        right.serial_number,
        right.not_valid_before_utc,
        right.not_valid_after_utc,
        [x509.Extension(x509.BasicConstraints.oid, False, x509.BasicConstraints(True, None))],
    ).sign(SoftwareKey.generate().private_key, hashes.SHA256())
    found = pkilint_findings(wrong.public_bytes(Encoding.DER))
    assert Level.ERROR in {finding.level for finding in found}


def test_the_house_s_certificates_satisfy_pkilint(world: World) -> None:
    keys = world.authorities
    for pair in (keys.root_key, keys.issuing_key, keys.ocsp, keys.tsa):
        assert pkilint_findings(pair.certificate.der) == ()
    assert pkilint_findings(world.issue().certificate.der) == ()


def test_every_certificate_with_alternative_names_is_judged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their names differ, and no shape says anything of them."""
    judged: list[bytes] = []
    real = linting.pkilint_findings

    def judge(der: bytes) -> tuple[Finding, ...]:
        judged.append(der)
        return real(der)

    monkeypatch.setattr(linting, "pkilint_findings", judge)
    for name in ("a.example.cn", "b.example.cn"):
        request = CertificateRequest(
            SoftwareKey.generate().public_key,
            SubjectFields(organization="示例", common_name=name),
            requester="test",
            reference=name,
            dns_names=(name, f"www.{name}"),
        )
        world.issuing.issue(world.issuing.prepare("tls-server", request))
    met = [x509.load_der_x509_certificate(each) for each in judged]
    names = [
        each.extensions.get_extension_for_class(x509.SubjectAlternativeName).value for each in met
    ]
    assert [len(each) for each in names] == [2, 2]


def test_a_shape_is_judged_once_unless_an_error_was_found(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[bytes] = []
    verdict: tuple[Finding, ...] = ()

    def judge(der: bytes) -> tuple[Finding, ...]:
        judged.append(der)
        return verdict

    monkeypatch.setattr(linting, "pkilint_findings", judge)
    linter, profile = Linter(), world.catalogue["operator"]
    issuer = world.authorities.issuing_key.certificate
    first, second = world.issue().certificate, world.issue().certificate
    judged.clear()
    verdict = (Finding(Level.ERROR, "x", "y", "z"),)
    assert linter.findings(first, profile, issuer) == list(verdict)
    verdict = ()
    assert linter.findings(second, profile, issuer) == []
    assert linter.findings(first, profile, issuer) == []
    assert judged == [first.der, second.der]
    changed = CertificateProfile.model_validate({**profile.model_dump(), "version": 2})
    linter.findings(first, changed, issuer)
    assert judged == [first.der, second.der, first.der]
