"""A Flask application with the portal's routes under the real layout and the real problems."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_wtf import CSRFProtect

from portseal import problems
from portseal.web.layout import STATIC, TEMPLATES, install_layout
from ra_portal.people.identity import Identity
from ra_portal.web import portal_blueprint
from tests.ra_portal.web.browser import Browser
from tests.ra_portal.world import ORIGIN, PortalWorld


class Seat:
    """Who sits at the browser: what the front hall's sign-in would say."""

    def __init__(self) -> None:
        self.identity: Identity | None = None

    def __call__(self) -> Identity | None:
        return self.identity


@pytest.fixture
def seat() -> Seat:
    return Seat()


@pytest.fixture
def app(portal: PortalWorld, seat: Seat) -> Flask:
    app = Flask("portal-test", template_folder=str(TEMPLATES), static_folder=str(STATIC))
    app.config.update(SECRET_KEY="only for this test, not a secret of anything", TESTING=False)
    CSRFProtect(app)
    problems.install(app)
    install_layout(app, seat, ORIGIN)
    app.register_blueprint(portal_blueprint(portal.services, seat))
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def browser(client: FlaskClient) -> Browser:
    return Browser(client)
