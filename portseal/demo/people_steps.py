"""An enterprise registers, its legal person and its operator get their cards."""

from typing import Any

from portseal.demo.licence import licence_png
from portseal.demo.people import ENTERPRISE, OFFICERS, OPERATOR
from portseal.demo.stage import Stage, expect, expect_refusal
from portseal.holder.service import Service

RIGHT = "declare-import"


def appoint_officers(stage: Stage) -> str:
    """The authority's console adds officers; each enrols a USB key of his own. The audit
    administrator acknowledges what was done before there were cards."""
    for label, (name, roles) in OFFICERS.items():
        options = [option for role in roles for option in ("--role", role)]
        added = stage.site.run_json("officer", "add", name, *options)
        make_card(stage, label, added["activation_code"])
    count = acknowledge(stage)
    expect(count > len(OFFICERS) // 2, "the first acts without a card are not told")
    return (
        f"{len(OFFICERS)} officers hold cards of their own, and sign in with them alone.\n"
        f"The audit administrator acknowledged {count} acts from before there were cards, the "
        f"ceremony first."
    )


def acknowledge(stage: Stage) -> int:
    """Everything that was done at the console without a card; how many acts."""
    audit = stage.signed_in("audit-administrator")
    told = audit.call("GET", "/api/v1/console-acts")["items"]
    new = [each["id"] for each in told if not each["acknowledged"]]
    path = "/api/v1/console-acts/acknowledgements"
    return int(audit.call("POST", path, {"acts": new})["acknowledged"])


def register_enterprise(stage: Stage) -> str:
    """Application, registration by one officer, approval by another."""
    applicant = stage.anonymous()
    submitted = apply(applicant)
    stage.facts["application"] = submitted
    path = f"/api/v1/applications/{submitted['id']}"
    registrar, approver = stage.signed_in("registrar"), stage.signed_in("approver")
    registrar.call("POST", f"{path}/registration", {})
    words = expect_refusal(
        "registration.same-officer", lambda: registrar.call("POST", f"{path}/approval", {})
    )
    approved = approver.call("POST", f"{path}/approval", {})
    expect(approved["state"] == "approved", f"the application is {approved['state']}")
    return (
        f"{ENTERPRISE['name']} ({ENTERPRISE['uscc']}) applied, one officer registered it and "
        f"another approved.\nThe first was refused as approver: {words}"
    )


def make_legal_person_card(stage: Stage) -> str:
    """The approved enterprise enrols its legal-person card."""
    submitted = stage.facts["application"]
    code = stage.anonymous().call(
        "POST",
        f"/api/v1/applications/{submitted['reference']}/activation-code",
        {},
        headers={"X-PortSeal-Access-Code": submitted["access_code"]},
    )
    record = make_card(stage, "legal-person", code["activation_code"])
    return f"{_told(stage, record)}\n{_witness(stage, 'legal-person')}"


def add_operator(stage: Stage) -> str:
    """Signed in with the legal-person card, the enterprise adds an operator with a right."""
    service = stage.signed_in("legal-person")
    added = service.call("POST", "/api/v1/operators", {**OPERATOR, "rights": [RIGHT]})
    told = _told(stage, make_card(stage, "operator", added["activation_code"]))
    return f"operator {OPERATOR['name']} may {RIGHT}.\n{told}\n{_witness(stage, 'operator')}"


def apply(service: Service) -> dict[str, Any]:
    """Send the enterprise's application with its scanned licence."""
    return service.call(
        "POST",
        "/api/v1/applications",
        data=ENTERPRISE,
        files={"licence": ("licence.png", licence_png(), "image/png")},
        headers={"X-PortSeal-Request": "portseal"},
    )


def make_card(stage: Stage, label: str, activation_code: str) -> dict[str, Any]:
    """Initialise a USB key, make its key on it, fetch the certificate; the card's record."""
    card = stage.usb_keys.make(label)
    stage.cards[label] = card
    record: dict[str, Any] = stage.anonymous().enrol(card, activation_code)["card"]
    stage.numbers[label] = record["number"]
    expect(record["state"] == "active", f"the card is {record['state']}")
    expect(card.certificate.fingerprint == record["fingerprint"], "another certificate on the card")
    return record


def _witness(stage: Stage, label: str) -> str:
    """An officer at the counter notes on which USB key the card's key was made."""
    token = stage.cards[label].token
    seen = stage.signed_in("approver").call(
        "POST",
        f"/api/v1/cards/{stage.numbers[label]}/witness",
        {"token_model": token.model, "token_serial": token.serial},
    )
    expect(seen["witnessed_at"] is not None, "the witness is not recorded")
    return f"{OFFICERS['approver'][0]} witnessed it: {token.model}, serial {token.serial}."


def _told(stage: Stage, record: dict[str, Any]) -> str:
    return (
        f"card {record['number']}: key pair generated on the USB key, possession proven by "
        f"PKCS#10,\ncertificate {record['serial'][:16]}… linted, issued and written back."
    )
