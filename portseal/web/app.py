"""The Flask application: every room's routes under one layout, one sign-in, one set of errors."""

from pathlib import Path

from flask import Flask, Response, request, send_file
from flask_babel import gettext
from werkzeug.middleware.proxy_fix import ProxyFix

from kernel.refusals import Unauthenticated
from key_centre.web.api import key_centre_blueprint
from key_centre.web.pages import key_centre_pages
from portseal import problems
from portseal.adapters import portal_identity
from portseal.status import machines
from portseal.web.agent_page import agent_page_blueprint, read_release
from portseal.web.form_protection import install_form_protection
from portseal.web.health import health_blueprint
from portseal.web.layout import STATIC, TEMPLATES, Visitor, install_layout
from portseal.web.own_card import install_own_card
from portseal.web.statement import statement_blueprint
from portseal.wiring import House
from ra_portal.people.identity import Identity
from ra_portal.web.answers import keep_pages
from ra_portal.web.dashboard import Machine
from ra_portal.web.limits import AddressLimits
from ra_portal.web.person import Person
from ra_portal.web.portal import portal_blueprint
from signing_service.remote.web import remote_blueprints
from signing_service.sso.web import current_session, sso_blueprint
from signing_service.web.rate_limit import RateLimit
from signing_service.web.signing import signing_blueprint
from signing_service.web.streams import Streams
from signing_service.web.verification import verification_blueprint

_FORM_SECONDS = 8 * 3600
_LARGEST_KEPT_REPORT = 256 * 1024
"""Octets of its page, which anybody can have made; a larger one comes once."""


def create_flask(house: House) -> Flask:
    """One application per process; `house` is that process's."""
    web = house.settings.web
    app = Flask("portseal", template_folder=TEMPLATES, static_folder=STATIC)
    # Otherwise `//` in a path is answered with a redirect to whatever the Host header says.
    app.url_map.merge_slashes = False
    app.config.update(
        SECRET_KEY=web.secret_key.get_secret_value(),
        MAX_CONTENT_LENGTH=web.max_upload_bytes,
        MAX_FORM_MEMORY_SIZE=1 << 20,
        MAX_FORM_PARTS=100,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=web.origin.startswith("https:"),
        WTF_CSRF_TIME_LIMIT=_FORM_SECONDS,
    )
    if web.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=web.trusted_proxies, x_proto=0, x_host=0
        )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    problems.install(app)  # first: what the form token's check refuses has its identifier too
    protection = install_form_protection(app, web.origin)

    def identify() -> Identity | None:
        signed_in = current_session()
        if signed_in is None:
            return None
        return portal_identity(signed_in, house.portal.directory, house.clock.now())

    def visitor() -> Visitor | None:
        return identify()

    def signed_in_card() -> str | None:
        signed_in = current_session()
        return None if signed_in is None else signed_in.holder.card

    def officer() -> Identity:
        found = identify()
        if found is None:
            raise Unauthenticated("signin.required", "sign in with your card")
        return found

    install_layout(app, visitor, web.origin, web.agent_port)
    per_minute = house.settings.sso.challenges_per_minute
    challenges = RateLimit(per_minute=per_minute, burst=per_minute)
    app.register_blueprint(sso_blueprint(house.sso, lambda: challenges.check(request.remote_addr)))
    saving = RateLimit(per_minute=house.settings.portal.saves_per_minute, burst=120)
    asking = RateLimit(per_minute=house.settings.portal.asks_per_minute, burst=20)
    scans = RateLimit(per_minute=house.settings.portal.scans_per_minute, burst=30)
    app.register_blueprint(
        portal_blueprint(
            house.portal,
            identify,
            AddressLimits(
                saving=lambda: saving.check(request.remote_addr),
                asking=lambda: asking.check(request.remote_addr),
                uploading=lambda: scans.check(request.remote_addr),
            ),
            lambda: {
                part: Machine(words.say(gettext), not words.wrong)
                for part, words in machines(house).items()
            },
        )
    )
    limit = RateLimit(per_minute=house.settings.verification.requests_per_minute)
    streams = Streams()
    verification = verification_blueprint(
        house.verification,
        kept=house.archive_page,
        xml_report=house.xml_report,
        rate_limit=limit,
        max_streamed_bytes=house.settings.verification.max_streamed_megabytes << 20,
        streams=streams,
    )
    keep_pages(
        verification,
        house.portal.answers,
        Person(identify),
        lambda page: _may_be_kept(page, web.origin),
    )
    signing = signing_blueprint(
        house.signing,
        house.batches,
        house.bundle_signing,
        house.extension,
        signed_in_card,
        streams,
    )
    for blueprint in (verification, signing):
        app.register_blueprint(blueprint)
    for blueprint in remote_blueprints(house.remote):
        app.register_blueprint(blueprint)
    app.register_blueprint(health_blueprint(house))
    app.register_blueprint(
        key_centre_blueprint(house.key_centre, officer, lambda: limit.check(request.remote_addr))
    )
    app.register_blueprint(key_centre_pages(house.key_centre, identify))
    app.register_blueprint(statement_blueprint(house.settings.policy))
    # Programs send JSON or multipart without a cookie-bearing form; their routes check the media
    # type, the origin and the session themselves. Verification is for anybody; what it keeps is
    # its own page.
    for name, view in app.view_functions.items():
        if name.startswith(("signing.", "verification.", "key_centre.")):
            protection.exempt(view)
    install_own_card(app, signed_in_card)
    app.register_blueprint(agent_page_blueprint(read_release(web.agent_wheel), web.origin))
    app.add_url_rule("/openapi.yaml", "openapi", _openapi)
    return app


def _may_be_kept(report: Response, origin: str) -> bool:
    """The page for verifying takes forms without a token, since they change nothing. A foreign
    page's form brings no cookie of ours along: an answer that set one would put an end to what the
    visitor has begun here. So only what our own page sent is kept."""
    is_ours = request.headers.get("Origin") == origin
    return is_ours and len(report.get_data()) <= _LARGEST_KEPT_REPORT


def _openapi() -> Response:
    path = Path(__file__).with_name("openapi.yaml")
    return send_file(path, mimetype="application/yaml")
