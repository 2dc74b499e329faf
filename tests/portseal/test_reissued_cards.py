"""After a roll-over and a re-issue on a running service: one card, one key, two certificates."""

import json
import os
from pathlib import Path

import pytest

from ca.inventory import Inventory
from kernel.asn1.certificate import Certificate
from kernel.identifiers import serial_text
from portseal.holder.card import Card
from portseal.holder.service import Service, ServiceRefusal
from records.database import Database
from signing_service.validation.evidence import SignatureFormat
from tests.portseal.cli.terminal import run
from tests.portseal.service import RunningService, Twin

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


def test_a_card_goes_on_with_the_certificate_that_the_new_authority_made(
    service: RunningService, twin: Twin, tmp_path: Path
) -> None:
    twin.serve()
    card, number = operator_s_card(twin, service, "reissued")
    renewed, _ = operator_s_card(twin, service, "renewed")
    old, before = card.certificate, renewed.certificate
    fetched(twin, card)
    assert card.certificate == old
    twin.kill()
    plan = ["ceremony", "run", "roll-over", "--organization", "示例电子口岸"]
    twin.site.run(*plan, "--output", str(tmp_path / "rolled"))
    twin.serve()
    done = twin.site.run_json("reissue", "issuing")
    assert (done["left"], done["refused"]) == (0, 0)

    fetched(twin, card)

    new = card.certificate
    shown_as_one_card(twin, service, number, old, new)
    above = Certificate.parse((tmp_path / "rolled" / "issuing-2.pem").read_bytes())
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
    assert refusal_of(twin.anonymous(), card) == "signin.revoked"
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
