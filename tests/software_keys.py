"""A small authority with software keys: root, issuing CA, signers and a timestamp authority.

For tests of formats and structures, where it does not matter which hardware signs; tests of the
main job use real tokens. Made with pyca's own builders, so that our parsers meet certificates
that our own issuing code did not write.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kernel.algorithms import (
    ECDSA_P256_SHA256,
    ECDSA_P384_SHA384,
    ED25519,
    RSA_PKCS1_SHA256,
    RSA_PSS_SHA256,
    AlgorithmSuite,
    KeyKind,
    Padding,
    PublicKey,
)
from kernel.asn1.certificate import Certificate

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
PublicTypes = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class SoftwareKey:
    """A pyca private key as a `kernel.keys.KeyHandle`."""

    def __init__(self, private_key: PrivateKey, suite: AlgorithmSuite) -> None:
        self.private_key = private_key
        self._suite = suite

    @classmethod
    def generate(cls, suite: AlgorithmSuite = ECDSA_P256_SHA256) -> "SoftwareKey":
        if suite.kind is KeyKind.EC:
            curve = ec.SECP384R1() if suite.curve == "secp384r1" else ec.SECP256R1()
            return cls(ec.generate_private_key(curve), suite)
        if suite.kind is KeyKind.RSA:
            return cls(rsa.generate_private_key(65537, 2048), suite)
        return cls(ed25519.Ed25519PrivateKey.generate(), suite)

    @cached_property
    def public_key(self) -> PublicKey:
        return PublicKey.from_spki(
            self.private_key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )

    @property
    def suite(self) -> AlgorithmSuite:
        return self._suite

    def sign(self, message: bytes) -> bytes:
        if isinstance(self.private_key, ed25519.Ed25519PrivateKey):
            return self.private_key.sign(message)
        return self.sign_digest(self._suite.hash(message))

    def sign_digest(self, digest: bytes) -> bytes:
        prehashed = utils.Prehashed(_HASHES[self._suite.digest])
        if isinstance(self.private_key, ec.EllipticCurvePrivateKey):
            return self.private_key.sign(digest, ec.ECDSA(prehashed))
        assert isinstance(self.private_key, rsa.RSAPrivateKey)
        algorithm = _HASHES[self._suite.digest]
        scheme: padding.AsymmetricPadding = padding.PKCS1v15()
        if self._suite.padding is Padding.PSS:
            scheme = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        return self.private_key.sign(digest, scheme, prehashed)

    def pem(self) -> bytes:
        return self.private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


@dataclass(frozen=True)
class Identity:
    """A key with its certificate and the certificates above it, issuer first, root last."""

    key: SoftwareKey
    certificate: Certificate
    chain: tuple[Certificate, ...]


class SoftwareAuthority:
    """Root and issuing CA, on demand certificates for signers."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime.now(UTC).replace(microsecond=0)
        self._next_serial = 0x1000
        root_key, issuing_key = SoftwareKey.generate(), SoftwareKey.generate()
        root_private, issuing_public = root_key.private_key, issuing_key.private_key.public_key()
        root = self._certify(
            "Test Root CA", root_private, "Test Root CA", root_private.public_key(), ca=2
        )
        issuing = self._certify(
            "Test Root CA", root_private, "Test Issuing CA", issuing_public, ca=0
        )
        self.root = Identity(root_key, root, ())
        self.issuing = Identity(issuing_key, issuing, (root,))

    def signer(
        self, name: str = "操作员 张三", suite: AlgorithmSuite = ECDSA_P256_SHA256
    ) -> Identity:
        """An end entity whose key may sign documents."""
        return self._end_entity(name, suite, None)

    def certificate_for(self, pkcs10: bytes, name: str = "操作员 张三") -> Certificate:
        """For the key of a request that proves its possession."""
        request = x509.load_der_x509_csr(pkcs10)
        assert request.is_signature_valid
        public = request.public_key()
        assert isinstance(public, PublicTypes)
        return self._certify("Test Issuing CA", self.issuing.key.private_key, name, public)

    def timestamp_authority(
        self, name: str = "Test TSA", suite: AlgorithmSuite = ECDSA_P256_SHA256
    ) -> Identity:
        """An end entity for time stamping alone (RFC 3161, 2.3)."""
        return self._end_entity(name, suite, ExtendedKeyUsageOID.TIME_STAMPING)

    def ocsp_responder(self, name: str = "Test OCSP Responder") -> Identity:
        """An end entity that answers OCSP and does nothing else (RFC 6960, 4.2.2.2)."""
        return self._end_entity(name, ECDSA_P256_SHA256, ExtendedKeyUsageOID.OCSP_SIGNING)

    def _end_entity(
        self, name: str, suite: AlgorithmSuite, purpose: x509.ObjectIdentifier | None
    ) -> Identity:
        key = SoftwareKey.generate(suite)
        issuer = self.issuing
        certificate = self._certify(
            "Test Issuing CA",
            issuer.key.private_key,
            name,
            key.private_key.public_key(),
            purpose=purpose,
        )
        return Identity(key, certificate, (issuer.certificate, *issuer.chain))

    def _certify(
        self,
        issuer: str,
        issuer_key: PrivateKey,
        subject: str,
        public_key: PublicTypes,
        *,
        ca: int | None = None,
        purpose: x509.ObjectIdentifier | None = None,
    ) -> Certificate:
        self._next_serial += 1
        is_ca = ca is not None
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(issuer))
            .serial_number(self._next_serial)
            .not_valid_before(self.now - timedelta(days=1))
            .not_valid_after(self.now + timedelta(days=365))
            .public_key(public_key)
            .add_extension(x509.BasicConstraints(is_ca, ca), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not is_ca,
                    content_commitment=not is_ca,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=is_ca,
                    crl_sign=is_ca,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
                critical=False,
            )
        )
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        is_edwards = isinstance(issuer_key, ed25519.Ed25519PrivateKey)
        certificate = builder.sign(issuer_key, None if is_edwards else hashes.SHA256())
        return Certificate.parse(certificate.public_bytes(serialization.Encoding.DER))


def write_pem(path: Path, certificates: Iterable[Certificate]) -> Path:
    path.write_text("".join(certificate.pem for certificate in certificates))
    return path


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "PortSeal Test"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


SIGNING_SUITES = (
    ECDSA_P256_SHA256,
    ECDSA_P384_SHA384,
    RSA_PKCS1_SHA256,
    ED25519,
    RSA_PSS_SHA256,
)
