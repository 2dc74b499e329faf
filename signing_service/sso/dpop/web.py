"""Proofs as requests carry them, and what the answers say of them (RFC 9449, 4.1, 7.1, 8)."""

from flask import Response, request

from signing_service.sso.client_keys import ASSERTION_ALGORITHMS
from signing_service.sso.dpop.nonces import fresh_nonce
from signing_service.sso.dpop.proofs import Proof
from signing_service.sso.openid.errors import OAuthError
from signing_service.sso.services import SsoServices

HEADER = "DPoP"
NONCE_HEADER = "DPoP-Nonce"


def proof_of_request(services: SsoServices, token: str | None = None) -> Proof | None:
    """The proof of this request, which carries the access `token`; None: it holds none.

    Two headers reach us as one with a comma, which is no JWT. Raises OAuthError as `Proofs.read`.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return None
    return services.dpop.read(text, request.method, request.path, token=token)


def with_nonce(services: SsoServices, response: Response) -> Response:
    """Tell a client that proves a key which nonce its next proof needs."""
    if HEADER in request.headers and services.settings.dpop_nonces:
        response.headers[NONCE_HEADER] = fresh_nonce(services.clock.now())
    return response


def challenge(error: OAuthError | None = None) -> str:
    """`WWW-Authenticate` of a protected resource."""
    told = {"realm": "PortSeal", "algs": " ".join(ASSERTION_ALGORITHMS)}
    if error is not None:
        told |= error.body()
    return "DPoP " + ", ".join(f'{name}="{value}"' for name, value in told.items())
