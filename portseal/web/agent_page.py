"""The key agent for those who need it: check this computer, install it, bring it up to date."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, abort, render_template

from kernel.refusals import Unavailable

_WHEEL = re.compile(r"portseal_agent-(\d+(?:\.\d+){1,3})-py3-none-any\.whl")


@dataclass(frozen=True)
class AgentRelease:
    """The agent's wheel, as `make agent` builds it, offered from here."""

    name: str
    version: str
    content: bytes

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def address(self, origin: str) -> str:
        """Where it is fetched. pip compares the digest behind the name."""
        return f"{origin}/agent/{self.name}#sha256={self.sha256}"


def read_release(path: Path | None) -> AgentRelease | None:
    """Raises Unavailable `agent.wheel` for a file that is not there, or none of ours by name."""
    if path is None:
        return None
    named = _WHEEL.fullmatch(path.name)
    if named is None or not path.is_file():
        raise Unavailable("agent.wheel", "web.agent_wheel is no wheel of the key agent")
    return AgentRelease(path.name, named[1], path.read_bytes())


def agent_page_blueprint(release: AgentRelease | None, origin: str) -> Blueprint:
    """`/agent`, and beside it the wheel. `origin`: where browsers and pip reach the service."""
    blueprint = Blueprint("agent_page", __name__)

    @blueprint.get("/agent")
    def page() -> str:
        address = None if release is None else release.address(origin)
        return render_template("agent/page.html", release=release, address=address)

    @blueprint.get("/agent/<name>.whl")
    def wheel(name: str) -> Response:
        if release is None or f"{name}.whl" != release.name:
            abort(404)
        response = Response(release.content, mimetype="application/octet-stream")
        response.set_etag(release.sha256)
        return response

    return blueprint
