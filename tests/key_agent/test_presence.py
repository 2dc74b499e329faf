"""Pulling the USB key ends the session: the real agent tells a running service, without a PIN."""

import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from portseal.sandbox.ports import free_port
from tests.key_agent.holder import operator_at
from tests.key_agent.running import RunningAgent
from tests.key_agent.waiting import seconds_until
from tests.portseal.service import RunningService
from tests.servers.chromium import launch_arguments

pytestmark = pytest.mark.browser

WITHIN_SECONDS = 5.0


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    """Where the USB keys of the agent are; moved away, they are pulled."""
    return tmp_path / "usb" / "tokens"


@pytest.fixture
def agent(service: RunningService, tmp_path: Path) -> Iterator[RunningAgent]:
    """With an operator's card, on the port that the service's pages look for it at."""
    with operator_at(service, tmp_path) as running:
        yield running


@pytest.fixture
def page(chromium: Path, service: RunningService) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser: Browser = playwright.chromium.launch(
            executable_path=chromium, args=launch_arguments()
        )
        yield browser.new_context(base_url=service.origin, locale="en-GB").new_page()
        browser.close()


def session_row(service: RunningService, sid: str, column: str) -> str:
    with closing(sqlite3.connect(service.database_file)) as records:
        query = f"SELECT {column} FROM sso_session WHERE sid = ?"
        (value,) = records.execute(query, (sid,)).fetchone()
    return str(value)


def test_the_session_lives_by_beats_and_ends_when_the_usb_key_is_pulled(
    page: Page, service: RunningService, agent: RunningAgent, tokens: Path
) -> None:
    page.goto("/sso/sign-in?next=/sign")
    page.click("#agent-sign-in")
    page.wait_for_url(f"{service.origin}/sign")

    def session() -> dict[str, str]:
        told: dict[str, str] = page.request.get("/sso/session").json()
        return told

    sid = session()["session"]
    first = session_row(service, sid, "present_until")
    seconds_until(lambda: session_row(service, sid, "present_until") > first, limit=10)
    assert session()["signed_in"]
    tokens.rename(tokens.with_name("pulled"))
    assert seconds_until(lambda: not session()["signed_in"], limit=30) < WITHIN_SECONDS
    assert session_row(service, sid, "end_reason") == "card-removed"
    assert [w.command for w in agent.human.windows] == ["GETPIN"], "presence asks for no PIN"
    used = [(each["method"], each["outcome"]) for each in agent.uses()]
    assert ("watch", "done") in used
    assert ("presence", "token.missing") in used


def test_no_session_depends_on_an_agent_that_cannot_reach_its_service(
    service: RunningService, agent: RunningAgent
) -> None:
    assert agent.call("can_watch") == {"can_watch": True}
    secret = base64.urlsafe_b64encode(b"nobody's secret of this length").decode()
    (held,) = agent.call("tokens")["tokens"][0]["certificates"]
    watch = {"certificate": held["id"], "secret": secret, "every_seconds": 5}
    assert agent.refused("watch", **watch)["code"] == "presence.unheard"
    assert secret not in str(agent.uses())
    agent.allow(f"http://127.0.0.1:{free_port()}")
    assert agent.call("can_watch") == {"can_watch": False}
    assert agent.refused("watch", **watch)["code"] == "card.no-certificate"
