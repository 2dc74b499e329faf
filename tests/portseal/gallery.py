"""Every page of the portal that a person can look at, and a browser that is signed in for it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from playwright.sync_api import Browser, BrowserContext, Page

from portseal.demo.stage import Stage
from portseal.holder.service import Service

Facts = Mapping[str, Any]
"""What the steps of the past have left on the stage."""
APPLICANT = "applicant"
"""Instead of a USB key: the browser of an applicant whose application came back."""
APPROVED = "approved-applicant"
"""The same, where the application was approved and the card is still to be made."""
OWNER, CLERK = "gallery-legal-person", "gallery-operator"
"""USB keys of an enterprise that only the gallery uses."""
Act = Callable[[Page, Stage], None]
"""What a visitor does on the page: fill in a form, press a button."""


class Resolve(Protocol):
    """Finds the address of a page that depends on what is in the register."""

    @property
    def sample(self) -> str:
        """An address of the same page, of nothing that there is."""

    def __call__(self, service: Service, facts: Facts) -> str: ...


@dataclass(frozen=True)
class FirstLink:
    """The first address on `page` that begins with `prefix`, goes on with an identifier, and ends
    with `suffix`."""

    page: str
    prefix: str
    suffix: str = ""

    @property
    def sample(self) -> str:
        return f"{self.prefix}0{self.suffix}"

    def __call__(self, service: Service, facts: Facts) -> str:
        text = service.fetch("GET", self.page, headers={"Accept": "text/html"}).text
        for part in text.split('href="')[1:]:
            address = part.partition('"')[0]
            if address.startswith(self.prefix) and not address.endswith(("/new", "/import")):
                return address.removesuffix(self.suffix) + self.suffix
        raise LookupError(f"no link to {self.prefix} on {self.page}")


@dataclass(frozen=True)
class Imported:
    """The preview of a file that is brought in the session, with cells that are wrong."""

    kind: str
    rows: tuple[str, ...]

    @property
    def sample(self) -> str:
        return "/imports/preview/0"

    def __call__(self, service: Service, facts: Facts) -> str:
        file = {"file": ("import.csv", "\n".join(self.rows).encode(), "text/csv")}
        return send_form(service, f"/imports/{self.kind}", {}, file)


@dataclass(frozen=True)
class Recorded:
    """An address that the past has left (`gallery_past`)."""

    fact: str
    sample: str

    def __call__(self, service: Service, facts: Facts) -> str:
        return str(facts[self.fact])


@dataclass(frozen=True)
class Exhibit:
    """One page."""

    name: str
    """Of its pictures."""
    who: str | None
    """Label of the USB key that is signed in, `APPLICANT` or `APPROVED`; None: nobody is."""
    where: str | Resolve
    acts: tuple[Act, ...] = ()
    """What leads from there to the page, where only a form's answer shows it."""
    arrives: str = ""
    """An address like the one that a form leads on to."""
    fresh: bool = False
    """Whether the visitor has signed in just now."""

    def address(self, service: Service, facts: Facts) -> str:
        return self.where if isinstance(self.where, str) else self.where(service, facts)

    @property
    def sample(self) -> str:
        """Its address, or one of the same page."""
        return self.arrives or (self.where if isinstance(self.where, str) else self.where.sample)


def send_form(
    service: Service,
    page: str,
    values: Mapping[str, str | list[str]],
    files: dict[str, Any] | None = None,
    to: str = "",
) -> str:
    """Fill in a page's form and send it, to the page or elsewhere; where that leads."""
    html = {"Accept": "text/html"}
    text = service.fetch("GET", page, headers=html).text
    token = text.partition('name="csrf_token" value="')[2].partition('"')[0]
    sent = service.session.post(
        service.origin + (to or page), data={**values, "csrf_token": token}, files=files,
        headers=html, allow_redirects=False, timeout=30,
    )  # fmt: skip
    if sent.status_code not in (302, 303):
        raise LookupError(f"{page} answers {sent.status_code}")
    return sent.headers["Location"]


def _recovery(ground: str) -> Resolve:
    return FirstLink(f"/key-centre?ground={ground}", "/key-centre/recoveries/")


def _living_card(suffix: str) -> Resolve:
    return FirstLink("/admin/cards?state=active", "/cards/", suffix)


_WRONG_ENTERPRISES = (
    "企业名称,统一社会信用代码,海关注册编码,法定代表人,证件号码,所在地区",
    "宁波示例一贸易有限公司,91330201MA2AB0801X,3302900801,王样例,,浙江 宁波",
    "宁波示例二贸易有限公司,913302O1MA2AB,33029,王样例,123,浙江 宁波",
    ",91330201MA2AB0803X,3302900803,,,浙江 宁波",
)
_WRONG_OPERATORS = ("姓名,工号,证件号码,权限", "李样例,E-801,,", "赵样例,=1+1,,", ",E-803,,骑马")

EXHIBITS = (
    Exhibit("home", None, "/"),
    Exhibit("apply", None, "/apply"),
    Exhibit("draft-continue", None, "/apply/continue"),
    Exhibit("status", None, "/status"),
    Exhibit("reference-again", None, "/status/reference"),
    Exhibit("access-again", None, "/status/access-code"),
    Exhibit("make-card", None, "/make-card"),
    Exhibit("lost", None, "/lost"),
    Exhibit("recover", None, "/recover"),
    Exhibit("recover-finish", None, "/recover/finish"),
    Exhibit("application", APPLICANT, "/application"),
    Exhibit("correction", APPLICANT, "/application/correction"),
    Exhibit("sign-in", None, "/sso/sign-in?next=/"),
    Exhibit("signed-out", None, "/cas/logout"),
    Exhibit("cps", None, "/cps"),
    Exhibit("verify", None, "/verify"),
    Exhibit("key-agent", None, "/agent"),
    Exhibit("not-found", None, "/nowhere"),
    Exhibit("enterprise-home", "legal-person", "/"),
    Exhibit("enterprise", "legal-person", "/enterprise"),
    Exhibit("operator-new", "legal-person", "/enterprise/operators/new"),
    Exhibit("operator", "legal-person", FirstLink("/enterprise", "/enterprise/operators/")),
    Exhibit("enterprise-data", "legal-person", "/enterprise/data"),
    Exhibit(
        "operator-data",
        "legal-person",
        FirstLink("/enterprise", "/enterprise/operators/", "/data"),
    ),
    Exhibit("seals", OWNER, "/seals"),
    Exhibit("history", OWNER, "/enterprise/history"),
    Exhibit("import-operators", "legal-person", "/imports/operators"),
    Exhibit("import-operators-preview", "legal-person", Imported("operators", _WRONG_OPERATORS)),
    Exhibit("operator-home", "operator", "/"),
    Exhibit("sign-out", "operator", "/oidc/end-session"),
    Exhibit("report", "operator", Recorded("report", "/verify/signatures/0")),
    Exhibit("sign", "operator", "/sign"),
    Exhibit("officer-home", "registrar", "/"),
    Exhibit("queue", "registrar", "/officer/applications"),
    Exhibit(
        "review",
        "registrar",
        FirstLink("/officer/applications?state=approved", "/officer/applications/"),
    ),
    Exhibit("enterprises", "registrar", "/officer/enterprises"),
    Exhibit(
        "enterprise-file",
        "registrar",
        FirstLink("/officer/enterprises", "/officer/enterprises/"),
    ),
    Exhibit("import-enterprises", "registrar", "/imports/enterprises"),
    Exhibit("import-enterprises-preview", "registrar", Imported("enterprises", _WRONG_ENTERPRISES)),
    Exhibit("card-making", "administrator", "/admin/card-making"),
    Exhibit(
        "card-batch",
        "administrator",
        FirstLink("/admin/card-making", "/admin/card-making/import/"),
    ),
    Exhibit("branches", "administrator", "/admin/branches"),
    Exhibit("cards", "administrator", "/admin/cards"),
    Exhibit("card", "administrator", FirstLink("/admin/cards", "/cards/")),
    Exhibit("card-of-two", "administrator", Recorded("gallery-administrator", "/cards/0")),
    Exhibit("card-loss", "administrator", _living_card("/loss-report")),
    Exhibit("card-replace", "administrator", _living_card("/replacement")),
    Exhibit("officers", "administrator", "/admin/officers"),
    Exhibit("officer", "administrator", Recorded("gallery-officer", "/admin/officers/0")),
    Exhibit("officer-changes", "approver", "/admin/officer-changes"),
    Exhibit("data-changes", "registrar", "/officer/changes"),
    Exhibit("data-change", "approver", FirstLink("/officer/changes", "/officer/changes/")),
    Exhibit("recoveries", "approver", "/officer/recoveries"),
    Exhibit("mass", "administrator", "/admin/mass"),
    Exhibit("mass-file", "approver", FirstLink("/admin/mass", "/admin/mass/")),
    Exhibit("dashboard", "administrator", "/admin/dashboard"),
    Exhibit("policies", "administrator", "/admin/policies"),
    Exhibit("platforms", "administrator", "/admin/platforms"),
    Exhibit("platforms-to-confirm", "approver", "/admin/platforms"),
    Exhibit("platform-new", "administrator", "/admin/platforms/new"),
    Exhibit("platform", "administrator", FirstLink("/admin/platforms", "/admin/platforms/")),
    Exhibit(
        "platform-change",
        "administrator",
        FirstLink("/admin/platforms", "/admin/platforms/", "/change"),
    ),
    Exhibit("dead-letters", "administrator", "/admin/dead-letters"),
    Exhibit("journal", "audit-administrator", "/admin/journal"),
    Exhibit("console-acts", "audit-administrator", "/admin/console-acts"),
    Exhibit("key-centre-home", "recovery-approver", "/"),
    Exhibit("key-recoveries", "recovery-officer", "/key-centre"),
    Exhibit("key-recovery-order", "recovery-approver", _recovery("order")),
    Exhibit("key-recovery-holder", "recovery-approver", _recovery("holder")),
    Exhibit("key-order-new", "recovery-officer", "/key-centre/orders/new"),
)


NOT_PICTURED = {
    "agent.file": "a script of the pages",
    "agent_page.wheel": "a file to take away",
    "static": "a file of the pages",
    "portal.static": "a file of the pages",
    "verification.static": "a file of the pages",
    "portal.answer": "what a form led to, pictured where the form stands",
    "portal.own_paper": "a picture of a paper",
    "portal.draft_paper": "a picture of a paper",
    "portal.paper": "a picture of a paper",
    "portal.change_paper": "a picture of a paper",
    "portal.import_template": "a file to take away",
    "portal.import_faults": "a file to take away",
    "statement.text": "a file to take away",
    "key_centre_pages.evidence": "a file to take away",
    "openapi": "for programs",
    "sso.jwks": "for programs",
    "sso.userinfo": "for programs",
    "sso.session": "for programs",
    "sso.session_standing": "for the pages' script",
    "sso.validate": "for programs",
    "sso.service_validate": "for programs",
    "sso.p3_service_validate": "for programs",
    "sso.proxy": "for programs",
    "sso.proxy_validate": "for programs",
    "sso.p3_proxy_validate": "for programs",
    "own_card": "leads on to the page of the card",
    "sso.arrived": "leads on to where the visitor wanted to go",
}
"""Endpoints that answer GET outside the JSON interfaces and are no pages, and what they are."""


def seat(stage: Stage, who: str | None, fresh: bool = False) -> Service:
    """A conversation for an exhibit's visitor."""
    if who in (APPLICANT, APPROVED):
        service = stage.anonymous()
        known = stage.facts["returned" if who == APPLICANT else "approved"]
        values = {name: known[name] for name in ("reference", "access_code")}
        send_form(service, "/status", values)
        return service
    if who is not None and fresh:
        service = stage.anonymous()
        service.sign_in(stage.cards[who])
        return service
    return stage.anonymous() if who is None else stage.signed_in(who)


@contextmanager
def seated(browser: Browser, service: Service, language: str, **options: object) -> Iterator[Page]:
    """A browser's page with the sign-in session of `service`."""
    locale = {"zh": "zh-CN", "en": "en-GB"}[language]
    context: BrowserContext = browser.new_context(
        base_url=service.origin,
        locale=locale,
        reduced_motion="reduce",
        **options,  # type: ignore[arg-type]
    )
    context.add_cookies(
        [
            {"name": cookie.name, "value": cookie.value or "", "url": service.origin}
            for cookie in service.session.cookies
        ]
    )
    try:
        yield context.new_page()
    finally:
        context.close()


Until = Literal["load", "networkidle"]


def visit(
    page: Page, exhibit: Exhibit, address: str, stage: Stage, until: Until = "networkidle"
) -> None:
    """Open the exhibit's page, by its steps where it takes some, and wait until it is all there.

    `until`: "networkidle" waits for what scripts ask for as well, half a second longer.
    """
    page.goto(address, wait_until=until)
    for act in exhibit.acts:
        act(page, stage)
    if exhibit.acts:
        page.wait_for_load_state(until)
