# ruff: noqa: E501 - one bad request, one line
"""What an attacker, a broken tool or a broken chip sends instead of a request: a clear refusal with
a stable code, a journal record, and nothing lost: the right request still makes the card."""

import random
from collections.abc import Callable
from math import lcm

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID

from kernel.asn1 import der
from kernel.refusals import Refusal
from ra_portal.cards.card import CardState
from tests.kernel.test_weak_keys import infineon_prime, next_prime
from tests.ra_portal.world import PortalWorld, pkcs10
from tests.software_keys import SoftwareKey

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "token")])
DRAW = random.Random(5)


def with_extension(value: x509.ExtensionType, critical: bool = False) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(NAME)
    return signed(builder.add_extension(value, critical))


def signed(builder: x509.CertificateSigningRequestBuilder) -> bytes:
    request = builder.sign(SoftwareKey.generate().private_key, hashes.SHA256())
    return request.public_bytes(Encoding.DER)


def by_key(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(NAME)
    return builder.sign(key, digest).public_bytes(Encoding.DER)


def of_primes(p: int, q: int, exponent: int = 65537) -> rsa.RSAPrivateKey:
    d = pow(exponent, -1, lcm(p - 1, q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(exponent, p * q)
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def close_primes() -> bytes:
    p = next_prime(3 << 1022 | DRAW.getrandbits(1000))
    return by_key(of_primes(p, next_prime(p + 2**30)))


def tiny_exponent() -> bytes:
    while True:
        p, q = (next_prime(3 << 1022 | DRAW.getrandbits(1000)) for _ in range(2))
        if (p - 1) % 3 and (q - 1) % 3:
            return by_key(of_primes(p, q, exponent=3))


def even_exponent() -> bytes:
    """No library makes such a key: the exponent 65537 in a right request is made 65536."""
    right = by_key(rsa.generate_private_key(65537, 2048))
    return right.replace(b"\x02\x03\x01\x00\x01", b"\x02\x03\x01\x00\x00", 1)


def of_another_key() -> bytes:
    """The signature of one request on the text of another."""
    one, other = pkcs10(), pkcs10()
    text, algorithm, _ = der.children(one, der.read(one))
    *_, value = der.children(other, der.read(other))
    return der.sequence(one[text.start : algorithm.end], other[value.start : value.end])


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (lambda: with_extension(x509.SubjectAlternativeName([x509.DNSName("x.example")])), "pkcs10.extension"),
        (lambda: with_extension(x509.BasicConstraints(True, None), critical=True), "pkcs10.extension"),
        (lambda: with_extension(x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)])), "pkcs10.extension"),
        (lambda: with_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")), "pkcs10.extension"),
        (lambda: signed(x509.CertificateSigningRequestBuilder().subject_name(NAME).add_attribute(AttributeOID.CHALLENGE_PASSWORD, b"secret")), "pkcs10.attribute"),
        (of_another_key, "pkcs10.signature"),
        (lambda: b"\x30" + b"\x00" * 40, "pkcs10.malformed"),
        (lambda: b"", "pkcs10.malformed"),
        (lambda: b"\x30\x82\x40\x00" + b"\x00" * (16 * 1024), "pkcs10.too-large"),
        (lambda: by_key(ed25519.Ed25519PrivateKey.generate()), "public-key.not-allowed"),
        (lambda: by_key(rsa.generate_private_key(65537, 1024)), "public-key.weak"),
        (lambda: by_key(of_primes(infineon_prime(), infineon_prime())), "public-key.weak"),
        (close_primes, "public-key.weak"),
        (tiny_exponent, "public-key.weak"),
        (even_exponent, "pkcs10.malformed"),
    ],
    ids=[
        "names", "authority", "policies", "foreign-extension", "attribute", "signature", "zeros", "nothing",
        "size", "kind", "small-rsa", "roca", "close-primes", "tiny-exponent", "even-exponent",
    ],
)  # fmt: skip
def test_a_bad_request_is_refused_told_and_does_no_harm(
    portal: PortalWorld, bad: Callable[[], bytes], code: str
) -> None:
    added = portal.operator(portal.legal_person(), "declare-import")
    card = added.view.card
    assert card is not None
    with pytest.raises(Refusal) as refusal:
        portal.services.enrolment.enrol(added.activation_code, bad())
    assert refusal.value.code == code
    assert portal.events(card.number)[-1] == "enrolment.refused"
    made = portal.services.enrolment.enrol(added.activation_code, pkcs10())
    assert made.card.state is CardState.ACTIVE


def test_a_key_that_another_holder_has_is_refused_and_both_are_told_apart(
    any_portal: PortalWorld,
) -> None:
    owner = any_portal.legal_person()
    key = SoftwareKey.generate()
    first = any_portal.operator(owner, "declare-import")
    any_portal.services.enrolment.enrol(first.activation_code, pkcs10(key))
    second = any_portal.operator(owner, "declare-import", employee_number="E-002", name="李操作")
    card = second.view.card
    assert card is not None
    with pytest.raises(Refusal) as refusal:
        any_portal.services.enrolment.enrol(second.activation_code, pkcs10(key))
    assert refusal.value.code == "public-key.already-certified"
    told = any_portal.events(card.number)
    assert told[-2:] == ["certificate.refused", "enrolment.refused"]
    made = any_portal.services.enrolment.enrol(second.activation_code, pkcs10())
    assert made.card.state is CardState.ACTIVE


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("张\u202e三", "field.characters"),
        ("张\x00三", "field.characters"),
        ("p\u0430yp\u0430l", "field.look-alike"),
        ("\uff21\uff22", "field.look-alike"),
        ("三" * 81, "field.too-long"),
        ("11010519491231002X", "field.identity-number"),
    ],
)
def test_a_name_that_misleads_is_refused_where_it_is_entered(
    portal: PortalWorld, name: str, code: str
) -> None:
    owner = portal.legal_person()
    with pytest.raises(Refusal) as refusal:
        portal.operator(owner, "declare-import", name=name)
    assert refusal.value.facts["name"] == code
