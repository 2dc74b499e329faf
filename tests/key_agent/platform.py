"""A platform elsewhere, whose page, script and policy are those of docs/key-agent-pages.md."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from kernel.asn1.certificate import Certificate
from signing_service.formats.prepared import PreparedSignature
from signing_service.sso.authentication_token import read_authentication_token, signed_value
from signing_service.validation.evidence import SignatureFormat
from tests.key_agent.cards import prepare

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "key-agent-pages.md").read_text(encoding="utf-8")
CLIENT = ROOT / "key_agent" / "web"
DECLARATION = (ROOT / "tests" / "samples" / "dec-import.xml").read_bytes()
OTHER = DECLARATION.replace(b"<GQty>40<", b"<GQty>4000<")
NONCE = "n" * 44


def told_in_the_guide(kind: str, begins: str) -> str:
    """A block of code of the guide."""
    (found,) = re.findall(rf"^```{kind}\n({re.escape(begins)}.*?)^```$", GUIDE, re.M | re.S)
    return str(found)


@dataclass
class Platform:
    """What its own server does behind its four addresses."""

    origin: str
    agent_port: int
    minimum: str = "1.3.0"
    """Of the agent, as its page says."""
    of_another_document: bool = False
    """Whether what it prepares is for another document than it shows."""
    prepared: PreparedSignature | None = None
    signed: list[bytes] = field(default_factory=list)

    @property
    def policy(self) -> str:
        line = told_in_the_guide("http", "Content-Security-Policy: ").strip()
        return self._here(line.partition(": ")[2])

    def _here(self, text: str) -> str:
        return text.replace("61235", str(self.agent_port)).replace(
            'minimum="1.3.0"', f'minimum="{self.minimum}"'
        )

    def file(self, path: str) -> tuple[str, str] | None:
        """Media type and content."""
        if path == "/":
            return "text/html", self._here(told_in_the_guide("html", "<!-- page.html -->"))
        if path == "/page.js":
            return "text/javascript", told_in_the_guide("js", "// page.js")
        known = {f"/agent/{file.name}": file for file in CLIENT.glob("*.js")}
        if path in known:
            return "text/javascript", known[path].read_text(encoding="utf-8")
        return None

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """None: it does not take that."""
        if path == "/nonce":
            return {"nonce": NONCE}
        if path == "/sign-in":
            token = read_authentication_token(json.dumps(body["token"]))
            certificate = Certificate.parse(token.certificate_der)
            suite = certificate.public_key.default_suite()
            value = suite.from_raw(token.signature)
            signed = signed_value(suite, self.origin, NONCE)
            if not certificate.public_key.verify(suite, value, signed):
                return None
            return {"name": certificate.subject_text()}
        if path == "/prepare":
            certificate = Certificate.parse(base64.b64decode(body["certificate"]))
            self.prepared, told = prepare(SignatureFormat.XADES, DECLARATION, certificate)
            if self.of_another_document:
                told["document"] = base64.b64encode(OTHER).decode()
            return {"id": "1", **told}
        if path == "/complete" and self.prepared is not None:
            value = base64.b64decode(body["signature_value"])
            self.prepared.check(value)
            self.signed.append(value)
            return {}
        return None


@contextmanager
def running_platform(agent_port: int) -> Iterator[Platform]:
    """On a port of its own, which neither the agent nor a service has."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = platform.file(self.path.partition("?")[0])
            kind, content = found or ("text/plain", "no such page")
            self._send(200 if found else 404, kind, content, policy=platform.policy)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = platform.answer(self.path, body)
            self._send(400 if answer is None else 200, "application/json", json.dumps(answer))

        def _send(self, status: int, kind: str, content: str, policy: str | None = None) -> None:
            octets = content.encode()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(octets)))
            if policy is not None:
                self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            self.wfile.write(octets)

        def log_message(self, *arguments: Any) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    platform = Platform(f"http://127.0.0.1:{server.server_port}", agent_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()
