"""Telling what a token is worth (RFC 7662), and giving it up (RFC 7009)."""

from collections.abc import Mapping

from signing_service.sso.dpop.proofs import thumbprint_text
from signing_service.sso.grants import TokenGrant
from signing_service.sso.openid.errors import invalid_request
from signing_service.sso.openid.token_endpoint import token_type
from signing_service.sso.platform import Platform
from signing_service.sso.services import SsoServices

_INACTIVE: dict[str, object] = {"active": False}
_MAX_TOKEN_CHARACTERS = 200


class TokenStatus:
    """For the platform that a token was given to, and for nobody else."""

    def __init__(self, services: SsoServices) -> None:
        self._services = services

    def introspection(self, platform: Platform, form: Mapping[str, str]) -> dict[str, object]:
        """RFC 7662, 2.2; `acr` and `auth_time` as RFC 9470, 6.2 asks. A token of another
        platform is not active here (4): nobody learns of others' holders."""
        token = _token(form)
        grants = self._services.grants
        access = grants.access(token)
        grant = access or grants.refresh(token)
        if grant is None or grant.client_id != platform.client_id:
            return _INACTIVE
        signed_in = self._services.sessions.by_name(grant.sid)
        if signed_in is None:
            return _INACTIVE
        told: dict[str, object] = {
            "active": True,
            "iss": self._services.settings.origin,
            "sub": signed_in.holder.subject,
            "aud": grant.client_id,
            "client_id": grant.client_id,
            "scope": grant.scope,
            "sid": grant.sid,
            "iat": int(grant.issued_at.timestamp()),
            "exp": int(grant.expires_at.timestamp()),
        }
        if access is not None:
            told["token_type"] = token_type(access.dpop_key)
        if grant.terms is not None:
            told |= {"acr": grant.terms.acr, "auth_time": grant.terms.auth_time}
            if grant.terms.acts:
                told["authorization_details"] = list(grant.terms.acts)
        return told | _confirmation(grant)

    def revocation(self, platform: Platform, form: Mapping[str, str]) -> None:
        """RFC 7009, 2: nothing is told about tokens that are not this platform's."""
        self._services.grants.revoke(_token(form), platform.client_id)


def _confirmation(grant: TokenGrant) -> dict[str, object]:
    """RFC 8705, 3.2; RFC 9449, 6.2."""
    bound = {"x5t#S256": grant.certificate_hash, "jkt": grant.dpop_key}
    told = {name: thumbprint_text(digest) for name, digest in bound.items() if digest is not None}
    return {"cnf": told} if told else {}


def _token(form: Mapping[str, str]) -> str:
    token = form.get("token", "")
    if not 0 < len(token) <= _MAX_TOKEN_CHARACTERS:
        raise invalid_request("token is missing, or too long.")
    return token
