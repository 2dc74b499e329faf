"""A transcript's signature: detached CMS by an authority whose certificate allows it."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7Options,
    PKCS7SignatureBuilder,
)

from ca.opening import KeyWithCertificate
from hsm.pyca import as_pyca_private_key, pyca_hash
from kernel.asn1.certificate import Certificate
from kernel.refusals import Unprocessable


def sign_transcript(pair: KeyWithCertificate, content: bytes) -> bytes:
    """SignedData (RFC 5652), DER, with the certificates above.

    `openssl cms -verify -binary -inform DER -content transcript.txt -CAfile root.pem -purpose any`
    verifies it. Raises Unprocessable `key.suite`, and as the key does.
    """
    key, digest = as_pyca_private_key(pair.key), pyca_hash(pair.key)
    if digest is None or not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise Unprocessable("key.suite", "no CMS signature with this kind of key")
    own, *above = (x509.load_der_x509_certificate(each.der) for each in _path(pair))
    builder = PKCS7SignatureBuilder().set_data(content).add_signer(own, key, digest)
    for certificate in above:
        builder = builder.add_certificate(certificate)
    options = [PKCS7Options.DetachedSignature, PKCS7Options.Binary]
    return builder.sign(Encoding.DER, options)


def _path(pair: KeyWithCertificate) -> list[Certificate]:
    return [pair.certificate, *pair.chain]
