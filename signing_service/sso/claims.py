"""What a platform learns of a holder, scope by scope, and how sure it may be."""

from signing_service.ports import Holder
from signing_service.sso.sessions import SignedIn

PREFIX = "urn:portseal:"
"""Our own claims are collision-resistant names (RFC 7519, 4.2)."""

SCOPES = ("openid", "profile", "enterprise", "rights", "card")

ACR_CARD = "urn:portseal:acr:card"
"""A key that was made in a token and needs its PIN, by the certificate's policy and a witness."""
ACR_CERTIFICATE = "urn:portseal:acr:certificate"
"""Possession of a certified key, wherever it is kept."""


def holder_claims(holder: Holder, scope: str) -> dict[str, object]:
    """`sub` and the claims of the granted scopes; what does not apply is left out."""
    granted = set(scope.split())
    claims: dict[str, object] = {"sub": holder.subject, PREFIX + "holder_kind": str(holder.kind)}
    if "profile" in granted:
        claims["name"] = holder.name
    if "enterprise" in granted:
        claims[PREFIX + "enterprise_name"] = holder.enterprise_name
        claims[PREFIX + "enterprise_uscc"] = holder.enterprise_uscc
        claims[PREFIX + "customs_code"] = holder.customs_code
    if "rights" in granted:
        claims[PREFIX + "rights"] = list(holder.rights)
        claims[PREFIX + "roles"] = list(holder.roles) or None
    if "card" in granted:
        claims[PREFIX + "card"] = holder.card
    return {name: value for name, value in claims.items() if value is not None}


def authentication_claims(signed_in: SignedIn) -> dict[str, object]:
    """`auth_time`, `sid`, `acr` and `amr` (RFC 8176).

    The server sees a signature, not the token: `hwk` and `pin` are claimed only on the word of the
    certificate's policy and of the officer who saw the key made on a token. Without both the
    proof is `pop`, possession of a key.
    """
    return {
        "auth_time": int(signed_in.auth_time.timestamp()),
        "sid": signed_in.session,
        "acr": ACR_CARD if signed_in.by_hardware else ACR_CERTIFICATE,
        "amr": ["hwk", "pin"] if signed_in.by_hardware else ["pop"],
    }


CLAIMS = (
    "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "at_hash", "sid", "name",
    *(
        PREFIX + name
        for name in (
            "holder_kind", "enterprise_name", "enterprise_uscc", "customs_code", "rights",
            "roles", "card",
        )
    ),
)  # fmt: skip
