"""Forms are taken from our own pages alone: with their token, and from our own origin.

The token alone does not keep a neighbour out. A host below the same domain counts as the same
site, so its forms bring our session's cookie along, and it can plant cookies of its own, also the
one that a token belongs to. So the origin that every browser names with a POST is compared, and
with https that cookie carries `__Host-`, which no neighbour can set (RFC 6265bis, 4.1.3.2).

The interface for programs takes nothing that a form could send, so a foreign page's script would
have to ask first (CORS) and is told nothing. Its origin is compared all the same: one thoughtless
header of a proxy must not open the door.
"""

from flask import Flask, g, request
from flask_wtf import CSRFProtect

from kernel.refusals import Forbidden

_FOR_PROGRAMS = "/api/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def install_form_protection(app: Flask, origin: str) -> CSRFProtect:
    """For every route that is not exempted: those are for programs, or judge by other means; and
    for what changes something under `/api/`. `origin` is our own (RFC 6454). A request is answered
    400 without a good token, and refused as Forbidden `request.foreign-origin`."""
    app.config["SESSION_COOKIE_NAME"] = form_cookie_name(origin)
    protection = CSRFProtect(app)

    @app.before_request
    def require_own_origin() -> None:
        changes = request.path.startswith(_FOR_PROGRAMS) and request.method not in _SAFE
        is_ours = request.headers.get("Origin", origin) == origin
        if not is_ours and (changes or g.get("csrf_valid", False)):
            raise Forbidden("request.foreign-origin", "the request comes from another site's page")

    return protection


def form_cookie_name(origin: str) -> str:
    return "__Host-portseal-form" if origin.startswith("https:") else "portseal-form"
