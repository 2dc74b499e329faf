"""The pages of the centre's officers: what waits, on what evidence, decided by another one."""

import io
import zipfile
from dataclasses import replace
from datetime import timedelta

import pytest

from ca.inventory import RevocationReason
from kernel.asn1.certificate import Certificate
from kernel.asn1.key_envelope import KeyEnvelope, transport_key_identifier
from kernel.identifiers import serial_text
from key_centre import recovery_rows
from key_centre.recovery import RecoveryState
from key_centre.recovery_rows import PAGE
from ra_portal.people.identity import Role
from records.database import new_id
from tests.key_centre.test_recoveries import ORDER, approver, escrowed, opener, order
from tests.key_centre.web import Desk
from tests.key_centre.world import OTHER_TRANSPORT, TRANSPORT, CentreWorld

HOME = "/key-centre"


def test_an_order_is_recorded_approved_by_another_and_its_key_fetched(centre: CentreWorld) -> None:
    serial = escrowed(centre, centre.operator())
    desk, first, second = Desk(centre), opener(centre), approver(centre)
    browser = desk.take(first)
    fields = {
        "serial": serial_text(serial),
        "number": "2026-17",
        "issued_by": "宁波市中级人民法院",
        "reason": "调取证据",
    }
    transport = OTHER_TRANSPORT.public_key
    files = {"transport_key": (io.BytesIO(transport.spki), "key.der")}
    lacking = browser.send(f"{HOME}/orders/new", {**fields, **files})
    assert lacking.status_code == 422
    assert "key-recovery.evidence" in lacking.text
    assert "2026-17" in lacking.text, "what was typed is kept"
    files = {
        "transport_key": (io.BytesIO(transport.spki), "key.der"),
        "evidence": (io.BytesIO(ORDER), "order.pdf"),
    }
    recorded = browser.send(f"{HOME}/orders/new", {**fields, **files})
    assert recorded.status_code == 200
    address = recorded.request.path

    page = browser.text(address)
    assert "宁波市中级人民法院" in page
    assert "Another officer decides than who asked" in page
    assert "/decision" not in page
    early = browser.client.post(f"{address}/delivery", headers=browser.headers)
    assert early.status_code == 400, "no form token"

    browser = desk.take(second)
    assert address in browser.text(HOME)
    page = browser.text(address)
    assert first.name in page
    assert transport.fingerprint not in page, "the approver brings it"
    evidence = browser.get(f"{address}/order.pdf")
    assert evidence.data == ORDER
    assert evidence.headers["Content-Disposition"].startswith("attachment")
    decision = {"decision": "approve", "reason": "命令已核实"}
    for told in ("", "0" * 64):
        wrong = browser.send(
            address, {**decision, "transport_key_sha256": told}, f"{address}/decision"
        )
        assert wrong.status_code == 422
        assert "命令已核实" in wrong.text
    assert centre.centre.recoveries.state(address[-32:]).state is RecoveryState.REQUESTED
    named = {"transport_key_sha256": f" {transport.fingerprint.upper()} "}
    approved = browser.send(address, {**decision, **named}, f"{address}/decision")
    assert (approved.status_code, approved.request.path) == (200, address)
    assert f"{address}/delivery" not in browser.text(address), "the approver does not fetch"

    browser = desk.take(first)
    fetched = browser.send(address, {}, f"{address}/delivery")
    held = zipfile.ZipFile(io.BytesIO(fetched.data))
    assert Certificate.parse(held.read("certificate.pem")).serial == serial
    envelope = KeyEnvelope.decode(held.read("envelope.p7m"))
    assert envelope.recipient == transport_key_identifier(transport)
    page = browser.text(address)
    for step in ("Asked for", "Approved", "Key handed out, sealed", second.name, "1 time"):
        assert step in page


def test_a_holder_s_request_shows_the_card_that_signed_it(centre: CentreWorld) -> None:
    holder = centre.operator()
    serial = escrowed(centre, holder)
    asked = centre.centre.recoveries.request(
        serial, holder.asks_for(TRANSPORT.public_key, recovers=serial), "<b>旧合同</b>"
    )
    address = f"{HOME}/recoveries/{asked.id}"
    desk, second = Desk(centre), approver(centre)
    page = desk.take(second).text(address)
    assert serial_text(holder.signing.serial) in page
    assert holder.card.number in page
    assert "&lt;b&gt;旧合同" in page
    assert "Fingerprint of the transport key" not in page, "the card vouched for it"
    administrator = centre.officer(Role.ADMINISTRATOR)
    centre.portal.services.cards.revoke(
        administrator, holder.card.number, RevocationReason.KEY_COMPROMISE
    )
    assert "not good any more" in desk.take(second).text(address)
    refused = desk.browser.send(
        address, {"decision": "refuse", "reason": "卡已挂失"}, f"{address}/decision"
    )
    assert (refused.status_code, refused.request.path) == (200, address)
    page = desk.browser.text(address)
    assert "卡已挂失" in page
    assert "/decision" not in page
    other = order(centre, opener(centre), serial)
    form = f"{HOME}/recoveries/{other.id}"
    again = desk.browser.send(form, {"decision": "approve", "reason": "x"}, f"{address}/decision")
    assert again.status_code == 409
    assert "key-recovery.state" in again.text


def test_the_pages_are_for_the_roles_of_the_centre_alone(centre: CentreWorld) -> None:
    made = order(centre, opener(centre), escrowed(centre, centre.operator()))
    desk = Desk(centre)
    paths = (
        HOME, f"{HOME}/recoveries/{made.id}", f"{HOME}/recoveries/{made.id}/order.pdf",
        f"{HOME}/orders/new",
    )  # fmt: skip
    for roles in ((Role.ADMINISTRATOR,), (Role.APPROVER, Role.REGISTRAR), (Role.AUDITOR,)):
        browser = desk.take(centre.officer(*roles))
        assert f'href="{HOME}"' not in browser.text("/")
        assert [browser.get(path).status_code for path in paths] == [403] * 4
    owner = desk.take(centre.enterprise(7))
    assert [owner.get(path).status_code for path in paths] == [403] * 4
    for path in paths:
        answer = desk.take(None).get(path)
        assert (answer.status_code, answer.location) == (302, f"/sso/sign-in?next={path}")
    browser = desk.take(approver(centre))
    assert f'href="{HOME}"' in browser.text("/")
    assert f'href="{HOME}/orders/new"' not in browser.text("/")
    assert [browser.get(path).status_code for path in paths] == [200, 200, 200, 403]
    assert desk.take(opener(centre)).get(paths[3]).status_code == 200


@pytest.mark.parametrize("state", [RecoveryState.REQUESTED, RecoveryState.REFUSED])
def test_every_recovery_stands_on_one_page_of_the_list(
    any_centre: CentreWorld, state: RecoveryState
) -> None:
    """Those that wait oldest first, the decided ones newest first; some came in one moment."""
    centre = any_centre
    by = opener(centre)
    first = order(centre, by, escrowed(centre, centre.operator()))
    made = [first] if state is RecoveryState.REQUESTED else []
    with centre.portal.authority.database.transaction() as connection:
        for number in range(2 * PAGE + 3):
            at = first.requested_at + timedelta(seconds=number // 2)
            made.append(replace(first, id=new_id(), requested_at=at, state=state))
            recovery_rows.add(connection, made[-1], ORDER)
    made.sort(key=lambda each: (each.requested_at, each.id))
    if state is not RecoveryState.REQUESTED:
        made.reverse()
    browser = Desk(centre)
    text, seen = browser.take(by).text(f"{HOME}?state={state}"), list[str]()
    for _ in range(3):
        seen += [part[:32] for part in text.split('href="/key-centre/recoveries/')[1:]]
        following = text.partition('rel="next" href="')[2].partition('"')[0]
        if following:
            text = browser.browser.text(following.replace("&amp;", "&"))
    assert following == ""
    assert seen == [each.id for each in made]


def test_recoveries_are_found_by_whole_numbers(any_centre: CentreWorld) -> None:
    centre = any_centre
    holder = centre.operator()
    serial = escrowed(centre, holder)
    by = opener(centre)
    made = order(centre, by, serial)
    browser = Desk(centre).take(by)
    for text in (made.id, "2026-02-0017", holder.card.number, serial_text(serial).lower()):
        assert f"/recoveries/{made.id}" in browser.text(f"{HOME}?state=&q={text}")
    for text in ("2026-02", "%25", "%00", "%E2%80%AE", "'--"):
        assert "No recovery matches" in browser.text(f"{HOME}?state=&q={text}")
    assert browser.get(f"{HOME}?state=lost").status_code == 400
    for unknown in ("x", "%00", "0" * 32):
        assert browser.get(f"{HOME}/recoveries/{unknown}").status_code == 404
        assert browser.get(f"{HOME}?after={unknown}").status_code == 404


def test_the_number_of_keys_in_escrow_is_told(centre: CentreWorld) -> None:
    by = opener(centre)
    browser = Desk(centre).take(by)
    assert "<dt>Keys in escrow</dt><dd>0</dd>" in browser.text(HOME)
    owner = centre.enterprise()
    for number in range(3):
        escrowed(centre, centre.operator(owner, number=f"E-{number}"))
    assert "<dd>0</dd>" in browser.text(HOME), "counted once a minute"
    centre.portal.authority.clock.advance(timedelta(minutes=1))
    assert "<dt>Keys in escrow</dt><dd>3</dd>" in browser.text(HOME)
