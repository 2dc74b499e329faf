"""Refusals in the words of the CSC API (2.0.0.2, 10.1) and of OAuth (RFC 6749, 5.2).

`error` is one of the standard's codes; `error_uri` carries our own stable code, for programs.
"""

from kernel.refusals import (
    Forbidden,
    Malformed,
    Refusal,
    Unauthenticated,
    Unavailable,
)

_ERRORS: tuple[tuple[type[Refusal], str], ...] = (
    (Unauthenticated, "invalid_token"),
    (Forbidden, "access_denied"),
    (Unavailable, "temporarily_unavailable"),
)


class InvalidActivation(Malformed):
    """The SAD is not good for this."""


def error_body(refusal: Refusal) -> dict[str, str]:
    """`error`, `error_description` and `error_uri`."""
    error = next((name for kind, name in _ERRORS if isinstance(refusal, kind)), "invalid_request")
    return {
        "error": error,
        "error_description": refusal.detail.encode("utf-8", "replace").decode(),
        "error_uri": f"urn:portseal:problem:{refusal.code}",
    }
