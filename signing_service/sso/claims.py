"""What a platform learns of a holder, scope by scope, and how sure it may be."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime

from signing_service.ports import Holder, RightPeriod
from signing_service.sso.sessions import SignedIn

PREFIX = "urn:portseal:"
"""Our own claims are collision-resistant names (RFC 7519, 4.2)."""

SCOPE_CLAIMS: dict[str, tuple[str, ...]] = {
    "openid": (PREFIX + "holder_kind",),
    "profile": ("name", PREFIX + "employee_number"),
    "enterprise": (
        PREFIX + "enterprise_name",
        PREFIX + "enterprise_uscc",
        PREFIX + "customs_code",
    ),
    "rights": (PREFIX + "rights", PREFIX + "rights_detail", PREFIX + "roles"),
    "card": (PREFIX + "card",),
}
SCOPES = tuple(SCOPE_CLAIMS)
PERMITTABLE = tuple(claim for claims in SCOPE_CLAIMS.values() for claim in claims)
"""Claims about the holder, each of which a department permits a platform or does not."""
_BY_NAME_ALONE = (PREFIX + "employee_number", PREFIX + "rights_detail")
UNLISTED = tuple(claim for claim in PERMITTABLE if claim not in _BY_NAME_ALONE)
"""What the entry of a platform permits that lists no claims. A claim that came later, or that few
platforms need, is permitted by its name alone: it does not belong in here."""

ACR_CARD = "urn:portseal:acr:card"
"""A key that was made in a token and needs its PIN, by the certificate's policy and a witness."""
ACR_CARD_FRESH = "urn:portseal:acr:card:fresh"
"""That, proven for this very request and nothing else (step-up)."""
ACR_CERTIFICATE = "urn:portseal:acr:certificate"
"""Possession of a certified key, wherever it is kept."""
ACRS = (ACR_CARD_FRESH, ACR_CARD, ACR_CERTIFICATE)
"""From the surest down."""

AUTHENTICATION_CLAIMS = ("auth_time", "acr", "amr")
CLAIMS = (
    "iss", "sub", "aud", "exp", "iat", "nonce", "at_hash", "sid", *AUTHENTICATION_CLAIMS,
    *PERMITTABLE,
)  # fmt: skip


def claims_of(scope: str) -> frozenset[str]:
    """The claims that the scopes ask for (OpenID Connect Core, 5.4)."""
    return frozenset(claim for each in scope.split() for claim in SCOPE_CLAIMS.get(each, ()))


def holder_claims(
    holder: Holder,
    scope: str,
    *,
    requested: Iterable[str] = (),
    permitted: Collection[str],
) -> dict[str, object]:
    """`sub` and the claims of the granted scopes and those `requested` one by one, as far as
    `permitted`; what does not apply is left out."""
    wanted = (claims_of(scope) | set(requested)) & set(permitted)
    known: dict[str, object] = {
        PREFIX + "holder_kind": str(holder.kind),
        "name": holder.name,
        PREFIX + "employee_number": holder.employee_number,
        PREFIX + "enterprise_name": holder.enterprise_name,
        PREFIX + "enterprise_uscc": holder.enterprise_uscc,
        PREFIX + "customs_code": holder.customs_code,
        PREFIX + "rights": list(holder.rights),
        PREFIX + "rights_detail": [_period(each) for each in holder.right_periods],
        PREFIX + "roles": list(holder.roles) or None,
        PREFIX + "card": holder.card,
    }
    told = {name: value for name, value in known.items() if name in wanted and value is not None}
    return {"sub": holder.subject, **told}


def _period(right: RightPeriod) -> dict[str, str]:
    """Moments as RFC 3339 writes them, in UTC; no `until`: until it is withdrawn."""
    told = {"right": right.right, "from": _moment(right.valid_from)}
    if right.valid_until is not None:
        told["until"] = _moment(right.valid_until)
    return told


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def context_of(signed_in: SignedIn) -> tuple[str, tuple[str, ...]]:
    """`acr` and `amr` (RFC 8176) of a session's newest proof.

    The server sees a signature, not the token: `hwk` and `pin` are claimed only on the word of the
    certificate's policy and of the officer who saw the key made on a token. Without both the
    proof is `pop`, possession of a key. A browser keeps a TLS client certificate at hand, so
    there no PIN is claimed.
    """
    if not signed_in.by_hardware:
        return ACR_CERTIFICATE, ("pop",)
    return ACR_CARD, ("hwk",) if signed_in.way == "tls" else ("hwk", "pin")
