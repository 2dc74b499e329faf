"""After a roll-over and a re-issue on a running service: one card, one key, two certificates."""

import json
import os
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from ca.inventory import Inventory
from kernel.asn1.certificate import Certificate
from kernel.identifiers import serial_text
from portseal.holder.card import Card
from portseal.holder.service import Service, ServiceRefusal
from portseal.sandbox.ports import free_port
from records.database import Database
from signing_service.validation.evidence import SignatureFormat
from tests.key_agent.running import running_agent
from tests.portseal.cli.conftest import Holder
from tests.portseal.cli.terminal import run
from tests.portseal.service import RunningService, Twin
from tests.servers.chromium import launch_arguments
from tests.token import softhsm_module

PIN = "84017-nXe"
SAMPLE = Path(__file__).parents[1] / "samples" / "dec-import.xml"


def states(twin: Twin, *certificates: Certificate) -> list[str]:
    """How the authority's records have them, with the reason."""
    database = Database(f"sqlite:///{twin.database_file}")
    found = [Inventory(database).by_serial(each.serial) for each in certificates]
    database.dispose()
    return [f"{each.state} {each.reason or ''}".strip() for each in found if each is not None]


def operator_s_card(twin: Twin, service: RunningService, label: str) -> tuple[Card, str]:
    """Of the first authority, and its number."""
    owner = twin.anonymous()
    owner.sign_in(service.stage.cards["legal-person"])
    wanted = {"name": "换发", "employee_number": label, "rights": ["declare-import"]}
    code = owner.call("POST", "/api/v1/operators", wanted)["activation_code"]
    card = service.stage.usb_keys.make(label)
    return card, str(twin.anonymous().enrol(card, code)["card"]["number"])


def fetched(twin: Twin, card: Card) -> None:
    variable = f"PORTSEAL_DEMO_PIN_{card.label.upper()}"
    arguments = [
        "card",
        "fetch",
        "--token",
        card.label,
        "--pin-env",
        variable,
        "--url",
        twin.origin,
    ]
    done = run([*arguments, "--json"], os.environ)
    assert done.code == 0, done.said
    assert json.loads(done.out)["fingerprint"] == card.certificate.fingerprint


def shown_as_one_card(
    twin: Twin, service: RunningService, number: str, old: Certificate, new: Certificate
) -> None:
    """Page, search and API tell both serial numbers, and which is the newest."""
    administrator = twin.anonymous()
    administrator.sign_in(service.stage.cards["administrator"])
    told = administrator.call("GET", f"/api/v1/cards/{number}")["certificates"]
    assert [(each["serial"], each["use"], each["state"], each["current"]) for each in told] == [
        (serial_text(new.serial), "signing", "good", True),
        (serial_text(old.serial), "signing", "good", False),
    ]
    page = administrator.fetch("GET", f"/cards/{number}", headers={"Accept": "text/html"}).text
    assert page.index(serial_text(new.serial)) < page.index(serial_text(old.serial))
    for serial in (old.serial, new.serial):
        address = f"/admin/cards?q={serial_text(serial).lower()}"
        found = administrator.fetch("GET", address, headers={"Accept": "text/html"}).text
        assert found.count('href="/cards/') == 1
        assert number in found


def refusal_of(service: Service, card: Card) -> str:
    with pytest.raises(ServiceRefusal) as caught:
        service.sign_in(card)
    return caught.value.code


def roll_over(service: RunningService, twin: Twin, directory: Path, **settings: str) -> Certificate:
    """New keys for the authority, and a second certificate for every card; who issues now."""
    twin.kill()
    plan = ["ceremony", "run", "roll-over", "--organization", "示例电子口岸"]
    officers = service.cards("system-administrator", "administrator")
    with twin.site.root_plugged_in() as pin:
        twin.site.run_signed(officers, *plan, "--output", str(directory / "rolled"), **pin)
    twin.serve(**settings)
    done = twin.site.run_signed_json(officers, "reissue", "issuing")
    assert (done["left"], done["refused"]) == (0, 0)
    return Certificate.parse((directory / "rolled" / "issuing-2.pem").read_bytes())


@pytest.mark.long
@pytest.mark.browser
def test_the_card_s_page_brings_the_newer_certificate_onto_the_usb_key(
    service: RunningService, twin: Twin, tmp_path: Path, chromium: Path
) -> None:
    home, port = tmp_path / "computer", free_port()
    settings = {"PORTSEAL_WEB__AGENT_PORT": str(port)}
    twin.serve(**settings)
    owner = twin.anonymous()
    owner.sign_in(service.stage.cards["legal-person"])
    wanted = {"name": "换发", "employee_number": "paged", "rights": ["declare-import"]}
    holder = Holder(home / "usb-keys", service)
    holder.environment["PORTSEAL_URL"] = twin.origin
    code = owner.call("POST", "/api/v1/operators", wanted)["activation_code"]
    number = holder.card("paged", PIN, code)["number"]

    def held() -> str:
        """The SHA-256 of the certificate on the USB key."""
        shown = holder.run_with_pin(PIN, "card", "show", "--token", "paged", "--json")
        assert shown.code == 0, shown.said
        return str(json.loads(shown.out)["fingerprint"])

    old = held()
    roll_over(service, twin, tmp_path, **settings)
    tokens = holder.environment["SOFTHSM2_CONF"]
    with (
        running_agent(home, softhsm_module(), {}, port, SOFTHSM2_CONF=tokens) as agent,
        sync_playwright() as playwright,
    ):
        agent.human.answer = lambda window: (
            {"ok": True} if window.command == "CONFIRM" else {"pin": PIN}
        )
        browser = playwright.chromium.launch(executable_path=chromium, args=launch_arguments())
        page = browser.new_context(base_url=twin.origin, locale="zh-CN").new_page()
        page.goto(f"/sso/sign-in?next=/cards/{number}")
        page.click("#agent-sign-in")
        expect(page).to_have_url(f"{twin.origin}/cards/{number}", timeout=30_000)
        section = page.locator("[data-agent-act=fetch]")
        section.locator("button").click()
        expect(section.locator("[data-after]")).to_be_visible(timeout=30_000)
        browser.close()
    owner = twin.anonymous()
    owner.sign_in(service.stage.cards["legal-person"])
    told = owner.call("GET", f"/api/v1/cards/{number}")["certificates"]
    signing = [each["fingerprint"] for each in told if each["use"] == "signing"]
    assert signing == [held(), old]


@pytest.mark.long
def test_a_card_goes_on_with_the_certificate_that_the_new_authority_made(
    service: RunningService, twin: Twin, tmp_path: Path
) -> None:
    twin.serve()
    card, number = operator_s_card(twin, service, "reissued")
    renewed, _ = operator_s_card(twin, service, "renewed")
    old, before = card.certificate, renewed.certificate
    fetched(twin, card)
    assert card.certificate == old
    above = roll_over(service, twin, tmp_path)

    fetched(twin, card)

    new = card.certificate
    shown_as_one_card(twin, service, number, old, new)
    assert new.is_signed_by(above)
    assert (new.spki, new.subject_der) == (old.spki, old.subject_der)
    operator = twin.anonymous()
    operator.sign_in(card)
    assert operator.call("GET", "/sso/session")["card"] == number
    signed = operator.sign(card, SAMPLE.read_bytes(), SignatureFormat.CADES)
    assert signed.indication == "TOTAL-PASSED"
    report = twin.anonymous().verify(SAMPLE.read_bytes(), signed.signature)
    assert report["signatures"][0]["finding"]["indication"] == "TOTAL-PASSED"

    owner = twin.anonymous()
    owner.sign_in(service.stage.cards["legal-person"])
    owner.move_card(number, "freeze", reason="on leave")
    assert states(twin, old, new) == ["revoked certificateHold"] * 2
    assert refusal_of(twin.anonymous(), card) == "signin.frozen"
    owner.move_card(number, "unfreeze", reason="back")
    assert states(twin, old, new) == ["issued"] * 2
    twin.anonymous().sign_in(card)

    owner.revoke(number, "privilegeWithdrawn")
    assert states(twin, old, new) == ["revoked privilegeWithdrawn"] * 2
    assert refusal_of(twin.anonymous(), card) == "signin.revoked"
    with pytest.raises(ServiceRefusal, match=r"card\.unknown"):
        twin.anonymous().fetch_certificate(card)

    fetched(twin, renewed)
    after = renewed.certificate
    holder = twin.anonymous()
    holder.sign_in(renewed)
    holder.renew(renewed)
    assert states(twin, before, after) == ["revoked superseded"] * 2
    assert renewed.certificate.is_signed_by(above)
    twin.anonymous().sign_in(renewed)
