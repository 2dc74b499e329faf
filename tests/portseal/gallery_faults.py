"""A service in which three pages always fail, so that the failures can be looked at.

They are what the real one answers: its handlers, its layout, its words.
"""

import threading

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from kernel.refusals import TooMany, Unavailable
from portseal import problems
from portseal.web.layout import STATIC, TEMPLATES, install_layout


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The gallery's own visits are no news."""


def start_failing() -> dict[int, str]:
    """By status, the address of a page that fails so. Served until the process ends."""
    app = Flask("failing", template_folder=str(TEMPLATES), static_folder=str(STATIC))
    app.config["SECRET_KEY"] = "only for the gallery, not a secret of anything"
    problems.install(app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    origin = f"http://127.0.0.1:{server.port}"
    install_layout(app, lambda: None, origin)

    def too_many() -> str:
        raise TooMany("request.too-many", "too many requests; try again later", retry_after=1)

    def broken() -> str:
        raise ZeroDivisionError

    def closed() -> str:
        raise Unavailable("database.unavailable", "the database did not answer")

    views = {429: too_many, 500: broken, 503: closed}
    for status, view in views.items():
        app.add_url_rule(f"/{status}", view.__name__, view)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return {status: f"{origin}/{status}" for status in views}
