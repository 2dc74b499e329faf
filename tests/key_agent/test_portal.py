"""The portal's pages in a real browser, with the real agent and a real token.

A card is made, its holder signs in, a declaration is shown and signed and verified by anybody,
and two platforms open with one PIN.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from portseal.demo.signin_steps import start_platforms
from portseal.holder.service import ServiceRefusal
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent, running_agent
from tests.portseal.gallery import seated
from tests.portseal.service import RunningService
from tests.servers.chromium import launch_arguments
from tests.token import softhsm_configuration, softhsm_module

pytestmark = pytest.mark.browser

SAMPLES = Path(__file__).parents[1] / "samples"
PIN = "holder 193746"


@pytest.fixture(scope="module")
def agent(
    service: RunningService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningAgent]:
    """On the port that the service's pages look for it at."""
    directory = tmp_path_factory.mktemp("holder")
    configuration = softhsm_configuration(directory / "tokens")
    with running_agent(
        directory / "home", softhsm_module(), {}, service.agent_port,
        SOFTHSM2_CONF=str(configuration),
    ) as running:  # fmt: skip
        running.origin = service.origin
        running.human.answer = holder
        yield running


def holder(window: Window) -> Answer:
    return {"ok": True} if window.command == "CONFIRM" else {"pin": PIN}


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
        yield made
        made.close()


@pytest.fixture
def context(browser: Browser, service: RunningService) -> Iterator[BrowserContext]:
    made = browser.new_context(base_url=service.origin, locale="en-GB")
    yield made
    made.close()


def sign_in(page: Page, to: str = "/") -> None:
    page.goto(f"/sso/sign-in?next={to}")
    page.click("#agent-sign-in")
    page.wait_for_url(lambda address: urlsplit(address).path == to)


@pytest.fixture(scope="module")
def questions(browser: Browser, service: RunningService, agent: RunningAgent) -> list[Window]:
    """What the holder was asked while the card was made on the page."""
    make_operators_card(browser, service)
    return list(agent.human.windows)


@pytest.fixture
def card(questions: list[Window], agent: RunningAgent) -> None:
    """The card is there, and nothing is on the screen."""
    agent.human.windows.clear()
    agent.human.answer = holder


def test_a_card_is_made_with_one_pin_after_its_choice(questions: list[Window]) -> None:
    asked = [(w.command, w.lines[1]) for w in questions]
    assert asked == [
        ("CONFIRM", "This site asks to use your USB key."),
        ("GETPIN", asked[1][1]),
        ("GETPIN", "It asks to make a signing key on the USB key."),
    ]
    assert "ready" in asked[1][1]


@pytest.mark.usefixtures("card")
def test_its_holder_signs_in_and_signs_and_anybody_verifies(
    browser: Browser, context: BrowserContext, service: RunningService, agent: RunningAgent
) -> None:
    page = context.new_page()
    sign_in(page)
    expect(page.locator("header .who")).to_contain_text("示例操作员丙")
    (window,) = agent.human.windows
    assert window.lines[0] == f"Site: {service.origin}"
    report = sign_a_declaration(page, agent)
    stranger = browser.new_context(base_url=service.origin, locale="en-GB")
    public = stranger.new_page()
    public.goto(report)
    expect(public.locator("main")).to_contain_text("TOTAL-PASSED")
    expect(public.locator("main")).to_contain_text("示例操作员丙")
    stranger.close()


def make_operators_card(browser: Browser, service: RunningService) -> None:
    """The legal person adds an operator, whose card is made on the spot."""
    with seated(browser, service.signed_in("legal-person"), "en") as page:
        page.goto("/enterprise/operators/new")
        page.fill("#name", "示例操作员丙")
        page.fill("#employee_number", "0301")
        page.check("input[name=rights][value=declare-import]")
        page.click("main button[type=submit]")
        make = page.locator("[data-agent-act=enrol]")
        expect(make.locator("button")).to_be_visible()
        make.locator("button").click()
        expect(make.locator("[data-after]")).to_be_visible(timeout=30_000)
        expect(make.locator("portseal-progress")).to_have_attribute("data-outcome", "done")


def sign_a_declaration(page: Page, agent: RunningAgent) -> str:
    """The address of the public report."""
    agent.human.windows.clear()
    page.goto("/sign")
    page.set_input_files("#documents", SAMPLES / "dec-import.xml")
    page.click("#agent-sign")
    expect(page.locator("#items")).to_contain_text("TOTAL-PASSED", timeout=30_000)
    shown = [line for window in agent.human.windows for line in window.lines]
    assert "It asks you to sign: Customs declaration" in shown
    assert "File: dec-import.xml" in shown
    assert "Total value: 38,928.00 EUR" in shown
    report = page.get_attribute("#items [data-report]", "href")
    assert report is not None
    return report


@pytest.mark.usefixtures("card")
def test_several_documents_are_signed_with_one_pin(
    context: BrowserContext, agent: RunningAgent
) -> None:
    page = context.new_page()
    sign_in(page, "/sign")
    agent.human.windows.clear()
    declaration = (SAMPLES / "dec-import.xml").read_bytes()
    files = [
        {
            "name": f"declaration-{number}.xml",
            "mimeType": "application/xml",
            "buffer": declaration.replace(b"<GQty>40<", b"<GQty>%d<" % number),
        }
        for number in (41, 42, 43)
    ]
    page.set_input_files("#documents", files)  # type: ignore[arg-type]
    page.select_option("#format", "CAdES")
    page.click("#agent-sign")
    expect(page.locator("#items")).to_contain_text("TOTAL-PASSED", timeout=30_000)
    expect(page.locator("#items [data-got]:visible")).to_have_count(3)
    assert [w.command for w in agent.human.windows].count("GETPIN") == 1
    lines = [line for window in agent.human.windows for line in window.lines]
    assert "It asks you to sign 3 documents" in lines
    assert "Total value: 116,784.00 EUR" in lines


@pytest.mark.usefixtures("card")
def test_two_platforms_open_with_one_pin(
    context: BrowserContext, service: RunningService, agent: RunningAgent
) -> None:
    first, second = start_platforms(service.stage)
    agent.human.windows.clear()
    page = context.new_page()
    page.goto(f"{first}/login")
    page.click("#agent-sign-in")
    page.wait_for_url(f"{first}/me", timeout=30_000)
    seen = [json.loads(page.inner_text("body"))["holder"]]
    page.goto(f"{second}/login")
    page.wait_for_url(f"{second}/me", timeout=30_000)
    seen.append(json.loads(page.inner_text("body"))["holder"])
    assert [holder["name"] for holder in seen] == ["示例操作员丙"] * 2
    assert seen[0]["aud"] != seen[1]["aud"]
    assert seen[0]["auth_time"] == seen[1]["auth_time"]
    assert [w.command for w in agent.human.windows] == ["GETPIN"]


@pytest.mark.usefixtures("card")
def test_a_challenge_that_the_service_refuses_is_followed_by_a_new_one(
    context: BrowserContext,
) -> None:
    page = context.new_page()
    page.goto("/sso/sign-in?next=/sign")
    nonce = page.locator("#sign-in-form [name=nonce]")
    spent = "n" * 43 + "="
    nonce.evaluate("(input, spent) => { input.value = spent; }", spent)
    page.click("#agent-sign-in")
    expect(page.locator("portseal-progress .agent-line code")).to_contain_text("signin.")
    expect(nonce).not_to_have_value(spent)
    page.click("#agent-sign-in")
    page.wait_for_url(lambda address: urlsplit(address).path == "/sign")


@pytest.mark.usefixtures("card")
def test_the_page_says_what_is_wrong(
    context: BrowserContext, agent: RunningAgent, service: RunningService
) -> None:
    page = context.new_page()
    told = page.locator("portseal-progress .agent-line")
    page.goto("/sso/sign-in")
    for answer, state, code in (
        ({"pin": "not-the-pin"}, "The PIN was wrong.", "token.pin-wrong"),
        ({"cancel": True}, "Cancelled. Nothing was signed.", "agent.cancelled"),
    ):
        agent.human.answer = lambda window, answer=answer: answer  # type: ignore[misc]
        page.click("#agent-sign-in")
        expect(told).to_contain_text(state)
        expect(told).to_contain_text(code)
    agent.human.answer = holder


def test_the_page_says_when_there_is_no_agent(
    context: BrowserContext, service: RunningService
) -> None:
    page = context.new_page()
    page.route("http://127.0.0.1:*/v1/**", lambda route: route.abort("connectionrefused"))
    page.goto("/sso/sign-in")
    told = page.locator("portseal-progress .agent-line")
    expect(told).to_contain_text("portseal-agent run")
    expect(page.locator("#command")).to_be_visible()
    page.goto("/sso/sign-in?lang=zh")
    expect(told).to_contain_text("本机的密钥助手没有应答")


@pytest.mark.usefixtures("card")
def test_a_sign_in_token_works_once_and_for_its_own_site_alone(
    service: RunningService, agent: RunningAgent
) -> None:
    """What a page that relays a challenge, or keeps an answer, gets out of it."""
    conversation = service.anonymous()

    def challenge() -> str:
        nonce: str = conversation.call("POST", "/api/v1/sign-in/challenges", {})["nonce"]
        return nonce

    nonce = challenge()
    agent.origin = service.origin
    answer = {"token": agent.call("sign_in", nonce=nonce)["token"], "nonce": nonce}
    conversation.call("POST", "/api/v1/sign-in", answer)
    with pytest.raises(ServiceRefusal) as replayed:
        conversation.call("POST", "/api/v1/sign-in", answer)
    assert replayed.value.http_status == 401
    stranger = service.anonymous()
    with pytest.raises(ServiceRefusal) as stolen:
        stranger.call("POST", "/api/v1/sign-in", answer)
    assert stolen.value.http_status == 401
    certificate = agent.call("tokens")["tokens"]
    held = {each["id"] for token in certificate for each in token["certificates"]}
    relay = "https://hostile.example"
    agent.command("origins", "allow", relay)  # its user was talked into it
    agent.origin = relay
    nonce = challenge()
    relayed = agent.call("sign_in", nonce=nonce, certificate=held.pop())["token"]
    with pytest.raises(ServiceRefusal) as refused:
        conversation.call("POST", "/api/v1/sign-in", {"token": relayed, "nonce": nonce})
    assert refused.value.code == "signin.signature"
    agent.origin = service.origin


@pytest.mark.usefixtures("card")
def test_the_encryption_key_comes_sealed_and_is_installed(
    context: BrowserContext, service: RunningService, agent: RunningAgent
) -> None:
    page = context.new_page()
    page.goto("/sso/sign-in")
    agent.human.windows.clear()
    installed = page.evaluate(
        """async () => {
            const { PortSealAgent } = await import("/agent/portseal-agent.js");
            const { fetchEncryptionKey } = await import("/agent/portseal-journeys.js");
            const agent = PortSealAgent.of(document.querySelector("portseal-progress"));
            const { tokens } = await agent.tokens();
            const token = tokens.find((each) => each.certificates.length > 0);
            const [certificate] = token.certificates;
            return fetchEncryptionKey(agent, { token: token.id, certificate });
        }"""
    )
    assert installed["usage"] == ["encryption"]
    assert installed["key"] == "encryption"
    assert [w.lines[1] for w in agent.human.windows] == [
        "It asks to fetch the encryption key of your card."
    ]


@pytest.mark.usefixtures("card")
def test_the_pin_is_in_nothing_that_the_browser_sends_or_gets(
    context: BrowserContext, agent: RunningAgent
) -> None:
    seen: list[str] = []
    context.on("request", lambda request: seen.append(f"{request.url} {request.post_data}"))
    context.on("response", lambda response: seen.append(str(response.headers)))
    page = context.new_page()
    sign_in(page, "/sign")
    seen.append(page.content())
    assert any("/v1/sign_in" in each for each in seen)
    assert not [each for each in seen if PIN in each]
