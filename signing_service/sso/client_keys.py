"""Public keys of platforms that sign assertions and proofs (RFC 7517), read strictly."""

from collections.abc import Sequence
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, RSAKey

from kernel.refusals import Unprocessable

ASSERTION_ALGORITHMS = ("ES256", "ES384", "PS256", "PS384", "RS256")
"""With what a platform may sign. Never `none`, never a shared secret."""
_MOST_KEYS = 5
_SMALLEST_RSA_BITS = 2048
_CURVES = ("P-256", "P-384")
_PUBLIC = {
    "EC": frozenset({"kty", "crv", "x", "y", "kid", "use", "alg", "key_ops"}),
    "RSA": frozenset({"kty", "n", "e", "kid", "use", "alg", "key_ops"}),
}


def require_client_keys(jwks: Sequence[dict[str, Any]]) -> None:
    """Raises Unprocessable `platform.keys`: one to five public EC or RSA keys, with a `kid`."""
    if not 0 < len(jwks) <= _MOST_KEYS:
        raise _refused("one to five public keys")
    names = [jwk.get("kid") for jwk in jwks]
    if not all(isinstance(name, str) and name for name in names) or len(set(names)) != len(names):
        raise _refused("each key has a kid of its own")
    for jwk in jwks:
        read_public_key(jwk)


def client_key_set(jwks: Sequence[dict[str, Any]]) -> KeySet:
    """Raises Unprocessable `platform.keys`."""
    return KeySet([read_public_key(jwk) for jwk in jwks])


def algorithms_of(key: object) -> tuple[str, ...]:
    """What this key may sign with: the algorithm that it was made for, or its kind's."""
    assert isinstance(key, ECKey | RSAKey)
    named = key.get("alg")
    if isinstance(key, ECKey):
        fitting: tuple[str, ...] = ("ES256",) if key.get("crv") == "P-256" else ("ES384",)
    else:
        fitting = ("PS256", "PS384", "RS256")
    return fitting if named is None else tuple(each for each in fitting if each == named)


def read_public_key(jwk: dict[str, Any]) -> ECKey | RSAKey:
    """Raises Unprocessable `platform.keys` for anything but a public EC or RSA key."""
    kind = str(jwk.get("kty"))
    allowed = _PUBLIC.get(kind)
    if allowed is None or not jwk.keys() <= allowed:
        raise _refused("a key is a public EC or RSA key, without anything private")
    try:
        if kind == "EC":
            if jwk.get("crv") not in _CURVES:
                raise _refused("the curve is P-256 or P-384")
            return ECKey.import_key(dict(jwk))
        key = RSAKey.import_key(dict(jwk))
    except (JoseError, ValueError, TypeError, KeyError):
        raise _refused("a key cannot be read") from None
    if key.public_key.key_size < _SMALLEST_RSA_BITS:
        raise _refused("an RSA key has 2048 bits or more")
    return key


def _refused(detail: str) -> Unprocessable:
    return Unprocessable("platform.keys", detail)
