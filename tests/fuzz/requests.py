"""What programs send: bodies of the CSC API, of the key agent, and tokens of platforms."""

import json
from contextlib import suppress
from typing import Any, cast

from joserfc import jwt
from joserfc.jwk import ECKey

import key_agent.messages as agent
from kernel.clock import FixedClock
from kernel.refusals import Refusal
from signing_service.remote import messages as csc
from signing_service.sso.client_keys import require_client_keys
from signing_service.sso.dpop.proofs import Proofs
from signing_service.sso.openid.acts import ACT, read_acts
from signing_service.sso.openid.client_assertions import ClientAssertions
from signing_service.sso.openid.errors import OAuthError
from signing_service.sso.openid.requested_claims import read_requested_claims
from signing_service.sso.platform import Platform
from signing_service.sso.settings import SsoSettings
from signing_service.sso.used_once import UsedOnce
from tests.fuzz.target import Target
from tests.signing_service.validation.scenery import START

_CSC = (
    csc.InfoRequest, csc.ListRequest, csc.CredentialRequest, csc.ChallengeRequest,
    csc.AuthorizeRequest, csc.SignHashRequest, csc.SignDocRequest, csc.TimestampRequest,
)  # fmt: skip
_AGENT = (
    agent.InitialiseBody, agent.MakeKeyBody, agent.WriteCertificatesBody,
    agent.MakeTransportKeyBody, agent.InstallEncryptionKeyBody, agent.SignInBody, agent.SignBody,
    agent.SignBundleBody, agent.TokenBody, agent.UnlockBody, agent.WatchBody,
)  # fmt: skip
_HASH = "sTOgwOm+474gFj0q0x1iSNspKqbcse4IeiqlDg/HWuI="
_P256 = "1.2.840.10045.4.3.2"


def _csc_body(data: bytes) -> object:
    """As every request of the API, with what the routes then ask of it."""
    found: list[object] = []
    for model in _CSC:
        with suppress(Refusal):
            body = csc.read(model, data)
            found.append(body)
            for asked in ("all_hashes", "proof"):
                with suppress(Refusal):
                    getattr(body, asked, lambda: None)()
            with suppress(Refusal):
                getattr(body, "digest_oid", None)
    return found or None


def _csc_bodies() -> list[bytes]:
    seal = {"credentialID": "seal-1"}
    bodies: list[dict[str, Any]] = [
        {**seal, "SAD": "s" * 40, "hashes": [_HASH], "signAlgo": _P256, "hashAlgorithmOID": "2.16"},
        {},
        {"certificates": "chain", "certInfo": True, "maxResults": 3, "pageToken": "seal-1"},
        {
            **seal, "numSignatures": 1, "hashes": [_HASH], "description": "报关单",
            "authData": [{"id": "challenge", "value": "c"}, {"id": "card", "value": _HASH}],
        },
        {**seal, "documents": [{"document": "PGQvPg==", "signature_format": "X"}]},
        {"hash": _HASH, "hashAlgo": "2.16.840.1.101.3.4.2.1"},
    ]  # fmt: skip
    return [json.dumps(each, ensure_ascii=False).encode() for each in bodies]


def _agent_body(data: bytes) -> object:
    found = []
    for model in _AGENT:
        with suppress(Refusal):
            found.append(agent.read(model, data))
    with suppress(Refusal):
        agent.octets(data.decode("utf-8", "replace"))
    return found or None


def _agent_bodies() -> list[bytes]:
    token, certificate = "0" * 32, "1" * 64
    item = {"document": _HASH, "format": "CAdES", "to_be_signed": _HASH, "draft": _HASH}
    bodies: list[dict[str, Any]] = [
        {**item, "certificate": certificate, "name": "报关单.xml"},
        {"certificate": certificate, "items": [item, item]},
        {"token": token, "label": "card 1", "recovery_key": {"kty": "RSA", "n": "AQAB", "e": "A"}},
        {"nonce": "n" * 43, "certificate": certificate},
        {"token": token, "certificates": [_HASH]},
    ]
    return [json.dumps(each, ensure_ascii=False).encode() for each in bodies]


_KEY = ECKey.generate_key("P-256", {"kid": "1", "use": "sig"}, private=True)


class _Terms:
    jwks = (_KEY.as_dict(private=False),)
    endpoint_audience = True


class _Platform:
    client_id = "platform"
    terms = _Terms()


_ASSERTIONS = ClientAssertions(
    cast(UsedOnce, None),
    FixedClock(START),
    "https://somebody.else",
    frozenset({"https://somebody.else/token"}),
)
"""For whom no assertion is meant, so that none is ever noted as used."""


def _client_assertion(data: bytes) -> object:
    """As it came, and as what the platform signs in earnest."""
    text, platform = data.decode("utf-8", "surrogateescape"), cast(Platform, _Platform())
    proves = _ASSERTIONS.proves(platform, text)
    with suppress(ValueError, RecursionError):
        claims = json.loads(data)
        if isinstance(claims, dict):
            _ASSERTIONS.proves(platform, jwt.encode(_HEADER, claims, _KEY))
    return proves, ClientAssertions.claimed_client(text)


_HEADER = {"alg": "ES256", "kid": "1", "typ": "JWT"}


def _client_assertions() -> list[bytes]:
    claims = {
        "iss": "platform", "sub": "platform", "aud": "https://a", "jti": "j" * 9,
        "exp": int(START.timestamp()) + 300,
    }  # fmt: skip
    return [jwt.encode(_HEADER, claims, _KEY).encode(), json.dumps(claims).encode()]


_PROOFS = Proofs(
    cast(UsedOnce, None),
    FixedClock(START),
    SsoSettings("https://a", frozenset({"1.2.3"}), dpop_nonces=False),
)


def _proof(data: bytes) -> object:
    """As it came, and as what a stranger signs in earnest with a key of his own."""
    found: list[object] = []
    texts = [data.decode("utf-8", "surrogateescape")]
    with suppress(ValueError, RecursionError):
        claims = json.loads(data)
        if isinstance(claims, dict):
            texts.append(jwt.encode(_PROOF_HEADER, claims, _KEY))
    for text in texts:
        with suppress(OAuthError):
            found.append(_PROOFS.read(text, "POST", "/oidc/token"))
    return found or None


_PROOF_HEADER = {"alg": "ES256", "typ": "dpop+jwt", "jwk": _KEY.as_dict(private=False)}


def _proofs() -> list[bytes]:
    claims = {
        "jti": "j" * 9, "htm": "POST", "htu": "https://a/oidc/token",
        "iat": int(START.timestamp()),
    }  # fmt: skip
    return [jwt.encode(_PROOF_HEADER, claims, _KEY).encode(), json.dumps(claims).encode()]


def _asked_in_json(data: bytes) -> object:
    """Parameters of an authorization request that are JSON, and a platform's keys."""
    text = data.decode("utf-8", "surrogateescape")
    found: list[object] = []
    for read in (read_acts, read_requested_claims):
        with suppress(OAuthError):
            found.append(read(text))
    with suppress(Refusal, ValueError, RecursionError):
        given = json.loads(text)
        keys = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
        require_client_keys(keys)
        found.append(keys)
    return found or None


def _asked() -> list[bytes]:
    acts = [{"type": ACT, "act": "付款 100 元", "reference": "r", "digest": "d" * 43}]
    claims = {"id_token": {"acr": {"essential": True, "values": ["card"]}, "sub": {"value": "s"}}}
    return [json.dumps(each).encode() for each in (acts, claims)] + [
        json.dumps(_Terms.jwks).encode()
    ]


TARGETS = {
    "csc-body": Target(_csc_body, _csc_bodies, 3000),
    "agent-body": Target(_agent_body, _agent_bodies, 3000),
    "client-assertion": Target(_client_assertion, _client_assertions, 1500),
    "dpop-proof": Target(_proof, _proofs, 1500),
    "authorization-parameters": Target(_asked_in_json, _asked, 3000),
}
