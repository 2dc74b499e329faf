"""A Flask application with the centre's pages under the real layout and the real problems."""

from flask import Flask
from flask_wtf import CSRFProtect

from key_centre.web.pages import key_centre_pages
from portseal import problems
from portseal.web.layout import STATIC, TEMPLATES, install_layout
from ra_portal.people.identity import Identity
from ra_portal.web import portal_blueprint
from tests.key_centre.world import CentreWorld
from tests.ra_portal.web.browser import Browser


class Desk:
    """A browser, and who sits at it."""

    def __init__(self, centre: CentreWorld) -> None:
        self.identity: Identity | None = None
        app = Flask("centre-test", template_folder=str(TEMPLATES), static_folder=str(STATIC))
        app.config.update(SECRET_KEY="only for this test, not a secret of anything")
        CSRFProtect(app)
        problems.install(app)
        install_layout(app, self._who, "https://id.example")
        app.register_blueprint(portal_blueprint(centre.portal.services, self._who))
        app.register_blueprint(key_centre_pages(centre.centre, self._who))
        self.browser = Browser(app.test_client())

    def _who(self) -> Identity | None:
        return self.identity

    def take(self, identity: Identity | None) -> Browser:
        """Another one sits down."""
        self.identity = identity
        return self.browser
