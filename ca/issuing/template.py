"""From a profile and a request to the exact bytes that will be signed.

A pyca builder encodes the certificate and signs it with a throwaway software key of the issuer's
suite. The to-be-signed bytes of that certificate are what is linted, recorded and, unchanged,
signed in the token; the throwaway signature is thrown away.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID

from ca.issuing.addresses import StatusAddresses
from kernel.algorithms import AlgorithmSuite, KeyKind, Padding, PublicKey
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.identifiers import Serial
from kernel.refusals import Unprocessable
from policies.oids import EXTENDED_KEY_USAGES
from policies.profile import CertificateProfile

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_CURVES: dict[str, ec.EllipticCurve] = {"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1()}
_SoftwareKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
_Extensions = list[x509.Extension[x509.ExtensionType]]


@dataclass(frozen=True)
class Issuer:
    """What a certificate says of the authority that signs it."""

    name: str
    """The authority's name in addresses and records: `root`, `issuing`."""
    certificate: Certificate | None
    """None only while a root's own certificate is being made."""
    public_key: PublicKey
    suite: AlgorithmSuite
    addresses: StatusAddresses


@dataclass(frozen=True)
class Validity:
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class Draft:
    """A certificate before its real signature."""

    serial: Serial
    tbs: bytes
    """TBSCertificate, DER: the bytes to be signed."""
    crl_shard: int
    """Which part of a partitioned list tells its revocation; 0: the complete list."""
    specimen: Certificate
    """The same bytes under the throwaway signature, for linting."""


def validity(
    profile: CertificateProfile, issuer: Certificate | None, now: datetime, until: datetime | None
) -> Validity:
    """Whole seconds, inside the issuer's own validity and the profile's (RFC 5280, 4.1.2.5).

    Raises Unprocessable `validity.too-long`, `validity.past`, `validity.issuer-expired`.
    """
    begin = now.replace(microsecond=0) - timedelta(seconds=profile.backdate_seconds)
    longest = begin + timedelta(days=profile.validity_days, seconds=-1)
    if issuer is not None:
        if not issuer.not_before <= now <= issuer.not_after:
            raise Unprocessable("validity.issuer-expired", "the authority is not valid now")
        begin = max(begin, issuer.not_before)
        longest = min(longest, issuer.not_after)
    if until is None:
        return Validity(begin, longest)
    until = until.replace(microsecond=0)
    if until > longest:
        raise Unprocessable("validity.too-long", "longer than the profile or the issuer allows")
    if until <= now:
        raise Unprocessable("validity.past", "the end of validity is not in the future")
    return Validity(begin, until)


def draft(
    profile: CertificateProfile,
    issuer: Issuer,
    public_key: PublicKey,
    subject: x509.Name,
    period: Validity,
    serial: Serial,
    dns_names: tuple[str, ...] = (),
) -> Draft:
    """Build the certificate that `profile` describes.

    Raises Unprocessable `certificate.encoding` when the library would not encode the suite's
    algorithm as the algorithm table does.
    """
    key = throwaway_key(issuer.suite)
    # The serial is random: the parts of the list fill alike.
    shard = serial % profile.crl_shards + 1 if profile.crl_shards else 0
    builder = x509.CertificateBuilder(
        _subject_of(issuer.certificate) if issuer.certificate else subject,
        subject,
        public_key.pyca,
        serial,
        period.not_before,
        period.not_after,
        _extensions(profile, issuer, public_key, shard, dns_names),
    )
    algorithm = _HASHES[issuer.suite.digest] if issuer.suite.kind is not KeyKind.ED25519 else None
    if issuer.suite.padding is Padding.PSS:
        assert algorithm is not None
        pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        specimen = builder.sign(key, algorithm, rsa_padding=pss)  # type: ignore[arg-type]
    else:
        specimen = builder.sign(key, algorithm)  # type: ignore[arg-type]
    parsed = Certificate.parse(specimen.public_bytes(Encoding.DER))
    if parsed.signature_suite is not issuer.suite:
        raise Unprocessable("certificate.encoding", "the signature algorithm is encoded otherwise")
    return Draft(serial, parsed.tbs, shard, parsed)


def assemble(tbs: bytes, suite: AlgorithmSuite, signature: bytes) -> bytes:
    """Certificate, DER, around the bytes that were signed (RFC 5280, 4.1)."""
    return der.sequence(tbs, suite.signature_algorithm, der.bit_string(signature))


@lru_cache(maxsize=16)
def throwaway_key(suite: AlgorithmSuite) -> _SoftwareKey:
    """A software key of the suite; nothing trusts it, and it dies with the process."""
    if suite.curve is not None:
        return ec.generate_private_key(_CURVES[suite.curve])
    if suite.kind is KeyKind.ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)


def throwaway_signature(suite: AlgorithmSuite, message: bytes) -> bytes:
    """A signature that nothing trusts, for a specimen to lint."""
    key = throwaway_key(suite)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(_HASHES[suite.digest]))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(message)
    algorithm = _HASHES[suite.digest]
    if suite.padding is Padding.PSS:
        pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        return key.sign(message, pss, algorithm)
    return key.sign(message, padding.PKCS1v15(), algorithm)


@lru_cache(maxsize=64)
def _subject_of(certificate: Certificate) -> x509.Name:
    """The issuer's name with its string types, so that it is repeated octet for octet."""
    return x509.load_der_x509_certificate(certificate.der).subject


def _extensions(
    profile: CertificateProfile,
    issuer: Issuer,
    key: PublicKey,
    shard: int,
    dns_names: tuple[str, ...],
) -> _Extensions:
    """RFC 5280, 4.2; what varies with the key comes first, the profile's own follows."""
    own = x509.SubjectKeyIdentifier.from_public_key(key.pyca)
    authority = own.digest
    if issuer.certificate is not None:
        known = issuer.certificate.subject_key_identifier
        if known is None:
            raise Unprocessable("issuer.key-identifier", "the issuer has no key identifier")
        authority = known
    return [
        _extension(x509.AuthorityKeyIdentifier(authority, None, None)),
        _extension(own),
        *_alternative_names(dns_names),
        *_profile_extensions(profile, key.kind, issuer.name, issuer.addresses, shard),
    ]


def _alternative_names(names: tuple[str, ...]) -> _Extensions:
    if not names:
        return []
    return [_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]))]


@lru_cache(maxsize=4096)
def _profile_extensions(
    profile: CertificateProfile,
    kind: KeyKind,
    issuer: str,
    addresses: StatusAddresses,
    shard: int,
) -> tuple[x509.Extension[x509.ExtensionType], ...]:
    made = [_key_usage(profile, kind)]
    if profile.policy_oids:
        policies = [
            x509.PolicyInformation(x509.ObjectIdentifier(oid), [addresses.cps])
            for oid in profile.policy_oids
        ]
        made.append(_extension(x509.CertificatePolicies(policies)))
    made.append(_extension(x509.BasicConstraints(profile.ca, profile.path_length), critical=True))
    if profile.extended_key_usage:
        purposes = [
            x509.ObjectIdentifier(EXTENDED_KEY_USAGES[name]) for name in profile.extended_key_usage
        ]
        usage = x509.ExtendedKeyUsage(purposes)
        made.append(_extension(usage, critical=profile.extended_key_usage_critical))
    if profile.crl_address:
        point = x509.DistributionPoint([_uri(addresses.crl(issuer, shard))], None, None, None)
        made.append(_extension(x509.CRLDistributionPoints([point])))
    access = []
    if profile.ocsp_address:
        access.append((AuthorityInformationAccessOID.OCSP, addresses.ocsp))
    if profile.issuer_address:
        access.append((AuthorityInformationAccessOID.CA_ISSUERS, addresses.certificate(issuer)))
    if access:
        descriptions = [x509.AccessDescription(method, _uri(url)) for method, url in access]
        made.append(_extension(x509.AuthorityInformationAccess(descriptions)))
    if profile.ocsp_nocheck:
        made.append(_extension(x509.OCSPNoCheck()))
    return tuple(made)


def _key_usage(profile: CertificateProfile, kind: KeyKind) -> x509.Extension[x509.ExtensionType]:
    usages = frozenset(profile.key_usage_of(kind))
    usage = x509.KeyUsage(
        digital_signature="digitalSignature" in usages,
        content_commitment="nonRepudiation" in usages,
        key_encipherment="keyEncipherment" in usages,
        data_encipherment=False,
        key_agreement="keyAgreement" in usages,
        key_cert_sign="keyCertSign" in usages,
        crl_sign="cRLSign" in usages,
        encipher_only=False,
        decipher_only=False,
    )
    return _extension(usage, critical=True)


def _extension(
    value: x509.ExtensionType, critical: bool = False
) -> x509.Extension[x509.ExtensionType]:
    return x509.Extension(value.oid, critical, value)


def _uri(address: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(address)
