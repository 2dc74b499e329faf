"""Where the provider's endpoints are, and by which names they are called."""

PATHS = {
    "authorization_endpoint": "/oidc/authorize",
    "pushed_authorization_request_endpoint": "/oidc/par",
    "token_endpoint": "/oidc/token",
    "userinfo_endpoint": "/oidc/userinfo",
    "introspection_endpoint": "/oidc/introspect",
    "revocation_endpoint": "/oidc/revoke",
    "end_session_endpoint": "/oidc/end-session",
}
CALLED_BY_PLATFORMS = (
    "token_endpoint",
    "pushed_authorization_request_endpoint",
    "userinfo_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
)


def endpoints_for_platforms(origin: str) -> frozenset[str]:
    return frozenset(origin + PATHS[name] for name in CALLED_BY_PLATFORMS)
