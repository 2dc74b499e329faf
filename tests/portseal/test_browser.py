"""The portal as people use it: the whole registration in a real browser, with what it says on its
console. Each page fits a telephone while it is in use; its pictures are the gallery's."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)

from portseal.demo.licence import WIDTH as LICENCE_WIDTH
from portseal.demo.licence import licence_png
from portseal.holder.card import Card
from signing_service.validation.evidence import SignatureFormat
from tests.portseal.service import RunningService
from tests.servers.chromium import launch_arguments

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "samples" / "dec-import.xml"
WIDE = ViewportSize(width=1280, height=800)
NARROW = ViewportSize(width=375, height=720)
ENTERPRISE = {
    "name": "宁波示例进出口有限公司",
    "uscc": "91330201MA2L7WQ410",
    "customs_code": "3302980007",
    "legal_representative": "示例法人乙",
    "region": "浙江宁波",
    "phone": "0574-00000000",
    "email": "office@example.com",
}


class Person:
    """Somebody with a browser of their own. Everything that a page complains of is an error."""

    def __init__(self, browser: Browser, origin: str, complaints: list[str]) -> None:
        self.origin = origin
        self.context = browser.new_context(viewport=WIDE, locale="zh-CN", base_url=origin)
        self.page: Page = self.context.new_page()
        self._complaints = complaints
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: complaints.append(str(error)))
        self.page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        # That an answer was a refusal is judged in _response.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self._complaints.append(message.text)

    def _response(self, response: Response) -> None:
        is_page = response.request.resource_type == "document"
        if response.status >= (500 if is_page else 400):
            self._complaints.append(f"{response.status} {response.url}")

    def open(self, path: str) -> Page:
        self.page.goto(path)
        return self.page

    def on_a_telephone(self) -> None:
        """The page as it stands, made narrow: nothing is cut off."""
        self.page.set_viewport_size(NARROW)
        overflow = "document.documentElement.scrollWidth - window.innerWidth"
        assert self.page.evaluate(overflow) <= 0, f"{self.page.url} is wider than a telephone"
        self.page.set_viewport_size(WIDE)

    def sign_in(self, card: Card, to: str) -> Page:
        """Paste the card's answer, as the sign-in page asks, and go on to `to`."""
        page = self.open(f"/sso/sign-in?next={to}")
        self.on_a_telephone()
        command = shlex.split(page.inner_text("#command"))
        nonce = command[command.index("--nonce") + 1]
        page.fill("#token", json.dumps(card.answer(self.origin, nonce)))
        page.click("main button[type=submit]")
        if not page.url.endswith(to):
            page.click("#continue")
        page.wait_for_url(lambda url: url.endswith(to))
        return page


@pytest.fixture(scope="module")
def complaints() -> Iterator[list[str]]:
    """What the browsers' consoles said, policy violations included; nothing, at the end."""
    said: list[str] = []
    yield said
    assert said == []


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
        yield made
        made.close()


class People:
    """Makes persons."""

    def __init__(self, browser: Browser, service: RunningService, complaints: list[str]) -> None:
        self._browser, self._complaints = browser, complaints
        self._persons: list[Person] = []
        self.service = service

    def person(self) -> Person:
        person = Person(self._browser, self.service.origin, self._complaints)
        self._persons.append(person)
        return person

    def go_home(self) -> None:
        """Close every browser."""
        for person in self._persons:
            person.context.close()

    def signed_in(self, label: str, to: str) -> Person:
        person = self.person()
        person.sign_in(self.service.stage.cards[label], to)
        return person


@pytest.fixture
def people(browser: Browser, service: RunningService, complaints: list[str]) -> Iterator[People]:
    made = People(browser, service, complaints)
    yield made
    made.go_home()


@pytest.mark.long
def test_an_enterprise_gets_its_card_and_its_operators(people: People, tmp_path: Path) -> None:
    applicant = people.person()
    reference, access_code = apply(applicant, tmp_path)
    review(people, reference)
    code = fetch_activation_code(people, reference, access_code)
    service = people.service
    card = service.stage.usb_keys.make("browser-legal-person")
    service.anonymous().enrol(card, code)
    number = add_operator(people, card)
    revoke(people, number)


def apply(person: Person, directory: Path) -> tuple[str, str]:
    """Fill the form in, wrong at first; the reference and the access code."""
    person.open("/")
    page = person.open("/apply")
    person.on_a_telephone()
    for name, value in ENTERPRISE.items():
        page.fill(f"#{name}", value)
    page.fill("#uscc", "91330201MA2L7WQ411")
    page.click("main button[type=submit]")
    expect(page.locator("#uscc")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#name")).to_have_value(ENTERPRISE["name"])
    licence = directory / "licence.png"
    licence.write_bytes(licence_png())
    page.fill("#uscc", ENTERPRISE["uscc"])
    page.set_input_files("#licence", licence)
    page.click("main button[type=submit]")
    expect(page.locator("#access-code")).to_be_visible()
    person.on_a_telephone()
    told = page.inner_text("#reference"), page.inner_text("#access-code")
    page.click("main a[role=button]")
    page.wait_for_url("**/application")
    expect(page.locator("h1")).to_have_text(ENTERPRISE["name"])
    return told


def review(people: People, reference: str) -> None:
    """One officer registers and may not approve; another approves."""
    registrar = people.signed_in("registrar", "/officer/applications")
    registrar.on_a_telephone()
    page = registrar.page
    page.fill("main form.filters[method=get] input[name=q]", reference)  # others wait longer
    page.click("main form.filters[method=get] button[type=submit]")
    page.locator("main tr", has_text=ENTERPRISE["name"]).locator("a").first.click()
    expect(page.locator("main")).to_contain_text(reference)
    shown = page.locator("img.preview")
    expect(shown).to_have_js_property("complete", True)
    expect(shown).to_have_js_property("naturalWidth", LICENCE_WIDTH)
    page.click("button[value=register]")
    expect(page.locator("p.notice.good")).to_be_visible()
    expect(page.locator("button[value=approve]")).to_have_count(0)
    address = urlsplit(page.url).path
    approver = people.signed_in("browser-approver", "/officer/applications")
    page = approver.open(address)
    page.click("button[value=approve]")
    expect(page.locator("p.notice.good")).to_be_visible()


def fetch_activation_code(people: People, reference: str, access_code: str) -> str:
    """On another computer, with what the applicant noted down."""
    applicant = people.person()
    page = applicant.open("/status")
    page.fill("#reference", reference)
    page.fill("#access_code", "AAAA-AAAA")
    page.click("main button[type=submit]")
    expect(page.locator("[role=alert]")).to_be_visible()
    page.fill("#access_code", access_code)
    page.click("main button[type=submit]")
    page.wait_for_url("**/application")
    page.click("form[action$='/activation-code'] button")
    expect(page.locator("#activation-code")).to_be_visible()
    applicant.on_a_telephone()
    return page.inner_text("#activation-code")


def add_operator(people: People, card: Card) -> str:
    """The legal-person card adds an operator with rights; the number of the operator's card."""
    person = people.person()
    page = person.sign_in(card, "/enterprise")
    page.goto("/enterprise/operators/new")
    page.fill("#name", "示例操作员乙")
    page.fill("#employee_number", "0007")
    page.check("input[name=rights][value=declare-import]")
    page.check("input[name=rights][value=declare-export]")
    person.on_a_telephone()
    page.click("main button[type=submit]")
    expect(page.locator("#activation-code")).to_be_visible()
    operator = people.service.stage.usb_keys.make("browser-operator")
    enrolled = people.service.anonymous().enrol(operator, page.inner_text("#activation-code"))
    page.goto("/enterprise")
    page.click("main a:has-text('示例操作员乙')")
    page.uncheck("input[name=rights][value=declare-export]")
    page.click("form[action$='/rights'] button")
    expect(page.locator("input[name=rights][value=declare-export]")).not_to_be_checked()
    expect(page.locator("input[name=rights][value=declare-import]")).to_be_checked()
    person.on_a_telephone()
    page.click("header form[action='/sso/sign-out'] button")
    expect(page.locator("header a[href^='/sso/sign-in']")).to_be_visible()
    number: str = enrolled["card"]["number"]
    return number


def revoke(people: People, number: str) -> None:
    """An administrator revokes with a reason; a mistyped number revokes nothing."""
    person = people.signed_in("administrator", "/admin/cards")
    person.on_a_telephone()
    page = person.open(f"/cards/{number}")
    page.select_option("#reason", "keyCompromise")
    page.fill("#confirmation", "OP-0000-XXXXXXXX")
    page.click("form[action$='/revocation'] button")
    expect(page.locator("[role=alert]")).to_be_visible()
    page.select_option("#reason", "keyCompromise")
    page.fill("#confirmation", number)
    page.click("form[action$='/revocation'] button")
    expect(page.locator("p.notice.good")).to_be_visible()
    expect(page.locator("button.danger")).to_have_count(0)
    person.open("/admin/officers")
    auditor = people.signed_in("auditor", "/admin/journal?verify=1")
    expect(auditor.page.locator("main")).to_contain_text(number)


@pytest.fixture(scope="module", autouse=True)
def second_approver(service: RunningService) -> None:
    """Others may revoke the session's approver; the browser's is its own."""
    added = service.site.run_json(
        "officer",
        "add",
        "示例审核员乙",
        "--role",
        "approver",
        "--emergency",
        "a test needs one more",
    )
    card = service.stage.usb_keys.make("browser-approver")
    service.stage.cards["browser-approver"] = card
    service.anonymous().enrol(card, added["activation_code"])


def test_anybody_verifies_a_signed_file_and_prints_the_report(
    people: People, tmp_path: Path
) -> None:
    service = people.service
    signed = tmp_path / "declaration.p7s"
    conversation = service.signed_in("operator")
    made = conversation.sign(
        service.stage.cards["operator"], SAMPLE.read_bytes(), SignatureFormat.CADES
    )
    signed.write_bytes(made.signature)
    person = people.person()
    page = person.open("/verify")
    person.on_a_telephone()
    page.set_input_files("#document", SAMPLE)
    page.set_input_files("#signature", signed)
    page.click("main button[type=submit]")
    expect(page.locator("main")).to_contain_text("TOTAL-PASSED")
    expect(page.locator("main")).to_contain_text("示例操作员")
    person.on_a_telephone()
    page.emulate_media(media="print")
    expect(page.locator("main h1")).to_be_visible()
    expect(page.locator("nav.sections")).to_be_hidden()
    page.emulate_media(media="screen")
    changed = tmp_path / "changed.xml"
    changed.write_bytes(SAMPLE.read_bytes().replace(b"<GQty>40<", b"<GQty>41<"))
    page.goto("/verify?lang=en")
    page.set_input_files("#document", changed)
    page.set_input_files("#signature", signed)
    page.click("main button[type=submit]")
    expect(page.locator("main")).to_contain_text("TOTAL-FAILED")
    page.goto("/verify")
    page.set_input_files("#document", changed)
    page.click("main button[type=submit]")


def test_the_language_is_switched_and_remembered(people: People) -> None:
    person = people.person()
    page = person.open("/")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    page.click("header a[hreflang=en]")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("main")).not_to_contain_text("申请")
    person.on_a_telephone()
    page.goto("/apply")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.click("header a[hreflang=zh]")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")


def test_pages_that_say_no_are_pages(people: People) -> None:
    person = people.person()
    page = person.open("/nowhere")
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("main")).to_contain_text("http.not-found")
    person.open("/enterprise")
    operator = people.signed_in("operator", "/")
    operator.open("/admin/cards")
    expect(operator.page.locator("main")).to_contain_text("role.missing")
