"""Every page of the portal that a person can look at, and a browser that is signed in for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, BrowserContext, Page

from portseal.holder.service import Service

Resolve = Callable[[Service], str]
"""Finds the address of a page that depends on what is in the register."""


@dataclass(frozen=True)
class Exhibit:
    """One page."""

    name: str
    """Of its pictures."""
    who: str | None
    """Label of the USB key that is signed in; None: nobody is."""
    where: str | Resolve

    def address(self, service: Service) -> str:
        return self.where if isinstance(self.where, str) else self.where(service)


def _first_link(page: str, prefix: str) -> Resolve:
    """The first address on `page` that begins with `prefix` and goes on with an identifier."""

    def resolve(service: Service) -> str:
        text = service.fetch("GET", page, headers={"Accept": "text/html"}).text
        for part in text.split('href="')[1:]:
            address = part.partition('"')[0]
            if address.startswith(prefix) and not address.endswith(("/new", "/import")):
                return address
        raise LookupError(f"no link to {prefix} on {page}")

    return resolve


def _recovery(ground: str) -> Resolve:
    return _first_link(f"/key-centre?ground={ground}", "/key-centre/recoveries/")


EXHIBITS = (
    Exhibit("home", None, "/"),
    Exhibit("apply", None, "/apply"),
    Exhibit("draft-continue", None, "/apply/continue"),
    Exhibit("status", None, "/status"),
    Exhibit("lost", None, "/lost"),
    Exhibit("recover", None, "/recover"),
    Exhibit("sign-in", None, "/sso/sign-in?next=/"),
    Exhibit("verify", None, "/verify"),
    Exhibit("not-found", None, "/nowhere"),
    Exhibit("enterprise-home", "legal-person", "/"),
    Exhibit("enterprise", "legal-person", "/enterprise"),
    Exhibit("operator-new", "legal-person", "/enterprise/operators/new"),
    Exhibit("operator", "legal-person", _first_link("/enterprise", "/enterprise/operators/")),
    Exhibit("enterprise-data", "legal-person", "/enterprise/data"),
    Exhibit("seals", "legal-person", "/seals"),
    Exhibit("history", "legal-person", "/enterprise/history"),
    Exhibit("import-operators", "legal-person", "/imports/operators"),
    Exhibit("operator-home", "operator", "/"),
    Exhibit("sign", "operator", "/sign"),
    Exhibit("officer-home", "registrar", "/"),
    Exhibit("queue", "registrar", "/officer/applications"),
    Exhibit(
        "review",
        "registrar",
        _first_link("/officer/applications?state=", "/officer/applications/"),
    ),
    Exhibit("enterprises", "registrar", "/officer/enterprises"),
    Exhibit(
        "enterprise-file",
        "registrar",
        _first_link("/officer/enterprises", "/officer/enterprises/"),
    ),
    Exhibit("import-enterprises", "registrar", "/imports/enterprises"),
    Exhibit("branches", "administrator", "/admin/branches"),
    Exhibit("cards", "administrator", "/admin/cards"),
    Exhibit("card", "administrator", _first_link("/admin/cards", "/cards/")),
    Exhibit("officers", "administrator", "/admin/officers"),
    Exhibit("data-changes", "registrar", "/officer/changes"),
    Exhibit("recoveries", "approver", "/officer/recoveries"),
    Exhibit("mass", "administrator", "/admin/mass"),
    Exhibit("dashboard", "administrator", "/admin/dashboard"),
    Exhibit("policies", "administrator", "/admin/policies"),
    Exhibit("platforms", "administrator", "/admin/platforms"),
    Exhibit("platform-new", "administrator", "/admin/platforms/new"),
    Exhibit("dead-letters", "administrator", "/admin/dead-letters"),
    Exhibit("journal", "administrator", "/admin/journal"),
    Exhibit("key-centre-home", "recovery-approver", "/"),
    Exhibit("key-recoveries", "recovery-officer", "/key-centre"),
    Exhibit("key-recovery-order", "recovery-approver", _recovery("order")),
    Exhibit("key-recovery-holder", "recovery-approver", _recovery("holder")),
    Exhibit("key-order-new", "recovery-officer", "/key-centre/orders/new"),
)


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
