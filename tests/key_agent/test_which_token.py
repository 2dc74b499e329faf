"""Several USB keys are plugged in, with one label, as makers deliver them: which one is meant."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.key_agent.cards import MadeCard, text
from tests.key_agent.human import Answer, Window
from tests.key_agent.running import RunningAgent, running_agent
from tests.portseal.gallery import seated
from tests.portseal.service import RunningService
from tests.servers.chromium import launch_arguments
from tests.software_keys import SoftwareAuthority
from tests.token import softhsm_configuration, softhsm_module

LABEL = "ePass"
PINS = ("first 193746", "second 820461")
NONCE = "n" * 44


def deliver(directory: Path) -> Path:
    """Two initialised tokens of one label, as another program makes them; SoftHSM2's settings."""
    configuration = softhsm_configuration(directory / "tokens")
    for pin in PINS:
        subprocess.run(
            [
                "softhsm2-util", "--init-token", "--free", "--label", LABEL,
                "--so-pin", "officer 55181", "--pin", pin,
            ],
            env={"SOFTHSM2_CONF": str(configuration), "PATH": "/usr/bin:/bin"},
            capture_output=True, timeout=60, check=True,
        )  # fmt: skip
    return configuration


def alike(agent: RunningAgent) -> list[dict[str, Any]]:
    return [each for each in agent.call("tokens")["tokens"] if each["label"] == LABEL]


def serial_shown(window: Window) -> str:
    (line,) = [each for each in window.lines if each.startswith("Serial number: ")]
    return line.removeprefix("Serial number: ")


@pytest.fixture
def two(tmp_path: Path) -> Iterator[RunningAgent]:
    configuration = deliver(tmp_path)
    with running_agent(
        tmp_path / "home", softhsm_module(), {}, SOFTHSM2_CONF=str(configuration)
    ) as agent:
        agent.allow("https://id.example")
        yield agent


def learn(agent: RunningAgent) -> dict[str, str]:
    """Which PIN is whose, by serial number, as a person finds out. What they type from then on."""
    pins: dict[str, str] = {}
    for token in alike(agent):
        for pin in PINS:
            agent.human.answer = lambda window, pin=pin: {"pin": pin}  # type: ignore[misc]
            if agent.post("make_key", {"token": token["id"]}).status_code == 200:
                pins[token["serial"]] = pin
                break

    def types(window: Window) -> Answer:
        return {"pin": pins[serial_shown(window)]}

    agent.human.answer = types
    return pins


def test_each_of_two_with_one_label_is_used_by_itself(
    two: RunningAgent, authority: SoftwareAuthority
) -> None:
    pins = learn(two)
    assert sorted(pins.values()) == sorted(PINS)
    cards = []
    for number, token in enumerate(alike(two)):
        two.human.windows.clear()
        made = two.call("make_key", token=token["id"])["pkcs10"]
        assert serial_shown(two.human.windows[-1]) == token["serial"]
        certificate = authority.certificate_for(base64.b64decode(made), f"操作员 {number}")
        der = text(certificate.der)
        two.call("write_certificates", token=token["id"], certificates=[der])
        suite = certificate.public_key.default_suite()
        cards.append(MadeCard(token, certificate, suite))
    assert two.refused("sign_in", nonce=NONCE)["code"] == "certificate.several"
    for card in cards:
        two.human.windows.clear()
        answer = two.call("sign_in", nonce=NONCE, certificate=card.identifier)
        assert answer["certificate"]["id"] == card.identifier
        assert serial_shown(two.human.windows[-1]) == card.token["serial"]
    changed = cards[1].token
    old, new = pins[changed["serial"]], "changed 736152"

    def changes(window: Window) -> Answer:
        return {"pin": new if window.repeat else old}

    two.human.answer = changes
    two.call("change_pin", token=changed["id"])
    two.human.answer = lambda window: {"pin": new}
    assert two.call("sign_in", nonce=NONCE, certificate=cards[1].identifier)
    assert (
        two.refused("sign_in", nonce=NONCE, certificate=cards[0].identifier)["code"]
        == "token.pin-wrong"
    ), "the other one's PIN is as it was"


@pytest.mark.browser
def test_the_page_asks_which_usb_key_the_card_goes_onto(
    chromium: Path, service: RunningService, tmp_path: Path
) -> None:
    configuration = deliver(tmp_path)
    with (
        running_agent(
            tmp_path / "home", softhsm_module(), {}, service.agent_port,
            SOFTHSM2_CONF=str(configuration),
        ) as agent,
        sync_playwright() as playwright,
    ):  # fmt: skip
        agent.allow(service.origin)
        learn(agent)
        browser = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
        with seated(browser, service.signed_in("legal-person"), "en") as page:
            page.goto("/enterprise/operators/new")
            page.fill("#name", "示例操作员丁")
            page.fill("#employee_number", "0401")
            page.check("input[name=rights][value=declare-import]")
            page.click("main button[type=submit]")
            make = page.locator("[data-agent-act=enrol]")
            make.locator("button").click()
            choice = make.locator("select")
            expect(choice).to_be_visible()
            expect(make).to_contain_text("Several USB keys are plugged in.")
            meant = alike(agent)[1]
            choice.select_option(label=f"{LABEL} {meant['serial']}")
            agent.human.windows.clear()
            make.locator("button").click()
            expect(make.locator("[data-after]")).to_be_visible(timeout=30_000)
        browser.close()
        assert {serial_shown(each) for each in agent.human.windows} == {meant["serial"]}
        held = {each["serial"]: len(each["certificates"]) for each in alike(agent)}
        assert held.pop(meant["serial"]) == 1
        assert set(held.values()) == {0}
