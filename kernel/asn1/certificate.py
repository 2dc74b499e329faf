"""X.509 certificates (RFC 5280), as every room sees them.

Built over pyca's parser; nobody outside this file sees a pyca certificate. A `Certificate` has
been parsed whole, extensions too, so none of its properties fails later, except `public_key`,
whose kind may be unknown to us. Parsing is cached by content.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Annotated, TypeVar

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID, NameOID

from kernel.algorithms import SUITES_BY_SIGNATURE_ALGORITHM, AlgorithmSuite, PublicKey
from kernel.asn1 import der as der_writer
from kernel.identifiers import Serial
from kernel.refusals import Malformed, Unprocessable

MAX_CERTIFICATE_BYTES = 64 * 1024
_PEM = re.compile(
    rb"-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]{1,100000})-----END CERTIFICATE-----"
)
_KEY_USAGES = (
    ("digital_signature", "digitalSignature"),
    ("content_commitment", "nonRepudiation"),
    ("key_encipherment", "keyEncipherment"),
    ("data_encipherment", "dataEncipherment"),
    ("key_agreement", "keyAgreement"),
    ("key_cert_sign", "keyCertSign"),
    ("crl_sign", "cRLSign"),
)
_ATTRIBUTE_NAMES = {
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
}
"""Beside those of RFC 4514, 3: a person cannot read a number."""
_UNDERSTOOD = frozenset(
    oid.dotted_string
    for oid in (
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.OCSP_NO_CHECK,
    )
)

_PARSING_ERRORS = (
    ValueError,
    TypeError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)


@asn1.sequence
class _TbsCertificate:
    """RFC 5280, 4.1: for the parts that are needed octet for octet."""

    version: Annotated[int, asn1.Explicit(0), asn1.Default(0)]
    serial: int
    signature: asn1.TLV
    issuer: asn1.TLV
    validity: asn1.TLV
    subject: asn1.TLV
    subject_public_key_info: asn1.TLV
    issuer_unique_id: Annotated[asn1.BitString | None, asn1.Implicit(1)]
    subject_unique_id: Annotated[asn1.BitString | None, asn1.Implicit(2)]
    extensions: Annotated[list[asn1.TLV] | None, asn1.Explicit(3)]


@asn1.sequence
class _Certificate:
    tbs: _TbsCertificate
    signature_algorithm: asn1.TLV
    signature: asn1.BitString


@dataclass(frozen=True)
class Certificate:
    """One certificate; equal to another when the DER is the same."""

    der: bytes
    _parsed: x509.Certificate = field(repr=False, compare=False)
    _fields: _TbsCertificate = field(repr=False, compare=False)

    @classmethod
    def parse(cls, data: bytes | str) -> "Certificate":
        """Read one certificate, DER or PEM. Raises Malformed `certificate.malformed`."""
        raw = data.encode("ascii", "replace") if isinstance(data, str) else bytes(data)
        if raw[:1] == b"\x30":
            return _parse_der(raw)
        certificates = cls.parse_bundle(raw)
        if len(certificates) != 1:
            raise Malformed("certificate.malformed", "more than one certificate")
        return certificates[0]

    @classmethod
    def parse_bundle(cls, data: bytes | str) -> tuple["Certificate", ...]:
        """Read the PEM certificates in `data`, in order; at least one.

        Raises Malformed `certificate.malformed`.
        """
        raw = data.encode("ascii", "replace") if isinstance(data, str) else bytes(data)
        try:
            found = tuple(
                _parse_der(base64.b64decode(b"".join(body.split()), validate=True))
                for body in _PEM.findall(raw)
            )
        except binascii.Error:
            raise Malformed("certificate.malformed", "not base64") from None
        if not found:
            raise Malformed("certificate.malformed", "neither DER nor PEM")
        return found

    def __hash__(self) -> int:
        return hash(self.der)

    @cached_property
    def pem(self) -> str:
        """RFC 7468 text."""
        text = base64.encodebytes(self.der).decode().replace("\n", "")
        lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
        return f"-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the DER, hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    def digest(self, name: str) -> bytes:
        """The certificate's digest under hashlib's `name`; computed once for each."""
        known = self._digests.get(name)
        if known is None:
            known = self._digests[name] = hashlib.new(name, self.der).digest()
        return known

    @cached_property
    def _digests(self) -> dict[str, bytes]:
        return {}

    # -- names ---------------------------------------------------------------------------------

    @cached_property
    def serial(self) -> Serial:
        return Serial(self._fields.serial)

    @cached_property
    def issuer_der(self) -> bytes:
        """The issuer Name, DER, as it stands in the certificate."""
        return der_writer.encoded(self._fields.issuer)

    @cached_property
    def subject_der(self) -> bytes:
        """The subject Name, DER, as it stands in the certificate."""
        return der_writer.encoded(self._fields.subject)

    @cached_property
    def issuer_and_serial(self) -> bytes:
        """IssuerAndSerialNumber (RFC 5652, 10.2.4), DER."""
        return der_writer.sequence(self.issuer_der, der_writer.integer(self.serial))

    @cached_property
    def is_self_issued(self) -> bool:
        return self.issuer_der == self.subject_der

    @cached_property
    def subject(self) -> Mapping[str, tuple[str, ...]]:
        """Attribute values by dotted object identifier."""
        return _attributes(self._parsed.subject)

    def attribute(self, oid: str) -> str | None:
        """The first subject attribute of that dotted type."""
        return self.subject.get(oid, (None,))[0]

    def subject_text(self) -> str:
        """The subject in RFC 4514's form."""
        return self._parsed.subject.rfc4514_string(_ATTRIBUTE_NAMES)

    def issuer_text(self) -> str:
        """The issuer in RFC 4514's form."""
        return self._parsed.issuer.rfc4514_string(_ATTRIBUTE_NAMES)

    # -- validity, key, signature --------------------------------------------------------------

    @cached_property
    def not_before(self) -> datetime:
        return self._parsed.not_valid_before_utc

    @cached_property
    def not_after(self) -> datetime:
        return self._parsed.not_valid_after_utc

    @cached_property
    def spki(self) -> bytes:
        """The SubjectPublicKeyInfo, DER, as it stands in the certificate."""
        return der_writer.encoded(self._fields.subject_public_key_info)

    @cached_property
    def public_key(self) -> PublicKey:
        """Raises as `PublicKey.from_spki`."""
        return PublicKey.from_spki(self.spki)

    @cached_property
    def tbs(self) -> bytes:
        return self._parsed.tbs_certificate_bytes

    @cached_property
    def signature(self) -> bytes:
        return self._parsed.signature

    @cached_property
    def signature_algorithm_oid(self) -> str:
        return self._parsed.signature_algorithm_oid.dotted_string

    @cached_property
    def signature_suite(self) -> AlgorithmSuite | None:
        """What the issuer signed with; None where our table has no such row."""
        return SUITES_BY_SIGNATURE_ALGORITHM.get(der_writer.encoded(self._fields.signature))

    def is_signed_by(self, issuer: "Certificate") -> bool:
        """Whether `issuer`'s name and key match this certificate's issuer and signature.

        Says nothing of validity, CA flag or status (RFC 5280, 6.1.3 a.1 and a.4 alone). Raises
        as `has_signature_of`.
        """
        return self.issuer_der == issuer.subject_der and self.has_signature_of(issuer)

    def has_signature_of(self, issuer: "Certificate") -> bool:
        """Whether `issuer`'s key made this certificate's signature, whatever the names are.

        Raises Unavailable `libcrypto.*`: an SM2 signature, and no library to check it with.
        """
        return _signed_by(self, issuer.spki)

    # -- extensions ----------------------------------------------------------------------------

    @cached_property
    def has_key_usage(self) -> bool:
        return self._extension(x509.KeyUsage) is not None

    @cached_property
    def key_usage(self) -> frozenset[str]:
        """Names of RFC 5280, 4.2.1.3; empty where the extension is absent."""
        usage = self._extension(x509.KeyUsage)
        if usage is None:
            return frozenset()
        return frozenset(name for attribute, name in _KEY_USAGES if getattr(usage, attribute))

    @cached_property
    def extended_key_usage(self) -> frozenset[str]:
        """Dotted purposes; empty where the extension is absent."""
        usage = self._extension(x509.ExtendedKeyUsage)
        return frozenset(purpose.dotted_string for purpose in usage or ())

    @cached_property
    def is_ca(self) -> bool:
        constraints = self._extension(x509.BasicConstraints)
        return constraints is not None and constraints.ca

    @cached_property
    def path_length(self) -> int | None:
        constraints = self._extension(x509.BasicConstraints)
        return None if constraints is None else constraints.path_length

    @cached_property
    def subject_key_identifier(self) -> bytes | None:
        identifier = self._extension(x509.SubjectKeyIdentifier)
        return None if identifier is None else identifier.digest

    @cached_property
    def authority_key_identifier(self) -> bytes | None:
        identifier = self._extension(x509.AuthorityKeyIdentifier)
        return None if identifier is None else identifier.key_identifier

    @cached_property
    def ocsp_urls(self) -> tuple[str, ...]:
        return self._access_urls(AuthorityInformationAccessOID.OCSP)

    @cached_property
    def ca_issuers_urls(self) -> tuple[str, ...]:
        return self._access_urls(AuthorityInformationAccessOID.CA_ISSUERS)

    @cached_property
    def crl_urls(self) -> tuple[str, ...]:
        points = self._extension(x509.CRLDistributionPoints)
        return tuple(
            name.value
            for point in points or ()
            for name in point.full_name or ()
            if isinstance(name, x509.UniformResourceIdentifier)
        )

    @cached_property
    def policies(self) -> tuple[str, ...]:
        """Certificate policies, dotted, in order."""
        policies = self._extension(x509.CertificatePolicies)
        return tuple(policy.policy_identifier.dotted_string for policy in policies or ())

    @cached_property
    def policy_statements(self) -> tuple[str, ...]:
        """The addresses of practice statements (cPSuri) that the policies are qualified by."""
        policies = self._extension(x509.CertificatePolicies)
        return tuple(
            qualifier
            for policy in policies or ()
            for qualifier in policy.policy_qualifiers or ()
            if isinstance(qualifier, str)
        )

    @cached_property
    def dns_names(self) -> tuple[str, ...]:
        """The dNSName of subjectAltName, in order."""
        names = self._extension(x509.SubjectAlternativeName)
        return () if names is None else tuple(names.get_values_for_type(x509.DNSName))

    @property
    def alternative_name_count(self) -> int:
        """How many names of any kind subjectAltName holds."""
        return len(list(self._extension(x509.SubjectAlternativeName) or ()))

    @cached_property
    def has_ocsp_nocheck(self) -> bool:
        return self._extension(x509.OCSPNoCheck) is not None

    @cached_property
    def critical_extensions(self) -> frozenset[str]:
        return frozenset(e.oid.dotted_string for e in self._parsed.extensions if e.critical)

    @cached_property
    def critical_unknown_extensions(self) -> frozenset[str]:
        """Critical extensions that no property here speaks for (name constraints among them):
        whoever accepts the certificate must process them (RFC 5280, 4.2)."""
        return self.critical_extensions - _UNDERSTOOD

    def extension(self, oid: str) -> bytes | None:
        """The DER value (extnValue's content) of the extension of that dotted type."""
        for extension in self._parsed.extensions:
            if extension.oid.dotted_string == oid:
                value: bytes = extension.value.public_bytes()
                return value
        return None

    def _extension(self, kind: type[ExtensionT]) -> ExtensionT | None:
        try:
            return self._parsed.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    def _access_urls(self, method: x509.ObjectIdentifier) -> tuple[str, ...]:
        access = self._extension(x509.AuthorityInformationAccess)
        return tuple(
            description.access_location.value
            for description in access or ()
            if description.access_method == method
            and isinstance(description.access_location, x509.UniformResourceIdentifier)
        )


def _attributes(name: x509.Name) -> dict[str, tuple[str, ...]]:
    values: dict[str, tuple[str, ...]] = {}
    for attribute in name:
        oid, value = attribute.oid.dotted_string, attribute.value
        text = value if isinstance(value, str) else value.hex()
        values[oid] = (*values.get(oid, ()), text)
    return values


@lru_cache(maxsize=2048)
def _parse_der(der: bytes) -> Certificate:
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise Malformed("certificate.malformed", "the certificate is too large")
    try:
        fields = asn1.decode_der(_Certificate, der)
        if fields.tbs.serial <= 0:
            raise Malformed("certificate.malformed", "the serial number is not positive")
        parsed = x509.load_der_x509_certificate(der)
        certificate = Certificate(der, parsed, fields.tbs)
        parsed.extensions  # noqa: B018 - parsed here, so that no property fails later
        _ = certificate.subject, parsed.issuer, certificate.not_before, certificate.not_after
    except _PARSING_ERRORS:
        raise Malformed("certificate.malformed", "not an X.509 certificate") from None
    if der_writer.encoded(fields.signature_algorithm) != der_writer.encoded(fields.tbs.signature):
        # RFC 5280, 4.1.1.2: else the unsigned one of the two could be exchanged.
        raise Malformed("certificate.malformed", "two different signature algorithms")
    if fields.signature.padding_bits():
        raise Malformed("certificate.malformed", "a signature value of a broken octet")
    return certificate


@lru_cache(maxsize=4096)
def _signed_by(certificate: Certificate, issuer_spki: bytes) -> bool:
    suite = certificate.signature_suite
    if suite is None:
        return False
    try:
        key = PublicKey.from_spki(issuer_spki)
    except (Malformed, Unprocessable):
        return False
    return key.verify(suite, certificate.signature, certificate.tbs)
