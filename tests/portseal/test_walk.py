"""The whole walk of an enterprise in a real browser, with the real key agent and real tokens.

Applied, returned and corrected, approved by two officers; the legal person's card made on the page,
interrupted and finished; an operator added whose card is made with the code handed over; a
declaration shown and signed, and verified on the public page; one PIN for two platforms; the card
frozen, refused, unfrozen, renewed, reported lost by a code to the telephone, and replaced.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from portseal.demo.licence import licence_png
from tests.key_agent.holder import make_persons_card
from tests.key_agent.running import RunningAgent, running_agent
from tests.portseal.service import RunningService
from tests.portseal.text_messages import TextMessages
from tests.token import softhsm_configuration, softhsm_module

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SAMPLE = Path(__file__).parents[1] / "samples" / "dec-import.xml"
NAME, EMPLOYEE, TELEPHONE = "宁波漫步进出口有限公司", "W-001", "+86 139 0000 0000"
USCC = "91330201MA2L7WAK23"
FROZEN = "卡已冻结，自 TIME 起。解冻请由企业的法人卡办理；由工作人员冻结的，请联系管理员。"
LOST = "卡已挂失，自 TIME 起失效。请由企业的法人卡为您更换新卡。"
OFFICERS = {"registrar": "示例登记员丁", "approver": "示例审核员丁"}
FIELDS = {
    "name": NAME,
    "customs_code": "3302980023",
    "legal_representative": "示例法人丙",
    "region": "浙江宁波",
    "phone": "+86 138 0000 0000",
    "email": "office@walk.example",
}


class Desk:
    """A computer: a browser, and the key agent with the tokens that are plugged in there."""

    def __init__(self, browser: Browser, service: RunningService, directory: Path) -> None:
        self.service = service
        self._directory = directory
        self.agent: RunningAgent | None = None
        context = browser.new_context(base_url=service.origin, locale="zh-CN")
        context.set_default_timeout(10_000)
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    @contextmanager
    def plugged_in(self, key: str) -> Iterator["Desk"]:
        """With one USB key of this person's, blank at first, and the agent running."""
        home = self._directory / key
        configuration = softhsm_configuration(home / "tokens")
        with running_agent(
            home, softhsm_module(), {}, self.service.agent_port, SOFTHSM2_CONF=str(configuration)
        ) as self.agent:
            self.agent.human.answer = self.type_pin
            yield self
        self.agent = None

    @staticmethod
    def type_pin(window: Any) -> dict[str, Any]:
        """Agrees, and types the same PIN wherever one is asked for."""
        return {"ok": True} if window.command == "CONFIRM" else {"pin": "walk 593817"}

    def beside(self, browser: Browser) -> "Desk":
        """Another person's computer."""
        return Desk(browser, self.service, self._directory)

    def act(self, kind: str) -> None:
        """Press the button of the agent on the page, and wait until it is done."""
        section = self.page.locator(f"[data-agent-act={kind}]")
        section.locator("button").click()
        expect(section.locator("[data-after]")).to_be_visible(timeout=30_000)

    def make_card(self, code: str) -> None:
        """With the code that another person handed over."""
        self.page.goto("/make-card")
        self.page.fill("#activation-code", code)
        self.act("enrol")

    def be_interrupted(self) -> None:
        """The service has made the card, and this computer never hears of it."""

        def lose_the_answer(route: Route) -> None:
            assert route.fetch().ok
            route.abort()

        address = "**/api/v1/enrolments"
        self.page.route(address, lose_the_answer)
        section = self.page.locator("[data-agent-act=enrol]")
        section.locator("button").click()
        expect(section.locator("[data-outcome=failed]")).to_be_visible(timeout=30_000)
        expect(section.locator("button")).to_be_enabled()
        self.page.unroute(address)

    def sign_in(self, to: str) -> None:
        """With the newest card on the USB key, where a renewal has left two."""
        self.page.goto(f"/sso/sign-in?next={to}")
        self.page.click("#agent-sign-in")
        # In full: the address of the sign-in page ends with `to` as well.
        expect(self.page).to_have_url(f"{self.service.origin}{to}", timeout=20_000)

    def sign(self, document: bytes) -> bytes:
        """Show and sign a declaration; the signature file."""
        page = self.page
        page.goto("/sign")
        content = {"name": "dec.xml", "mimeType": "application/xml", "buffer": document}
        page.set_input_files("#documents", content)  # type: ignore[arg-type]
        page.click("#agent-sign")
        expect(page.locator("#items")).to_contain_text("TOTAL-PASSED", timeout=30_000)
        with page.expect_download() as download:
            page.click("#items [data-file]")
        return Path(download.value.path()).read_bytes()

    def expect_refusal(self, code: str, sentence: str) -> None:
        """The sign-in page says why the card is not let in, since when, and what to do.
        `sentence`: with TIME in place of the time."""
        self.page.goto("/sso/sign-in")
        self.page.click("#agent-sign-in")
        line = self.page.locator("#agent-progress .agent-line")
        expect(line.get_by_text(code, exact=True)).to_be_visible(timeout=30_000)
        said = re.escape(sentence).replace("TIME", r"20\d\d年\d+月\d+日 \d\d:\d\d:\d\d")
        expect(line.locator("strong")).to_have_text(re.compile(f"^服务拒绝了此操作。 {said}$"))


@pytest.fixture
def text_messages(service: RunningService) -> TextMessages:
    return TextMessages(service.text_messages)


def test_an_enterprise_from_its_application_to_a_replaced_card(
    browser: Browser, service: RunningService, text_messages: TextMessages, tmp_path: Path
) -> None:
    applicant = Desk(browser, service, tmp_path)
    reference = apply(applicant, tmp_path)
    registrar, approver = (officer(applicant.beside(browser), role) for role in OFFICERS)
    with registrar.plugged_in("registrar"):
        return_it(registrar, reference)
    correct(applicant)
    with registrar.plugged_in("registrar"):
        register(registrar, reference)
    with approver.plugged_in("approver"):
        approve(approver, reference)
    with applicant.plugged_in("legal-person"):
        make_legal_person_card(applicant)
        applicant.sign_in("/enterprise")
        expect(applicant.page.locator("h1")).to_contain_text(NAME)
        add_operator(applicant)
        number, code = shown_number(applicant), shown_code(applicant)

    operator = applicant.beside(browser)
    with operator.plugged_in("operator"):
        operator.make_card(code)
        operator.sign_in(f"/cards/{number}")
        operator.act("encryption")
        operator.page.reload()
        expect(operator.page.locator("#certificates tbody tr")).to_have_count(2)
        signed = operator.sign(declaration())
        assert operator.agent is not None
        last = operator.agent.human.windows[-1]
        assert service.origin in last.description
        verify(operator, signed)
        windows = len(operator.agent.human.windows)
        open_two_platforms(operator, service)
        asked = len(operator.agent.human.windows) - windows
        assert asked <= 1, "the second platform asked for another PIN"

    # One computer's port, and a session ends with its USB key: they take turns.
    with applicant.plugged_in("legal-person"):
        applicant.sign_in(f"/cards/{number}")
        move(applicant, number, "freeze", "外出一周")
        expect(applicant.page.locator("main")).to_contain_text("外出一周")
    with operator.plugged_in("operator"):
        operator.expect_refusal("signin.frozen", FROZEN)
    with applicant.plugged_in("legal-person"):
        applicant.sign_in(f"/cards/{number}")
        move(applicant, number, "unfreeze", "回来了")
    with operator.plugged_in("operator"):
        operator.sign_in(f"/cards/{number}")
        reach(operator, number)
        operator.act("renew")
    with applicant.plugged_in("legal-person"):
        applicant.sign_in("/enterprise")
        renewed = successor(applicant)
        assert renewed != number
    with operator.plugged_in("operator"):
        operator.sign_in(f"/cards/{renewed}")
        report_lost(operator, renewed, text_messages)
        operator.expect_refusal("signin.lost", LOST)
    with applicant.plugged_in("legal-person"):
        applicant.sign_in(f"/cards/{renewed}")
        applicant.page.click("form[action$='/replacement'] button")
        replaced, code = shown_number(applicant), shown_code(applicant)
    with operator.plugged_in("operator-2"):
        operator.page.goto("/make-card")
        operator.page.fill("#activation-code", code)
        operator.be_interrupted()
        operator.make_card(code)
        operator.sign_in(f"/cards/{replaced}")
        expect(operator.page.locator("main")).to_contain_text(replaced)
    assert applicant.complaints == operator.complaints == []


# -- steps -----------------------------------------------------------------------------------------


def apply(desk: Desk, directory: Path) -> str:
    """The application; its reference. The credit code is mistyped, as an officer will find."""
    page = desk.page
    page.goto("/apply")
    for name, value in {**FIELDS, "uscc": USCC}.items():
        page.fill(f"#{name}", value)
    licence = directory / "licence.png"
    licence.write_bytes(licence_png())
    page.set_input_files("#licence", licence)
    page.click("main form[enctype] button[type=submit]:not([formaction])")
    expect(page.locator("#access-code")).to_be_visible()
    return page.inner_text("#reference")


def officer(desk: Desk, role: str) -> Desk:
    """An officer's computer, with an own USB key that the service has made."""
    # Of this walk alone: others may revoke the session's.
    added = desk.service.site.run_json(
        "officer", "add", OFFICERS[role], "--role", role, "--emergency", "a test needs one more"
    )
    with desk.plugged_in(role):
        assert desk.agent is not None
        desk.agent.allow(desk.service.origin)
        code, service = added["activation_code"], desk.service.anonymous()
        make_persons_card(desk.agent, service, code, desk.type_pin)
    return desk


def review(desk: Desk, reference: str) -> Page:
    """Signed in by clicking; the review page of this application, found in the queue."""
    page = desk.page
    desk.sign_in("/officer/applications")
    page.fill("main form.filters[method=get] input[name=q]", reference)
    page.click("main form.filters[method=get] button[type=submit]")
    page.locator("main tr", has_text=NAME).locator("a").first.click()
    expect(page.locator("main")).to_contain_text(reference)
    return page


def return_it(desk: Desk, reference: str) -> None:
    page = review(desk, reference)
    page.locator("#decision details", has=page.locator("#reasons")).locator("summary").click()
    page.fill("#reasons", "联系电话有误，请更正")
    page.click("button[value=return]")
    expect(page.locator("p.notice.good")).to_be_visible()


def correct(desk: Desk) -> None:
    page = desk.page
    page.goto("/application")
    expect(page.locator("main")).to_contain_text("联系电话有误")
    page.goto("/application/correction")
    page.fill("#phone", "+86 137 0000 0000")
    expect(page.locator("#saved")).not_to_be_empty()
    page.reload()
    expect(page.locator("#phone")).to_have_value("+86 137 0000 0000")
    page.click("main form[enctype] button[type=submit]:not([formaction])")
    page.wait_for_url("**/application")


def register(desk: Desk, reference: str) -> None:
    page = review(desk, reference)
    page.click("button[value=register]")
    expect(page.locator("p.notice.good")).to_be_visible()
    expect(page.locator("button[value=approve]")).to_have_count(0)


def approve(desk: Desk, reference: str) -> None:
    """By another officer than the one who registered."""
    page = review(desk, reference)
    page.click("button[value=approve]")
    expect(page.locator("p.notice.good")).to_be_visible()


def make_legal_person_card(desk: Desk) -> None:
    """The blank USB key is given its PIN, its key and its certificate on the page: the latter when
    the page is opened anew, since making the card was interrupted."""
    desk.page.goto("/application")
    desk.page.click("form[action$='/activation-code'] button")
    desk.be_interrupted()
    desk.page.goto("/application")
    desk.page.click("main details:has([data-agent-act=write]) summary")
    desk.act("write")


def add_operator(desk: Desk) -> None:
    page = desk.page
    page.goto("/enterprise/operators/new")
    page.fill("#name", "示例操作员丙")
    page.fill("#employee_number", EMPLOYEE)
    page.check("input[name=rights][value=declare-import]")
    page.click("main form button[type=submit]")
    expect(page.locator("#activation-code")).to_be_visible()


def shown_number(desk: Desk) -> str:
    """Of the card that the page is about."""
    number: str = desk.page.inner_text("main h1 code")
    return number


def shown_code(desk: Desk) -> str:
    """The activation code, to be handed over."""
    return desk.page.inner_text("#activation-code")


def declaration() -> bytes:
    """The sample, filed by the enterprise of the walk."""
    text = SAMPLE.read_text("utf-8")
    text = text.replace("91310115MA1K3XY208", USCC).replace("3122980003", FIELDS["customs_code"])
    return text.encode("utf-8")


def verify(desk: Desk, signed: bytes) -> None:
    """On the public page, as anybody would."""
    page = desk.page
    page.goto("/verify")
    content = {"name": "signed.xml", "mimeType": "application/xml", "buffer": signed}
    page.set_input_files("#document", content)  # type: ignore[arg-type]
    page.click("main form button[type=submit]")
    expect(page.locator("main")).to_contain_text("TOTAL-PASSED")
    expect(page.locator("main")).to_contain_text("示例操作员丙")


def open_two_platforms(desk: Desk, service: RunningService) -> None:
    """Signed in already: both let the holder in, and neither asks for anything."""
    for address in service.platforms():
        desk.page.goto(f"{address}/login")
        desk.page.wait_for_url(f"{address}/me")
        desk.page.goto(f"{address}/")
        expect(desk.page.locator("body")).to_contain_text("示例操作员丙")


def move(desk: Desk, number: str, act: str, reason: str) -> None:
    """The legal person freezes or unfreezes an operator's card."""
    desk.page.goto(f"/cards/{number}")
    desk.page.fill(f"#{act}-reason", reason)
    desk.page.click(f"form[action$='/{act}'] button")
    expect(desk.page.locator("p.notice.good")).to_be_visible()


def reach(desk: Desk, number: str) -> None:
    """The operator leaves a telephone number for notices and one-time codes."""
    desk.page.fill("#contact-phone", TELEPHONE)
    desk.page.click("form[action$='/contact'] button")
    expect(desk.page.locator("main")).to_contain_text("+86****00")
    desk.page.goto(f"/cards/{number}")


def successor(desk: Desk) -> str:
    """The operator's card as the enterprise sees it now."""
    desk.page.goto("/enterprise")
    row = desk.page.locator("main tr", has_text=EMPLOYEE)
    number: str = row.locator("a.fixed").inner_text()
    return number


def report_lost(desk: Desk, number: str, text_messages: TextMessages) -> None:
    """On the public page, by the code that comes to the telephone."""
    page = desk.page
    page.goto("/lost")
    page.fill("#card", number)
    page.check("input[name=channel][value=sms]")
    page.click("main form button[type=submit]")
    page.fill("#code", text_messages.code(number))
    page.click("main form button[type=submit]")
    expect(page.locator("#card-number")).to_have_text(number)
    expect(page.locator("main .badge.bad")).to_be_visible()
