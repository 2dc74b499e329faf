"""A small relying party: a platform that signs people in with PortSeal and nothing else.

It is what an integrator would write: Authlib's OpenID Connect client, authorization code with
PKCE, tokens verified against the published keys, sessions that end when PortSeal says so
(OpenID Connect Back-Channel Logout 1.0). Run one process per platform:
`granian --interface wsgi portseal.demo.platform:from_environment --factory`.
"""

import os
import secrets
import time
from typing import Any

from authlib.integrations.flask_client import OAuth, OAuthError
from flask import Flask, Response, jsonify, redirect, render_template_string, request, url_for
from flask import session as cookie
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug.wrappers import Response as BaseResponse

_ENTERPRISE = "urn:portseal:enterprise_name"
_LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_ALGORITHMS = ["ES256"]
_MAX_LOGOUT_OCTETS = 16_384
_CLOCK_SKEW_SECONDS = 60
_HOME = """<!doctype html><title>{{ name }}</title><h1>{{ name }}</h1>
{% if holder %}<p>{{ holder["name"] }}, {{ enterprise }}</p>
{% else %}<p><a href="/login">Sign in with the card</a></p>{% endif %}"""


def from_environment() -> Flask:
    """`PLATFORM_NAME`, `PLATFORM_ISSUER`, `PLATFORM_CLIENT_ID`, `PLATFORM_CLIENT_SECRET`."""
    return create_platform(
        os.environ["PLATFORM_NAME"],
        os.environ["PLATFORM_ISSUER"],
        os.environ["PLATFORM_CLIENT_ID"],
        os.environ["PLATFORM_CLIENT_SECRET"],
    )


class Visitors:
    """Who is signed in at the platform. The browser holds a random name of its visit alone, so
    that the platform can end it."""

    def __init__(self) -> None:
        self._visits: dict[str, dict[str, Any]] = {}

    def enter(self, holder: dict[str, Any], id_token: str) -> str:
        visit = secrets.token_urlsafe(32)
        self._visits[visit] = {"holder": holder, "id_token": id_token}
        return visit

    def find(self, visit: str | None) -> dict[str, Any] | None:
        return self._visits.get(visit or "")

    def end_session(self, sid: str) -> None:
        """Every visit that began with this session of PortSeal's."""
        for visit, seen in list(self._visits.items()):
            if seen["holder"].get("sid") == sid:
                self._visits.pop(visit, None)


def create_platform(name: str, issuer: str, client_id: str, client_secret: str) -> Flask:
    """The platform's web application: `/`, `/login`, `/callback`, `/me`, `/logged-out`."""
    app = Flask(__name__)
    app.secret_key = secrets.token_bytes(32)
    app.config["SESSION_COOKIE_NAME"] = f"platform-{client_id}"
    visitors = Visitors()
    oauth = OAuth(app)
    oauth.register(
        "portseal",
        client_id=client_id,
        client_secret=client_secret,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile enterprise rights card",
            "code_challenge_method": "S256",
        },
    )

    @app.after_request
    def guard(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    @app.get("/")
    def home() -> str:
        visit = visitors.find(cookie.get("visit"))
        holder = None if visit is None else visit["holder"]
        enterprise = "" if holder is None else holder.get(_ENTERPRISE, "")
        return render_template_string(_HOME, name=name, holder=holder, enterprise=enterprise)

    @app.get("/login")
    def login() -> BaseResponse:
        answer: BaseResponse = oauth.portseal.authorize_redirect(
            url_for("callback", _external=True)
        )
        return answer

    @app.get("/callback")
    def callback() -> BaseResponse:
        # RFC 9207, 2.4: an answer of another provider is not taken to ours, nor ours to another.
        if request.args.get("iss") != issuer:
            return Response("The answer is not from our provider.", 400)
        try:
            token = oauth.portseal.authorize_access_token()
        except (OAuthError, JoseError, ValueError):
            return Response("The sign-in was not completed.", 400)
        cookie["visit"] = visitors.enter(dict(token["userinfo"]), token["id_token"])
        return redirect("/me")

    @app.get("/me")
    def me() -> Response:
        visit = visitors.find(cookie.get("visit")) or {"holder": None, "id_token": None}
        return jsonify(visit)

    @app.post("/logged-out")
    def logged_out() -> BaseResponse:
        """Back-channel logout (2.5 to 2.8)."""
        request.max_content_length = _MAX_LOGOUT_OCTETS
        keys = KeySet.import_key_set(oauth.portseal.fetch_jwk_set(force=True))
        try:
            sid = logout_session(request.form.get("logout_token", ""), keys, issuer, client_id)
        except (JoseError, ValueError):
            return Response(status=400)
        visitors.end_session(sid)
        return Response(status=200, headers={"Cache-Control": "no-store"})

    return app


def logout_session(token: str, keys: KeySet, issuer: str, client_id: str) -> str:
    """The session that a logout token says is over (2.6). A token that comes twice ends nothing
    more. Raises JoseError or ValueError for what is no logout token for this platform."""
    read = jwt.decode(token, keys, algorithms=_LOGOUT_ALGORITHMS)
    claims = read.claims
    jwt.JWTClaimsRegistry(
        int(time.time()),
        _CLOCK_SKEW_SECONDS,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        iat={"essential": True},
        exp={"essential": True},
        jti={"essential": True},
    ).validate(claims)
    events, sid = claims.get("events"), claims.get("sid")
    if read.header.get("typ") != "logout+jwt" or "nonce" in claims:
        raise ValueError("not a logout token")
    if not isinstance(events, dict) or events.get(_LOGOUT_EVENT) != {}:
        raise ValueError("not the logout event")
    if not isinstance(sid, str) or not sid:
        raise ValueError("no session is named")
    return sid
