"""The authentication token of the Web eID scheme, version 1.0, as holder and server see it.

The signature is over H(origin) || H(nonce), H being the digest of the algorithm: hashing first
keeps the two apart, and 64 octets and more of digests are no document, no request and no set of
signed attributes, so a sign-in can never be taken for a signature on something else.
"""

import base64
import binascii
import json
from dataclasses import dataclass

from kernel.algorithms import AlgorithmSuite
from kernel.keys import KeyHandle
from kernel.refusals import Malformed, Unprocessable

FORMAT = "web-eid:1.0"
CONFIRMATION_FORMAT = "portseal-act:1.0"
"""Of a token that confirms acts: its signature covers their text as well."""
MIN_CHARACTERS = 100
MAX_CHARACTERS = 10_000
_FIELDS = frozenset({"unverifiedCertificate", "algorithm", "signature", "format", "appVersion"})


@dataclass(frozen=True)
class AuthenticationToken:
    """What a holder sent; nothing in it is proven yet."""

    certificate_der: bytes
    algorithm: str
    signature: bytes
    """Raw shape (r || s) for ES*."""
    format: str = FORMAT


def signed_value(
    suite: AlgorithmSuite, origin: str, nonce: str, confirmed: str | None = None
) -> bytes:
    """The octets that the card signs. `confirmed`: digest of the acts that the holder was shown
    (`Confirmation.digest`), which a sign-in has not."""
    signed = suite.hash(origin.encode("utf-8")) + suite.hash(nonce.encode("utf-8"))
    return signed if confirmed is None else signed + bytes.fromhex(confirmed)


def make_authentication_token(
    key: KeyHandle,
    certificate_der: bytes,
    origin: str,
    nonce: str,
    app_version: str,
    confirmed: str | None = None,
) -> dict[str, str]:
    """Answer a challenge with the key of a card; the result goes to the server as JSON.
    `confirmed` as for `signed_value`: whoever gives it has shown the acts to the holder.

    Raises Unprocessable `signin.algorithm` for a key that no server accepts, and as
    `KeyHandle.sign`.
    """
    suite = key.suite
    if suite.jose is None:
        raise Unprocessable("signin.algorithm", "this kind of key cannot sign in")
    signature = suite.to_raw(key.sign(signed_value(suite, origin, nonce, confirmed)))
    return {
        "unverifiedCertificate": base64.b64encode(certificate_der).decode("ascii"),
        "algorithm": suite.jose,
        "signature": base64.b64encode(signature).decode("ascii"),
        "format": FORMAT if confirmed is None else CONFIRMATION_FORMAT,
        "appVersion": app_version,
    }


def read_authentication_token(text: str) -> AuthenticationToken:
    """Read a token's JSON strictly.

    Raises Malformed `signin.token-length`, `signin.token-malformed`, `signin.token-format`.
    """
    if not MIN_CHARACTERS <= len(text) <= MAX_CHARACTERS:
        raise Malformed(
            "signin.token-length",
            "a token has {least} to {most} characters",
            least=MIN_CHARACTERS,
            most=MAX_CHARACTERS,
        )
    try:
        fields = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise _malformed("not one JSON object") from None
    if not isinstance(fields, dict) or not all(isinstance(v, str) for v in fields.values()):
        raise _malformed("a token is a JSON object of texts")
    if fields.get("format") not in {FORMAT, CONFIRMATION_FORMAT}:
        raise Malformed("signin.token-format", "the format is not {format}", format=FORMAT)
    if fields.keys() != _FIELDS:
        raise _malformed("a token holds exactly " + ", ".join(sorted(_FIELDS)))
    return AuthenticationToken(
        certificate_der=_decoded(fields["unverifiedCertificate"]),
        algorithm=fields["algorithm"],
        signature=_decoded(fields["signature"]),
        format=fields["format"],
    )


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a member stands twice")
    return fields


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed("a value is not base64") from None


def _malformed(detail: str) -> Malformed:
    return Malformed("signin.token-malformed", detail)
