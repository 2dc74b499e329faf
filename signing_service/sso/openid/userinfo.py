"""Claims of the holder for whoever has an access token (OpenID Connect Core, 5.3)."""

from flask import Response, jsonify, make_response, request

from signing_service.sso import client_certificate
from signing_service.sso.claims import holder_claims
from signing_service.sso.dpop.web import challenge, proof_of_request, with_nonce
from signing_service.sso.grants import TokenGrant
from signing_service.sso.openid.errors import OAuthError, invalid_request, oauth_error
from signing_service.sso.services import SsoServices

MAX_FORM_OCTETS = 16_384
_BEARER, _DPOP = "bearer", "dpop"
_BEARER_CHALLENGE = 'Bearer realm="PortSeal"'


class UserInfo:
    """The token must be live and so must its session; what it is bound to must come along."""

    def __init__(self, services: SsoServices) -> None:
        self._services = services

    def answer(self) -> Response:
        try:
            scheme, token = _access_token()
        except OAuthError as error:
            return oauth_error(error)
        if token is None:
            return _unauthorised(None)
        try:
            told = self._claims(scheme, token)
        except OAuthError as error:
            return with_nonce(self._services, _unauthorised(error, scheme))
        return with_nonce(self._services, jsonify(told))

    def _claims(self, scheme: str, token: str) -> dict[str, object]:
        grant = self._services.grants.access(token)
        if grant is None or "openid" not in grant.scope.split() or not self._is_bound_here(grant):
            raise _invalid_token()
        self._require_key(grant, scheme, token)
        platform = self._services.platforms.find(grant.client_id)
        signed_in = None if platform is None else self._services.sessions.by_name(grant.sid)
        if platform is None or signed_in is None:
            raise _invalid_token()
        return holder_claims(
            signed_in.holder,
            grant.scope,
            requested=() if grant.terms is None else grant.terms.userinfo_claims,
            permitted=platform.claims,
        )

    def _is_bound_here(self, grant: TokenGrant) -> bool:
        """Whether the certificate that the token is bound to came with it (RFC 8705, 3)."""
        if grant.certificate_hash is None:
            return True
        return client_certificate.thumbprint(self._services.settings) == grant.certificate_hash

    def _require_key(self, grant: TokenGrant, scheme: str, token: str) -> None:
        """A token for a key comes with a proof of it, and as no bearer's; a bearer's comes as such
        (RFC 9449, 7.1, 7.2)."""
        if (grant.dpop_key is not None) != (scheme == _DPOP):
            raise _invalid_token()
        if grant.dpop_key is None:
            return
        proof = proof_of_request(self._services, token)
        if proof is None:
            raise OAuthError("invalid_dpop_proof", "The token needs a DPoP proof.")
        if proof.key != grant.dpop_key:
            raise _invalid_token()
        self._services.dpop.spend(proof, grant.client_id)


def _access_token() -> tuple[str, str | None]:
    """The scheme and the access token of this request, in the header or, a bearer's, in a form's
    body (RFC 6750, 2.1, 2.2; RFC 9449, 7.1). Never from the address, which stands in logs. Raises
    OAuthError."""
    request.max_content_length = MAX_FORM_OCTETS
    kind, _, in_header = request.headers.get("Authorization", "").partition(" ")
    scheme = kind.lower()
    in_body = request.form.getlist("access_token") if request.method == "POST" else []
    given = [*([in_header.strip()] if scheme in (_BEARER, _DPOP) else []), *in_body]
    if len(given) > 1:
        raise invalid_request("The access token comes in one way, once.")
    return (scheme if scheme == _DPOP else _BEARER), (given[0] if given else None)


def _invalid_token() -> OAuthError:
    return OAuthError("invalid_token", status=401)


def _unauthorised(error: OAuthError | None, scheme: str = _BEARER) -> Response:
    """Whoever tried a proof is told of proofs alone, for there are clients that look at the first
    challenge only; others are offered both schemes."""
    response = make_response(jsonify({} if error is None else error.body()), 401)
    if scheme == _DPOP:
        response.headers["WWW-Authenticate"] = challenge(error)
        return response
    detail = "" if error is None else f', error="{error.error}"'
    response.headers["WWW-Authenticate"] = _BEARER_CHALLENGE + detail
    response.headers.add("WWW-Authenticate", challenge())
    return response
