"""A token key posing as a pyca private key, so that every pyca builder signs in the token."""

from typing import Any, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from kernel.algorithms import ECDSA_P256_SHA256, ECDSA_P384_SHA384, KeyKind, Padding
from kernel.keys import KeyHandle
from kernel.refusals import Unprocessable


def _refuse(*_: Any, **__: Any) -> NoReturn:
    raise Unprocessable("key.not-extractable", "the private key does not leave its token")


class _TokenEcKey(ec.EllipticCurvePrivateKey):
    def __init__(self, handle: KeyHandle) -> None:
        self._handle = handle

    def sign(self, data: Any, signature_algorithm: ec.EllipticCurveSignatureAlgorithm) -> bytes:
        algorithm = signature_algorithm.algorithm
        prehashed = isinstance(algorithm, Prehashed)
        name = algorithm._algorithm.name if isinstance(algorithm, Prehashed) else algorithm.name
        _require_digest(name, self._handle)
        if prehashed:
            return self._handle.sign_digest(bytes(data))
        return self._handle.sign(bytes(data))

    def public_key(self) -> ec.EllipticCurvePublicKey:
        key = self._handle.public_key.pyca
        assert isinstance(key, ec.EllipticCurvePublicKey)
        return key

    @property
    def curve(self) -> ec.EllipticCurve:
        return self.public_key().curve

    @property
    def key_size(self) -> int:
        return self.curve.key_size

    exchange = _refuse
    private_numbers = _refuse
    private_bytes = _refuse
    __copy__ = _refuse
    __deepcopy__ = _refuse


class _TokenRsaKey(rsa.RSAPrivateKey):
    def __init__(self, handle: KeyHandle) -> None:
        self._handle = handle

    def sign(
        self,
        data: Any,
        padding_: padding.AsymmetricPadding,
        algorithm: Any,
    ) -> bytes:
        pss = isinstance(padding_, padding.PSS)
        if pss is not (self._handle.suite.padding is Padding.PSS):
            raise Unprocessable("key.suite", "the key does not sign with this padding")
        if isinstance(algorithm, Prehashed):
            _require_digest(algorithm._algorithm.name, self._handle)
            return self._handle.sign_digest(bytes(data))
        _require_digest(algorithm.name, self._handle)
        return self._handle.sign(bytes(data))

    def public_key(self) -> rsa.RSAPublicKey:
        key = self._handle.public_key.pyca
        assert isinstance(key, rsa.RSAPublicKey)
        return key

    @property
    def key_size(self) -> int:
        return self.public_key().key_size

    decrypt = _refuse
    private_numbers = _refuse
    private_bytes = _refuse
    __copy__ = _refuse
    __deepcopy__ = _refuse


class _TokenEd25519Key(ed25519.Ed25519PrivateKey):
    def __init__(self, handle: KeyHandle) -> None:
        self._handle = handle

    def sign(self, data: Any) -> bytes:
        return self._handle.sign(bytes(data))

    def public_key(self) -> ed25519.Ed25519PublicKey:
        key = self._handle.public_key.pyca
        assert isinstance(key, ed25519.Ed25519PublicKey)
        return key

    private_bytes_raw = _refuse
    private_bytes = _refuse
    __copy__ = _refuse
    __deepcopy__ = _refuse


PycaPrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

_POSES: dict[KeyKind, type[_TokenEcKey] | type[_TokenRsaKey] | type[_TokenEd25519Key]] = {
    KeyKind.EC: _TokenEcKey,
    KeyKind.RSA: _TokenRsaKey,
    KeyKind.ED25519: _TokenEd25519Key,
}


def as_pyca_private_key(handle: KeyHandle) -> PycaPrivateKey:
    """`handle` in the shape that pyca's X.509 builders accept. Nothing can be extracted.

    Raises Unprocessable `key.suite` for kinds of keys that pyca does not know.
    """
    pose = _POSES.get(handle.suite.kind)
    if pose is None:
        raise Unprocessable("key.suite", "pyca cannot hold this kind of key")
    return pose(handle)


def pyca_hash(
    handle: KeyHandle,
) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """The hash to give to a pyca builder's `sign` beside this key (None for Ed25519)."""
    if handle.suite.kind is KeyKind.ED25519:
        return None
    known: dict[str, type[hashes.SHA256] | type[hashes.SHA384] | type[hashes.SHA512]] = {
        ECDSA_P256_SHA256.digest: hashes.SHA256,
        ECDSA_P384_SHA384.digest: hashes.SHA384,
        "sha512": hashes.SHA512,
    }
    return known[handle.suite.digest]()


def _require_digest(name: str, handle: KeyHandle) -> None:
    if name != handle.suite.digest:
        raise Unprocessable("key.suite", "the key does not sign with this digest", digest=name)


def certificate_request(key: KeyHandle, common_name: str) -> bytes:
    """A PKCS#10 request, DER, signed by the key itself. Raises as `KeyHandle.sign`.

    The name in it says little: an authority takes names from its records.
    """
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    request = builder.sign(as_pyca_private_key(key), pyca_hash(key))
    return request.public_bytes(serialization.Encoding.DER)
