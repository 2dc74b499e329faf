"""The key agent's JavaScript, and what pages need to reach the agent."""

from pathlib import Path

from flask import Blueprint, Flask, Response, send_from_directory

import key_agent
from portseal.web.agent_words import AGENT_CODES

FILES = Path(key_agent.__file__).parent / "web"
MINIMUM_VERSION = "1.0.0"
"""The oldest agent that these pages can work with."""
CONFIRMING_VERSION = "1.3.0"
"""The oldest that shows and signs what a platform has confirmed with the card."""


def agent_source(port: int) -> str:
    """The agent's address in a Content-Security-Policy."""
    return f"http://127.0.0.1:{port}"


def install_agent_files(app: Flask, port: int) -> None:
    """Routes under /agent, and for templates `agent_port`, `agent_minimum`, `agent_confirms` and
    `agent_codes`."""
    blueprint = Blueprint("agent", __name__)

    @blueprint.get("/agent/<path:name>")
    def file(name: str) -> Response:
        response = send_from_directory(FILES, name, max_age=300)
        if name.endswith(".js"):
            response.headers["Content-Type"] = "text/javascript; charset=utf-8"
        elif name.endswith(".d.ts"):  # which is a film by the usual tables
            response.headers["Content-Type"] = "text/plain; charset=utf-8"
        return response

    app.register_blueprint(blueprint)
    app.jinja_env.globals.update(
        agent_port=port,
        agent_minimum=MINIMUM_VERSION,
        agent_confirms=CONFIRMING_VERSION,
        agent_codes=AGENT_CODES,
    )
