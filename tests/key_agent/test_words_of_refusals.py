"""Every refusal that the key agent can answer is said in words, in both languages, on our pages.

The codes are read from the sources: of the agent, and of what it uses to reach tokens, read
certificates and keys, and make authentication tokens. What the readers of signatures refuse comes
as `draft.unreadable` and its neighbours (key_agent/drafts.py), which are among them.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from lxml import html

from portseal.web.agent_words import AGENT_CODES
from tests.portseal.service import RunningService

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "key_agent" / "web"
PAGES = ROOT / "portseal" / "web" / "static"
ROOMS = ("key_agent/", "hsm/", "kernel/", "signing_service/sso/")
CODE = re.compile(r"[a-z][a-z0-9-]*\.[a-z][a-z0-9-]*")

NO_CODES = {
    "agent.toml", "documents.txt", "libcrypto-3-x64.dll", "origins.json", "portseal.agent",
    "signin.presence", "uses.jsonl", "wsgi.input",
}  # fmt: skip
"""Names of files and the like that look like codes."""

NOT_ANSWERED = {
    "agent.port": "told where the agent is started",
    "settings.malformed": "told where the agent is started",
    "pin.exposed": "of a service's PIN, which stands in a file",
    "pin.missing": "of a service's PIN, which stands in a file",
    "key-uri.malformed": "the authority names its keys so; the agent has labels",
    "key.not-extractable": "of keys that build certificates",
    "secret.malformed": "of the authority's secret keys",
    "secret.not-authentic": "of the authority's secret keys",
    "secret.too-large": "of the authority's secret keys",
    "wrapped-key.malformed": "of the authority's own keys",
    "serial.malformed": "of what the authority is asked about",
    "customs-code.malformed": "of what the portal is told",
    "uscc.malformed": "of what the portal is told",
    "uscc.check-character": "of what the portal is told",
    "signin.token-format": "a server's, of what an agent made",
    "signin.token-length": "a server's, of what an agent made",
    "signin.token-malformed": "a server's, of what an agent made",
}
"""Codes in the same files that no page is answered; and why."""

OF_THE_SERVICE = {"service.unreachable", "signin.required"}
"""What the same pages say of the service behind them."""


def sources() -> set[Path]:
    """What the running agent consists of, in these rooms: followed by the imports."""
    found: set[Path] = set()
    ahead = sorted((ROOT / "key_agent").glob("*.py"))
    while ahead:
        path = ahead.pop()
        if path not in found:
            found.add(path)
            ahead += imported(path)
    return {each for each in found if each.relative_to(ROOT).as_posix().startswith(ROOMS)}


def imported(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        for name in names:
            file = ROOT / (name.replace(".", "/") + ".py")
            if file.is_file():
                yield file


def written() -> set[str]:
    """Every text in the sources that is shaped like a code."""
    return {
        node.value
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CODE.fullmatch(node.value)
    } - NO_CODES


def of_the_client() -> set[str]:
    """Codes that the JavaScript client, and our pages, make themselves."""
    made = re.compile(r'new AgentError\(\s*"[a-z-]+",\s*"([a-z.-]+)", (place)?')
    files = [*CLIENT.glob("*.js"), *PAGES.rglob("*.js")]
    found = [each for file in files for each in made.findall(file.read_text("utf-8"))]
    return {code for code, page_says in found if not page_says}


def with_a_state() -> set[str]:
    """Codes for which a page says more than that something failed: their state has its words."""
    errors = (CLIENT / "portseal-agent-errors.js").read_text("utf-8")
    states = dict(re.findall(r'^  "([a-z.-]+)": "([a-z-]+)",$', errors, re.MULTILINE))
    named = {code for code, state in states.items() if state != "failed"}
    made = 'new AgentError("{state}", "{code}"'
    door = (CLIENT / "portseal-agent-door.js").read_text("utf-8") + errors
    for state, code in (
        ("missing", "agent.missing"),
        ("blocked", "browser.blocked"),
        ("cancelled", "page.aborted"),
        ("too-old", "agent.too-old"),
    ):
        assert made.format(state=state, code=code) in door
        named.add(code)
    return named


@pytest.fixture(scope="module")
def answered() -> set[str]:
    return written() - NOT_ANSWERED.keys() | of_the_client()


def test_every_code_of_the_agent_has_words(answered: set[str]) -> None:
    assert {"token.full", "draft.unreadable", "request.malformed", "page.policy"} <= answered
    words = {code.replace(".", "-") for code in answered - with_a_state()}
    assert words - AGENT_CODES.keys() == set()


def test_what_has_words_or_is_left_out_is_a_code(answered: set[str]) -> None:
    known = {code.replace(".", "-") for code in answered | OF_THE_SERVICE}
    assert AGENT_CODES.keys() - known == set()
    assert NOT_ANSWERED.keys() - written() == set()


@pytest.mark.parametrize(
    ("language", "is_said"), [("zh-CN", r"[\u4e00-\u9fff]{2}"), ("en-GB", r"^[ -~“”]+$")]
)
def test_the_sign_in_page_has_them_in_its_readers_language(
    service: RunningService, language: str, is_said: str
) -> None:
    answer = requests.get(
        f"{service.origin}/sso/sign-in", headers={"Accept-Language": language}, timeout=20
    )
    element = html.fromstring(answer.text).find(".//portseal-progress")
    assert element is not None
    attributes = {str(name): str(words) for name, words in element.items()}
    said = {
        name.removeprefix("data-code-"): words
        for name, words in attributes.items()
        if name.startswith("data-code-")
    }
    assert said.keys() == AGENT_CODES.keys()
    assert [code for code, words in said.items() if not re.search(is_said, words)] == []
