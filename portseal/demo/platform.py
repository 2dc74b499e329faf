"""A small relying party: a platform that signs people in with PortSeal and nothing else.

It is what an integrator would write: Authlib's OpenID Connect client, authorization code with
PKCE, tokens verified against the published keys. Run one process per platform:
`granian --interface wsgi portseal.demo.platform:from_environment --factory`.
"""

import os
import secrets

from authlib.integrations.flask_client import OAuth
from flask import Flask, Response, jsonify, redirect, session, url_for
from werkzeug.wrappers import Response as BaseResponse

_ENTERPRISE = "urn:portseal:enterprise_name"


def from_environment() -> Flask:
    """`PLATFORM_NAME`, `PLATFORM_ISSUER`, `PLATFORM_CLIENT_ID`, `PLATFORM_CLIENT_SECRET`."""
    return create_platform(
        os.environ["PLATFORM_NAME"],
        os.environ["PLATFORM_ISSUER"],
        os.environ["PLATFORM_CLIENT_ID"],
        os.environ["PLATFORM_CLIENT_SECRET"],
    )


def create_platform(name: str, issuer: str, client_id: str, client_secret: str) -> Flask:
    """The platform's web application: `/`, `/login`, `/callback`, `/me`."""
    app = Flask(__name__)
    app.secret_key = secrets.token_bytes(32)
    app.config["SESSION_COOKIE_NAME"] = f"platform-{client_id}"
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

    @app.get("/")
    def home() -> str | Response:
        holder = session.get("holder")
        if holder is None:
            return f'<h1>{name}</h1><p><a href="/login">Sign in with the card</a></p>'
        return f"<h1>{name}</h1><p>{holder['name']}, {holder.get(_ENTERPRISE, '')}</p>"

    @app.get("/login")
    def login() -> BaseResponse:
        answer: BaseResponse = oauth.portseal.authorize_redirect(
            url_for("callback", _external=True)
        )
        return answer

    @app.get("/callback")
    def callback() -> BaseResponse:
        token = oauth.portseal.authorize_access_token()
        session["holder"] = dict(token["userinfo"])
        session["id_token"] = token["id_token"]
        return redirect("/me")

    @app.get("/me")
    def me() -> Response:
        return jsonify(holder=session.get("holder"), id_token=session.get("id_token"))

    return app
