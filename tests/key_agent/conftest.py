"""Agents for the tests of their purposes: one for most tests, one of its own where it matters."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.key_agent.cards import MadeCard, make_card
from tests.key_agent.holder import agrees, operator_at
from tests.key_agent.running import RunningAgent, running_agent
from tests.portseal.service import RunningService
from tests.software_keys import Identity, SoftwareAuthority
from tests.token import softhsm_configuration, softhsm_module

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def authority() -> SoftwareAuthority:
    return SoftwareAuthority()


@pytest.fixture(scope="session")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningAgent]:
    directory = tmp_path_factory.mktemp("agent")
    configuration = softhsm_configuration(directory / "tokens")
    with running_agent(
        directory / "home", softhsm_module(), {}, SOFTHSM2_CONF=str(configuration)
    ) as running:
        yield running


@pytest.fixture
def agent(_shared: RunningAgent) -> RunningAgent:
    """The agent of most tests, speaking for a site of this test alone that is allowed."""
    return _shared.allow(f"https://site-{next(_NUMBERS)}.example")


@pytest.fixture
def label(agent: RunningAgent) -> str:
    """Of a token that the test may make; its PIN is in the person's head."""
    made = f"key {next(_NUMBERS)}"
    agent.human.pins[made] = f"{made} 193746"
    return made


@pytest.fixture
def card(agent: RunningAgent, authority: SoftwareAuthority, label: str) -> MadeCard:
    """A card that this test's site alone may see."""
    made = make_card(agent, authority, label)
    agent.human.windows.clear()
    return made


@pytest.fixture
def own_agent(tmp_path: Path) -> Iterator[RunningAgent]:
    """An agent that knows no site and has asked nobody yet, with a blank token."""
    configuration = softhsm_configuration(tmp_path / "tokens")
    pins = {"mine": "mine 193746"}
    with running_agent(
        tmp_path / "home", softhsm_module(), pins, SOFTHSM2_CONF=str(configuration)
    ) as running:
        yield running


@pytest.fixture
def operator(service: RunningService, tmp_path: Path) -> Iterator[RunningAgent]:
    """One for each test: an agent lets a site ask so many times a minute, and cancel fewer."""
    with operator_at(service, tmp_path / "operator") as running:
        yield running


@pytest.fixture
def page(browser: Browser, service: RunningService, operator: RunningAgent) -> Iterator[Page]:
    """The page that signs documents, signed in, in English."""
    context = browser.new_context(base_url=service.origin, locale="en-GB")
    made = context.new_page()
    operator.human.answer = agrees
    made.goto("/sso/sign-in?next=/sign")
    made.click("#agent-sign-in")
    made.wait_for_url(f"{service.origin}/sign")
    operator.human.windows.clear()
    yield made
    context.close()


@pytest.fixture(scope="module")
def signer() -> Identity:
    return SoftwareAuthority().signer()
