"""What the provider can do, for programs to read (OpenID Connect Discovery, 3; RFC 8414)."""

from signing_service.sso.claims import ACRS, CLAIMS, SCOPES
from signing_service.sso.client_keys import ASSERTION_ALGORITHMS
from signing_service.sso.freshness import FRESH_PROMPTS
from signing_service.sso.openid.acts import ACT
from signing_service.sso.openid.addresses import CALLED_BY_PLATFORMS, PATHS
from signing_service.sso.openid.authorization_request import NO_PROMPT, RESPONSE_MODES
from signing_service.sso.openid.token_endpoint import GRANT_TYPES
from signing_service.sso.platform import AUTH_METHODS, NONE, SELF_SIGNED_TLS, TLS
from signing_service.sso.services import SsoServices


def discovery(services: SsoServices) -> dict[str, object]:
    """Provider metadata."""
    settings = services.settings
    origin, by_tls = settings.origin, settings.certificate_origin
    methods = [each for each in AUTH_METHODS if by_tls or each not in (TLS, SELF_SIGNED_TLS)]
    confidential = [each for each in methods if each != NONE]
    told: dict[str, object] = {
        "issuer": origin,
        **{name: origin + path for name, path in PATHS.items()},
        "jwks_uri": f"{origin}/oidc/jwks",
        "require_pushed_authorization_requests": False,
        "frontchannel_logout_supported": True,
        "frontchannel_logout_session_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": list(RESPONSE_MODES),
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [services.id_token_keys.algorithm],
        "token_endpoint_auth_methods_supported": methods,
        "introspection_endpoint_auth_methods_supported": confidential,
        "revocation_endpoint_auth_methods_supported": methods,
        "dpop_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": [NO_PROMPT, *sorted(FRESH_PROMPTS)],
        "acr_values_supported": list(ACRS),
        "authorization_details_types_supported": [ACT],
        "claim_types_supported": ["normal"],
        "claims_supported": list(CLAIMS),
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["zh-CN", "en"],
    }
    for name in ("token", "introspection", "revocation"):
        told[f"{name}_endpoint_auth_signing_alg_values_supported"] = list(ASSERTION_ALGORITHMS)
    if by_tls is not None:
        told["tls_client_certificate_bound_access_tokens"] = True
        told["mtls_endpoint_aliases"] = {name: by_tls + PATHS[name] for name in CALLED_BY_PLATFORMS}
    return told
