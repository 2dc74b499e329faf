"""What visitors of the gallery do on pages: fill in forms, and what has to be true before."""

import itertools
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from playwright.sync_api import FilePayload, Page

from kernel.identifiers import uscc_check_character
from portseal.demo.licence import licence_png
from portseal.demo.signing_steps import import_declaration
from portseal.demo.stage import Stage
from tests.portseal.gallery import CLERK, OWNER, send_form
from tests.portseal.text_messages import TextMessages
from tests.servers.mail import Mailbox

Told = str | Callable[[Stage], str]
"""A value, or where it comes from."""
SUBMIT = "main form button[type=submit]"


@dataclass(frozen=True)
class Form:
    """Fills in what stands on the page, by selector, and presses a button."""

    fill: Mapping[str, Told] = field(default_factory=dict)
    choose: Mapping[str, str] = field(default_factory=dict)
    tick: tuple[str, ...] = ()
    attach: Mapping[str, Callable[[Stage], FilePayload]] = field(default_factory=dict)
    press: str = SUBMIT

    def __call__(self, page: Page, stage: Stage) -> None:
        for selector, value in self.fill.items():
            page.fill(selector, value if isinstance(value, str) else value(stage))
        for selector, option in self.choose.items():
            page.select_option(selector, option)
        for selector in self.tick:
            for box in page.locator(selector).all():
                box.check()
        for selector, file in self.attach.items():
            page.set_input_files(selector, file(stage))
        with page.expect_navigation():
            page.locator(self.press).first.click()


def opened(selector: str) -> Callable[[Page, Stage], None]:
    """What is folded away is opened."""
    return lambda page, _: page.locator(selector).first.click()


def licence(_: Stage) -> FilePayload:
    return {"name": "licence.png", "mimeType": "image/png", "buffer": licence_png()}


def prose(_: Stage) -> FilePayload:
    """A file that is nothing that anybody asked for."""
    text = "装箱单，见附件。".encode()
    return {"name": "notes.txt", "mimeType": "text/plain", "buffer": text}


def declaration(_: Stage) -> FilePayload:
    return {"name": "dec.xml", "mimeType": "application/xml", "buffer": import_declaration()}


def altered_declaration(_: Stage) -> FilePayload:
    """Another flag than the one that was signed."""
    changed = import_declaration().replace(b"<IEFlag>I<", b"<IEFlag>E<")
    return {"name": "dec.xml", "mimeType": "application/xml", "buffer": changed}


def signature(stage: Stage) -> FilePayload:
    held: bytes = stage.facts["signature"]
    return {"name": "dec.p7s", "mimeType": "application/pkcs7-signature", "buffer": held}


def fresh(stage: Stage) -> int:
    """A number that no earlier visit has used."""
    count: itertools.count[int] = stage.facts.setdefault("gallery-count", itertools.count(1))
    return next(count)


def fresh_uscc(stage: Stage) -> str:
    body = f"91330201MA2AC{fresh(stage):04d}"
    return body + uscc_check_character(body)


def fresh_employee(stage: Stage) -> str:
    return f"N-{fresh(stage):03}"


def clerk_number(stage: Stage) -> str:
    return stage.numbers[CLERK]


def text_code(stage: Stage) -> str:
    """The one-time code that came to the operator's telephone."""
    return text_messages(stage).code(stage.numbers[CLERK])


def text_messages(stage: Stage) -> TextMessages:
    return TextMessages(stage.site.directory / "sms")


MAIL_OF_APPLICATION = "customs@sample.example"
"""Of `samples.details`."""


def access_reference(stage: Stage) -> str:
    """Of an application with a telephone number and that mail address."""
    return str(stage.facts["gallery-access"]["reference"])


def access_text(stage: Stage) -> str:
    """The half that came to the telephone."""
    return text_messages(stage).code(access_reference(stage))


def access_mail(stage: Stage) -> str:
    """The half that came by mail; waited for, and taken out."""
    box: Mailbox = stage.facts["mailbox"]
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for message in list(box.received):
            text = message.get_content()
            found = re.search(r"(?<!\d)\d{4} \d{4} \d{4}(?!\d)", text)
            if access_reference(stage) in text and found:
                box.received.remove(message)
                return found[0]
        time.sleep(0.1)  # the worker sends it; nobody tells the test
    raise AssertionError("no mail about the application")


def in_use(page: Page, stage: Stage) -> None:
    """An earlier visit froze the operator's card: the enterprise takes it back into use."""
    owner, number = stage.signed_in(OWNER), stage.numbers[CLERK]
    shown = owner.call("GET", f"/api/v1/cards/{number}")
    if shown["state"] == "frozen":
        owner.move_card(number, "unfreeze", reason="展示完毕")


def codes_proposed(page: Page, stage: Stage) -> None:
    """The administrator has proposed codes for the cards of this batch."""
    path = page.url.removeprefix(stage.site.origin)
    administrator = stage.signed_in("administrator")
    text = administrator.fetch("GET", path, headers={"Accept": "text/html"}).text
    if 'value="propose"' in text:
        numbers = [part.partition('"')[0] for part in text.split('name="card" value="')[1:]]
        send_form(administrator, path, {"card": numbers, "act": "propose"}, to=path)
    page.reload(wait_until="networkidle")


def secret_proposed(page: Page, stage: Stage) -> None:
    """The administrator has proposed another client secret for the platform."""
    path = "/admin/platforms/gallery"
    send_form(stage.signed_in("administrator"), path, {}, to=f"{path}/secret")
    page.reload(wait_until="networkidle")


def token_lost(page: Page, stage: Stage) -> None:
    """The form's token against forgery is gone, as after a night."""
    page.evaluate("document.querySelectorAll('[name=csrf_token]').forEach(each => each.remove())")


def enlarged(octets: int, selector: str) -> Callable[[Page, Stage], None]:
    """A field holds more than any page sends."""

    def act(page: Page, stage: Stage) -> None:
        page.eval_on_selector(
            selector, "(field, size) => { field.value = 'x'.repeat(size); }", octets
        )

    return act
