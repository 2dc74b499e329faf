"""An authority certifies only names that it was given (RFC 5280, 4.2.1.10)."""

import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from signing_service.validation.indications import SubIndication
from tests.signing_service.validation.scenery import World

DNS, MAIL = x509.DNSName, x509.RFC822Name


def ip(text: str) -> x509.IPAddress:
    value = ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text)
    return x509.IPAddress(value)


def directory(common_name: str) -> x509.DirectoryName:
    return x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("permitted", "excluded", "name", "passes"),
    [
        ([DNS("example.com")], None, DNS("a.example.com"), True),
        ([DNS("example.com")], None, DNS("badexample.com"), False),
        (None, [DNS("example.com")], DNS("A.EXAMPLE.com"), False),
        (None, [DNS("example.com")], DNS("other.org"), True),
        ([DNS("example.com")], None, MAIL("a@other.org"), True),
        ([MAIL("example.com")], None, MAIL("a@example.com"), True),
        ([MAIL("example.com")], None, MAIL("a@sub.example.com"), False),
        ([MAIL(".example.com")], None, MAIL("a@sub.example.com"), True),
        (None, [MAIL("a@example.com")], MAIL("a@Example.com"), False),
        ([ip("10.0.0.0/8")], None, ip("10.1.2.3"), True),
        ([ip("10.0.0.0/8")], None, ip("11.1.2.3"), False),
        ([directory("操作员 一")], None, DNS("any.org"), True),
        ([directory("Somebody else")], None, DNS("any.org"), False),
        (None, [directory("操作员  一")], DNS("any.org"), False),
        (
            [x509.UniformResourceIdentifier("example.com")],
            None,
            x509.UniformResourceIdentifier("http://example.com/"),
            True,
        ),
        (
            [x509.UniformResourceIdentifier(".example.com")],
            None,
            x509.UniformResourceIdentifier("http://www.example.com:8080/x"),
            True,
        ),
        (
            [x509.UniformResourceIdentifier("example.com")],
            None,
            x509.UniformResourceIdentifier("http://www.example.com/"),
            False,
        ),
        (
            None,
            [x509.UniformResourceIdentifier("example.com")],
            x509.UniformResourceIdentifier("urn:no-host"),
            False,
        ),
        (
            [x509.RegisteredID(x509.ObjectIdentifier("1.2.3"))],
            None,
            x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
            False,
        ),
    ],
)
def test_names_keep_to_the_constraints(
    world: World,
    permitted: list[x509.GeneralName] | None,
    excluded: list[x509.GeneralName] | None,
    name: x509.GeneralName,
    passes: bool,
) -> None:
    constraints = x509.NameConstraints(permitted, excluded)
    ca = world.root.sub("Constrained CA", critical=(constraints,))
    world.book.issuers.add(ca.certificate.fingerprint)
    card = ca.card("操作员 一", alternative_names=(name,))
    evidence = world.signed(card, embedded_certificates=(ca.certificate,))
    conclusion = world.judge(evidence).conclusion
    assert conclusion.passed is passes
    if not passes:
        assert conclusion.reason == "path.name-not-permitted"
        assert conclusion.sub_indication is SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE


def test_a_card_cannot_carry_constraints(world: World) -> None:
    constraints = x509.NameConstraints([DNS("example.com")], None)
    card = world.issuing.card(critical=(constraints,))
    assert world.judge(world.signed(card)).conclusion.reason == "path.unknown-critical-extension"
