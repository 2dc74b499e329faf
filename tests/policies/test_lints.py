# ruff: noqa: E501 - a table reads best with one wrong certificate a line
"""Lints catch what a wrong template, a wrong library or a wrong profile would let through.

Every certificate here is made with pyca's builder, not with our template, and differs from a
right one in one thing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from policies.catalogue import load_catalogue
from policies.identity_number import holds_identity_number
from policies.lints.catalogue import LINTS, lint_certificate
from tests.software_keys import SoftwareAuthority

AUTHORITY = SoftwareAuthority()
ISSUER = AUTHORITY.issuing
PROFILE = load_catalogue()["operator"]
STATEMENT = "http://s.example/cps"
KEY = ec.generate_private_key(ec.SECP256R1())
NOW = datetime.now(UTC).replace(microsecond=0)
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
Extension = tuple[x509.ExtensionType, bool]


def usage(*names: str) -> x509.KeyUsage:
    known = [
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ]
    return x509.KeyUsage(**{name: name in names for name in known})


def attribute(oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute[str]:
    return x509.NameAttribute(oid, value)


COUNTRY = attribute(NameOID.COUNTRY_NAME, "CN")
ORGANIZATION = attribute(NameOID.ORGANIZATION_NAME, "甲公司")
IDENTIFIER = attribute(NameOID.ORGANIZATION_IDENTIFIER, "NTRCN-91330200MA2CLABC1X")
PERSON = attribute(NameOID.COMMON_NAME, "张三")
CARD = attribute(NameOID.SERIAL_NUMBER, "OP1")


def uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)


def right_extensions() -> dict[str, Extension]:
    access = [
        x509.AccessDescription(AuthorityInformationAccessOID.OCSP, uri("http://s.example/ocsp")),
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, uri("http://s.example/certs/i.cer")
        ),
    ]
    issuer_key = ISSUER.key.private_key.public_key()
    policy = x509.PolicyInformation(x509.ObjectIdentifier(PROFILE.policy_oids[0]), [STATEMENT])
    point = x509.DistributionPoint([uri("http://s.example/crl/i.crl")], None, None, None)
    return {
        "aki": (x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False),
        "ski": (x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()), False),
        "usage": (usage("digital_signature", "content_commitment"), True),
        "policies": (x509.CertificatePolicies([policy]), False),
        "constraints": (x509.BasicConstraints(False, None), True),
        "purposes": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        "crl": (x509.CRLDistributionPoints([point]), False),
        "access": (x509.AuthorityInformationAccess(access), False),
    }


@dataclass(frozen=True)
class Made:
    """A right operator's certificate; every field can be made wrong."""

    subject: x509.Name = field(
        default_factory=lambda: x509.Name([COUNTRY, ORGANIZATION, IDENTIFIER, PERSON, CARD])
    )
    serial: int = (1 << 157) + 4711
    not_before: datetime = NOW
    not_after: datetime = NOW + timedelta(days=300)
    key: PublicKey = field(default_factory=KEY.public_key)
    digest: hashes.HashAlgorithm = field(default_factory=hashes.SHA256)
    issuer_name: x509.Name | None = None
    extensions: dict[str, Extension] = field(default_factory=right_extensions)

    def having(self, **extensions: Extension | None) -> "Made":
        """With other extensions; None leaves one out."""
        changed = {**self.extensions, **extensions}
        return replace(self, extensions={k: v for k, v in changed.items() if v is not None})

    def certificate(self) -> Certificate:
        issuer = x509.load_der_x509_certificate(ISSUER.certificate.der).subject
        made = x509.CertificateBuilder(
            self.issuer_name or issuer,
            self.subject,
            self.key,
            self.serial,
            self.not_before,
            self.not_after,
            [x509.Extension(value.oid, critical, value) for value, critical in values(self)],
        ).sign(ISSUER.key.private_key, self.digest)  # type: ignore[arg-type]
        return Certificate.parse(made.public_bytes(Encoding.DER))


def values(made: Made) -> list[Extension]:
    return list(made.extensions.values())


RIGHT = Made()
RSA_1024 = rsa.generate_private_key(65537, 1024).public_key()
CA_USAGE = (usage("digital_signature", "content_commitment", "key_cert_sign"), True)
BOTH = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
OTHER_POLICY = x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.4"), [STATEMENT])
OWN_POLICY = x509.ObjectIdentifier(PROFILE.policy_oids[0])
UNSTATED = x509.PolicyInformation(OWN_POLICY, None)
ELSEWHERE = x509.PolicyInformation(OWN_POLICY, ["ftp://s.example/cps"])
HTTPS_POINT = x509.DistributionPoint([uri("https://s.example/c.crl")], None, None, None)
NAMES = x509.SubjectAlternativeName([x509.DNSName("s.example")])
REVERSED = dict(reversed(right_extensions().items()))


def named(*attributes: x509.NameAttribute[str]) -> Made:
    return replace(RIGHT, subject=x509.Name(list(attributes)))


def test_a_right_certificate_passes_every_lint() -> None:
    assert lint_certificate(RIGHT.certificate(), PROFILE, ISSUER.certificate) == []


@pytest.mark.parametrize(
    ("lint", "wrong"),
    [
        ("basic-constraints", lambda: RIGHT.having(constraints=(x509.BasicConstraints(True, 0), True))),
        ("basic-constraints", lambda: RIGHT.having(constraints=(x509.BasicConstraints(False, None), False))),
        ("basic-constraints", lambda: RIGHT.having(constraints=None)),
        ("key-usage", lambda: RIGHT.having(usage=CA_USAGE)),
        ("key-usage", lambda: RIGHT.having(usage=(right_extensions()["usage"][0], False))),
        ("key-usage", lambda: RIGHT.having(usage=None)),
        ("extended-key-usage", lambda: RIGHT.having(purposes=(BOTH, False))),
        ("extended-key-usage", lambda: RIGHT.having(purposes=(right_extensions()["purposes"][0], True))),
        ("key-identifiers", lambda: RIGHT.having(aki=None)),
        ("key-identifiers", lambda: RIGHT.having(ski=None)),
        ("key-identifiers", lambda: RIGHT.having(ski=(x509.SubjectKeyIdentifier(b"x" * 20), False))),
        ("key-identifiers", lambda: RIGHT.having(aki=(x509.AuthorityKeyIdentifier(b"x" * 20, None, None), False))),
        ("certificate-policies", lambda: RIGHT.having(policies=(x509.CertificatePolicies([OTHER_POLICY]), False))),
        ("certificate-policies", lambda: RIGHT.having(policies=(x509.CertificatePolicies([UNSTATED]), False))),
        ("certificate-policies", lambda: RIGHT.having(policies=(x509.CertificatePolicies([ELSEWHERE]), False))),
        ("certificate-policies", lambda: RIGHT.having(policies=None)),
        ("alternative-names", lambda: RIGHT.having(names=(NAMES, False))),
        ("status-addresses", lambda: RIGHT.having(crl=None)),
        ("status-addresses", lambda: RIGHT.having(access=None)),
        ("status-addresses", lambda: RIGHT.having(crl=(x509.CRLDistributionPoints([HTTPS_POINT]), False))),
        ("ocsp-nocheck", lambda: RIGHT.having(nocheck=(x509.OCSPNoCheck(), False))),
        ("extensions", lambda: RIGHT.having(names=(NAMES, False))),
        ("extensions", lambda: RIGHT.having(names=(NAMES, True))),
        ("extensions", lambda: replace(RIGHT, extensions=REVERSED)),
        ("serial-number", lambda: replace(RIGHT, serial=4711)),
        ("serial-number", lambda: replace(RIGHT, serial=1 << 64)),
        ("validity", lambda: replace(RIGHT, not_before=NOW - timedelta(days=400), not_after=NOW + timedelta(days=364))),
        ("validity", lambda: replace(RIGHT, not_before=ISSUER.certificate.not_before - timedelta(seconds=1))),
        ("validity", lambda: replace(RIGHT, not_after=ISSUER.certificate.not_after + timedelta(seconds=1))),
        ("public-key", lambda: replace(RIGHT, key=RSA_1024)),
        ("public-key", lambda: replace(RIGHT, key=ec.generate_private_key(ec.SECP521R1()).public_key())),
        ("public-key", lambda: replace(RIGHT, key=ISSUER.key.private_key.public_key())),
        ("issuer-name", lambda: replace(RIGHT, issuer_name=x509.Name([PERSON]))),
        ("subject-name", lambda: named(COUNTRY, ORGANIZATION, IDENTIFIER, PERSON)),
        ("subject-name", lambda: named(COUNTRY, ORGANIZATION, PERSON, IDENTIFIER, CARD)),
        ("subject-name", lambda: named(COUNTRY, ORGANIZATION, IDENTIFIER, PERSON, PERSON, CARD)),
        ("subject-name", lambda: named(attribute(NameOID.COUNTRY_NAME, "US"), ORGANIZATION, IDENTIFIER, PERSON, CARD)),
        ("subject-name", lambda: named(COUNTRY, ORGANIZATION, IDENTIFIER, PERSON, CARD, attribute(NameOID.TITLE, "x"))),
        ("subject-name", lambda: named(COUNTRY, attribute(NameOID.ORGANIZATION_NAME, "甲" * 65), IDENTIFIER, PERSON, CARD)),
        ("subject-text", lambda: named(COUNTRY, ORGANIZATION, IDENTIFIER, attribute(NameOID.COMMON_NAME, "张\u202e三"), CARD)),
        ("subject-text", lambda: named(COUNTRY, ORGANIZATION, IDENTIFIER, attribute(NameOID.COMMON_NAME, "p\u0430yp\u0430l"), CARD)),
        ("identity-number", lambda: named(COUNTRY, ORGANIZATION, IDENTIFIER, PERSON, attribute(NameOID.SERIAL_NUMBER, "11010519491231002X"))),
        ("signature-algorithm", lambda: replace(RIGHT, digest=hashes.SHA512())),
        ("signature-algorithm", lambda: replace(RIGHT, not_before=datetime(2036, 1, 1, tzinfo=UTC), not_after=datetime(2036, 2, 1, tzinfo=UTC))),
    ],
)  # fmt: skip
def test_one_wrong_thing_is_caught(lint: str, wrong: Callable[[], Made]) -> None:
    found = lint_certificate(wrong().certificate(), PROFILE, ISSUER.certificate)
    assert lint in {finding.lint for finding in found}
    assert all(finding.clause and finding.message for finding in found)


SERVER_PROFILE = load_catalogue()["tls-server"]


def server(names: list[x509.GeneralName], common_name: str = "s.example") -> Made:
    """A right server's certificate but for its names."""
    policy = x509.PolicyInformation(
        x509.ObjectIdentifier(SERVER_PROFILE.policy_oids[0]), [STATEMENT]
    )
    right = right_extensions()
    extensions: dict[str, Extension] = {
        "aki": right["aki"],
        "ski": right["ski"],
        "names": (x509.SubjectAlternativeName(names), False),
        "usage": (usage("digital_signature"), True),
        "policies": (x509.CertificatePolicies([policy]), False),
        "constraints": right["constraints"],
        "purposes": (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        "crl": right["crl"],
        "access": right["access"],
    }
    name = x509.Name([COUNTRY, ORGANIZATION, attribute(NameOID.COMMON_NAME, common_name)])
    return replace(RIGHT, subject=name, extensions=extensions)


def test_a_right_server_s_certificate_passes_every_lint() -> None:
    names: list[x509.GeneralName] = [x509.DNSName("s.example"), x509.DNSName("xn--fiqs8s.example")]
    assert lint_certificate(server(names).certificate(), SERVER_PROFILE, ISSUER.certificate) == []


@pytest.mark.parametrize(
    "names",
    [
        [x509.DNSName("other.example")],
        [x509.DNSName("s.example"), x509.DNSName("*.s.example")],
        [x509.DNSName("s.example"), x509.DNSName("S.example")],
        [x509.DNSName("s.example"), x509.DNSName("localhost")],
        [x509.DNSName("s.example"), x509.DNSName("10.0.0.1")],
        [x509.DNSName("s.example"), x509.DNSName("xn--zzzzzzzzzzzzz99999999.example")],
        [x509.DNSName("s.example"), x509.DNSName("ab--c.example")],
        [x509.DNSName("s.example"), x509.DNSName("s.example")],
        [x509.DNSName("s.example"), x509.RFC822Name("a@s.example")],
    ],
)
def test_a_wrong_name_of_a_server_is_caught(names: list[x509.GeneralName]) -> None:
    found = lint_certificate(server(names).certificate(), SERVER_PROFILE, ISSUER.certificate)
    assert {finding.lint for finding in found} == {"alternative-names"}


ENCRYPTION = load_catalogue()["operator-encryption"]
RSA_2048 = rsa.generate_private_key(65537, 2048).public_key()


@pytest.mark.parametrize(
    ("key", "stated", "right"),
    [
        (KEY.public_key(), "key_agreement", True),
        (KEY.public_key(), "key_encipherment", False),
        (RSA_2048, "key_encipherment", True),
        (RSA_2048, "key_agreement", False),
        (RSA_2048, "digital_signature", False),
    ],
)
def test_an_encryption_certificate_says_what_its_kind_of_key_can_do(
    key: PublicKey, stated: str, right: bool
) -> None:
    made = replace(RIGHT, key=key).having(usage=(usage(stated), True)).certificate()
    found = lint_certificate(made, ENCRYPTION, ISSUER.certificate)
    assert ("key-usage" not in {finding.lint for finding in found}) is right


def test_a_wrong_time_encoding_is_caught() -> None:
    right = RIGHT.certificate()
    tbs = right.tbs
    fields = list(der.children(tbs, der.read(tbs)))
    parts = [tbs[each.start : each.end] for each in fields]
    end = der.generalized_time(RIGHT.not_after)  # UTCTime until 2049
    parts[4] = der.sequence(der.time(RIGHT.not_before), end)
    algorithm = der.bit_string(right.signature)
    changed = der.sequence(der.sequence(*parts), parts[2], algorithm)
    found = lint_certificate(Certificate.parse(changed), PROFILE, ISSUER.certificate)
    assert [finding.lint for finding in found] == ["time-encoding"]


def test_an_authority_deeper_than_its_issuer_allows_is_caught() -> None:
    profile = load_catalogue()["issuing"]
    found = lint_certificate(ISSUER.certificate, profile, ISSUER.certificate)
    assert "basic-constraints" in {finding.lint for finding in found}


def test_every_lint_has_a_name_and_a_clause_of_its_own() -> None:
    assert len({lint.name for lint in LINTS}) == len(LINTS)
    assert all(lint.clause for lint in LINTS)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("11010519491231002X", True),
        ("张三11010519491231002x号", True),
        ("110105194912310021", False),  # wrong check character
        ("11010519491331002X", False),  # no such month
        ("911101051949123100", False),
        ("OP-0001", False),
    ],
)
def test_identity_numbers_are_told_by_their_check_character(text: str, holds: bool) -> None:
    assert holds_identity_number(text) is holds
