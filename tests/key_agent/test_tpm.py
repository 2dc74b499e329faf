"""The agent on a second make of token, tpm2-pkcs11 on a software TPM, which locks itself."""

import base64
import itertools
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from signing_service.formats import making
from signing_service.formats.manner import Act
from signing_service.formats.recognition import read_signatures
from signing_service.validation.evidence import SignatureFormat
from tests.key_agent.cards import make_card, prepare
from tests.key_agent.holder import operator_at
from tests.key_agent.running import running_agent
from tests.portseal.service import RunningService
from tests.servers.chromium import launch_arguments
from tests.servers.tpm import LockingToken
from tests.software_keys import SoftwareAuthority

DECLARATION = (Path(__file__).parents[1] / "samples" / "dec-import.xml").read_bytes()
NONCE = "n" * 44


def tpm_of(token: LockingToken) -> dict[str, str]:
    """Where the agent's module finds the TPM."""
    surroundings = token.environment.items()
    return {name: value for name, value in surroundings if name.startswith("TPM2_PKCS11")}


def test_a_card_in_a_tpm_is_made_signs_and_locks(
    locking_token: LockingToken, authority: SoftwareAuthority, tmp_path: Path
) -> None:
    pins = {"mine": "right-73519"}
    with running_agent(
        tmp_path, locking_token.module, pins, None, **tpm_of(locking_token)
    ) as agent:
        agent.call("connect")
        card = make_card(agent, authority, "mine")
        assert agent.call("sign_in", nonce=NONCE)["certificate"]["id"] == card.identifier
        prepared, asked = prepare(SignatureFormat.XADES, DECLARATION, card.certificate)
        told = agent.call("sign", certificate=card.identifier, **asked)
        value = base64.b64decode(told["signature_value"])
        (evidence,) = read_signatures(making.finish(Act.FIRST, prepared, value, None), None)
        assert evidence.covers_document
        codes: list[str] = []
        for number in range(40):
            agent.human.answer = lambda window, number=number: {"pin": f"wrong-{number}"}  # type: ignore[misc]
            codes.append(agent.refused("sign_in", nonce=NONCE)["code"])
            if codes[-1] != "token.pin-wrong":
                break
        assert codes[:2] == ["token.pin-wrong"] * 2
        assert codes[-1] == "token.locked"
        (token,) = [t for t in agent.call("tokens")["tokens"] if t["label"] == "mine"]
        assert token["certificates"][0]["id"] == card.identifier
        agent.human.answer = agent.human.agree
        assert agent.refused("sign_in", nonce=NONCE)["code"] == "token.locked"


@pytest.mark.long
@pytest.mark.browser
def test_the_page_says_when_the_token_has_locked_itself(
    chromium: Path, service: RunningService, locking_token: LockingToken, tmp_path: Path
) -> None:
    """An operator's card on this make of token, and wrong PINs until it takes no more."""
    told = "portseal-progress .agent-line code"
    with (
        operator_at(service, tmp_path, locking_token.module, **tpm_of(locking_token)) as agent,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
        page = browser.new_context(base_url=service.origin, locale="en-GB").new_page()
        page.goto("/sso/sign-in?next=/sign")
        page.click("#agent-sign-in")
        page.wait_for_url(f"{service.origin}/sign")
        wrong = map("wrong-{}".format, itertools.count())  # one that is typed twice is not counted
        agent.human.answer = lambda window: {"pin": next(wrong)}
        page.goto("/sso/sign-in")
        codes: list[str] = []
        while len(codes) < 40 and codes[-1:] != ["token.locked"]:
            with page.expect_response(lambda heard: heard.url.endswith("/v1/sign_in")) as answer:
                page.click("#agent-sign-in")
            codes.append(answer.value.json()["code"])
            expect(page.locator(told)).to_have_text(codes[-1])
            expect(page.locator("#agent-sign-in")).to_be_enabled()
        assert codes[:2] == ["token.pin-wrong"] * 2
        assert codes[-1] == "token.locked"
        line = page.locator("portseal-progress .agent-line")
        expect(line).to_contain_text("The USB key has locked itself after too many wrong PINs.")
        page.goto("/sso/sign-in?lang=zh")
        page.click("#agent-sign-in")
        expect(line).to_contain_text("PIN 输错次数过多，USB Key 已自行锁定。")
        expect(line).to_contain_text("操作员卡由本企业的法人卡更换，工作人员卡由管理员更换")
        ways = line.get_by_role("link")
        expect(ways).to_have_text(["恢复法人卡", "更换操作员卡"])
        assert [way.get_attribute("href") for way in ways.all()] == ["/recover", "/enterprise"]
        page.goto("/agent")
        page.locator('[data-agent-act="pin"] button').click()
        changed = page.locator('[data-agent-act="pin"] .agent-line')
        expect(changed.locator("code")).to_have_text("token.locked")
        browser.close()
