"""ID tokens: signed in the token, verified against our own published keys alone."""

import base64
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from kernel.algorithms import AlgorithmSuite, KeyKind, PublicKey
from kernel.keys import KeyHandle
from kernel.refusals import Malformed

_MAX_TOKEN_CHARACTERS = 16_384


class IdTokenKeys:
    """The key that signs now, and those that signed before and are still published."""

    def __init__(self, signing: KeyHandle, retired: tuple[PublicKey, ...] = ()) -> None:
        """Raises ValueError unless every key is an elliptic-curve key (ES256, ES384)."""
        self._signing = signing
        self._suite = signing.suite
        if self._suite.kind is not KeyKind.EC or self._suite.jose is None:
            raise ValueError("ID tokens are signed with an elliptic-curve key")
        self.algorithm: str = self._suite.jose
        keys = [_as_jwk(signing.public_key, self._suite)]
        keys += [_as_jwk(key, key.default_suite()) for key in retired]
        self._keys = KeySet(list(keys))
        self.kid = str(keys[0]["kid"])
        self._algorithms = sorted({str(key["alg"]) for key in keys})

    def jwks(self) -> dict[str, object]:
        """The JSON Web Key Set (RFC 7517), public keys only."""
        return dict(self._keys.as_dict(private=False))

    def sign(self, claims: dict[str, object], kind: str = "JWT") -> str:
        """A JWS in compact form (RFC 7515, 7.1), `typ` as told. Raises as `KeyHandle.sign`."""
        header = {"alg": self.algorithm, "kid": self.kid, "typ": kind}
        signing_input = f"{_base64url(_json(header))}.{_base64url(_json(claims))}"
        signature = self._suite.to_raw(self._signing.sign(signing_input.encode("ascii")))
        return f"{signing_input}.{_base64url(signature)}"

    def access_token_hash(self, access_token: str) -> str:
        """`at_hash`: the left half of the digest (OpenID Connect Core, 3.1.3.6)."""
        digest = self._suite.hash(access_token.encode("ascii"))
        return _base64url(digest[: len(digest) // 2])

    def read(self, token: str, issuer: str) -> dict[str, object]:
        """The claims of a token that we signed, expired or not (for `id_token_hint`).

        Raises Malformed `oidc.id-token-hint`.
        """
        try:
            if len(token) > _MAX_TOKEN_CHARACTERS:
                raise ValueError("too long")
            signed = jws.deserialize_compact(token, self._keys, algorithms=self._algorithms)
            claims = json.loads(signed.payload)
        except (JoseError, ValueError, KeyError, TypeError, RecursionError):
            raise _hint() from None
        if not isinstance(claims, dict) or claims.get("iss") != issuer or "events" in claims:
            raise _hint()
        return claims


def key_name(key: PublicKey) -> str:
    """The `kid`: RFC 7638's thumbprint. Raises ValueError for a kind that signs no ID token."""
    return str(_as_jwk(key, key.default_suite())["kid"])


def _as_jwk(key: PublicKey, suite: AlgorithmSuite) -> ECKey:
    """Raises ValueError for a kind of key that ID tokens are not signed with."""
    public = key.pyca
    if not isinstance(public, ec.EllipticCurvePublicKey) or suite.jose is None:
        raise ValueError("ID tokens are signed with an elliptic-curve key")
    kid = ECKey.import_key(public).thumbprint()
    return ECKey.import_key(public, {"use": "sig", "alg": suite.jose, "kid": kid})


def _hint() -> Malformed:
    return Malformed("oidc.id-token-hint", "id_token_hint is not an ID token of this issuer")


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
