"""ID tokens: signed in the token, readable by strangers, never verified with a foreign key."""

import base64
import json

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey

from hsm.token_key import TokenKey
from kernel.algorithms import ECDSA_P384_SHA384, RSA_PKCS1_SHA256
from kernel.refusals import Malformed
from signing_service.sso.tokens import IdTokenKeys
from tests.software_keys import SoftwareKey

ISSUER = "https://id.example"
CLAIMS: dict[str, object] = {"iss": ISSUER, "sub": "operator-1", "name": "李四"}


def published(keys: IdTokenKeys) -> list[dict[str, str]]:
    listed = keys.jwks()["keys"]
    assert isinstance(listed, list)
    return listed


@pytest.fixture(scope="module")
def keys(signin_key: TokenKey) -> IdTokenKeys:
    return IdTokenKeys(signin_key)


def test_joserfc_verifies_a_token_with_the_published_keys(keys: IdTokenKeys) -> None:
    key_set = KeySet.import_key_set(keys.jwks())  # type: ignore[arg-type]
    read = jwt.decode(keys.sign(CLAIMS), key_set, algorithms=["ES256"])
    assert read.claims == CLAIMS
    assert read.header == {"alg": "ES256", "kid": keys.kid, "typ": "JWT"}


def test_published_keys_are_public_and_named_by_thumbprint(keys: IdTokenKeys) -> None:
    (only,) = published(keys)
    assert set(only) == {"kty", "crv", "x", "y", "use", "alg", "kid"}
    bare: dict[str, str | list[str]] = {n: only[n] for n in ("kty", "crv", "x", "y")}
    assert only["kid"] == keys.kid == ECKey.import_key(bare).thumbprint()


def test_a_retired_key_stays_published_and_its_tokens_readable(signin_key: TokenKey) -> None:
    old = SoftwareKey.generate(ECDSA_P384_SHA384)
    token = IdTokenKeys(old).sign(CLAIMS)
    rotated = IdTokenKeys(signin_key, retired=(old.public_key,))
    assert len(published(rotated)) == 2
    assert rotated.read(token, ISSUER) == CLAIMS
    with pytest.raises(Malformed, match=r"oidc\.id-token-hint"):
        IdTokenKeys(signin_key).read(token, ISSUER)


def test_a_key_that_is_no_elliptic_curve_is_refused() -> None:
    with pytest.raises(ValueError, match="elliptic-curve"):
        IdTokenKeys(SoftwareKey.generate(RSA_PKCS1_SHA256))


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forgeries(keys: IdTokenKeys) -> dict[str, str]:
    good = keys.sign(CLAIMS)
    header, payload, signature = good.split(".")
    foreign = ECKey.generate_key("P-256")
    jwk = foreign.as_dict(private=False)
    public = json.dumps(published(keys)[0])
    return {
        "changed": f"{header}.{_part({**CLAIMS, 'sub': 'other'})}.{signature}",
        "unsigned": f"{_part({'alg': 'none'})}.{payload}.",
        "own jwk header": jwt.encode({"alg": "ES256", "jwk": jwk}, CLAIMS, foreign),
        "own jwk, no such kid": jwt.encode(
            {"alg": "ES256", "kid": "x", "jwk": jwk}, CLAIMS, foreign
        ),
        "our kid": jwt.encode({"alg": "ES256", "kid": keys.kid}, CLAIMS, foreign),
        "public key as secret": jwt.encode(
            {"alg": "HS256", "kid": keys.kid}, CLAIMS, OctKey.import_key(public)
        ),
        "other issuer": keys.sign({**CLAIMS, "iss": "https://other.example"}),
        "not an object": "a.b.c",
        "empty": "",
        "not ascii": "é.é.é",
        "long": good + "A" * 20_000,
        "deep": f"{header}.{'W1tb' * 2000}.{signature}",
    }


@pytest.mark.parametrize(
    "kind",
    [
        "changed",
        "unsigned",
        "own jwk header",
        "own jwk, no such kid",
        "our kid",
        "public key as secret",
        "other issuer",
        "not an object",
        "empty",
        "not ascii",
        "long",
        "deep",
    ],
)
def test_a_forged_token_is_refused(keys: IdTokenKeys, kind: str) -> None:
    with pytest.raises(Malformed, match=r"oidc\.id-token-hint"):
        keys.read(forgeries(keys)[kind], ISSUER)
