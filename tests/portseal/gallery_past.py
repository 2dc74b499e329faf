"""What has happened before the gallery opens, so that every page has something to show. Each step
is done once, whoever asks for it."""

import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from kernel.refusals import Refusal
from portseal.demo.licence import licence_png
from portseal.demo.people import ENTERPRISE
from portseal.demo.people_steps import make_card
from portseal.demo.signin_steps import register_platform
from portseal.demo.signing_steps import import_declaration
from portseal.demo.stage import Stage
from signing_service.validation.evidence import SignatureFormat
from tests.portseal.gallery import CLERK, OWNER, send_form
from tests.portseal.gallery_faults import start_failing
from tests.portseal.service import people_more, recoveries_wait, recovery_of
from tests.ra_portal import samples

_REMARKS = {"name": "differs-from-licence", "licence": "licence-illegible"}


def everything_to_see(stage: Stage) -> str:
    """Every step that was not done yet."""
    people_more(stage)
    recoveries_wait(stage)
    steps: dict[str, Callable[[Stage], object]] = {
        "applied": lambda stage: _applied(stage, 904, "宁波待审核样本贸易有限公司"),
        "gallery-access": lambda stage: _applied(stage, 905, "宁波查询码样本贸易有限公司"),
        "returned": _application_returned,
        "approved": _application_approved,
        "gallery-enterprise": _enterprise_of_its_own,
        "gallery-change": _change_proposed,
        "gallery-recovery": _recovery_asked,
        "gallery-seal": _seals_asked,
        "report": _declaration_signed,
        "platform": _platform_registered,
        "gallery-platform-change": _platform_change_proposed,
        "gallery-sign-ins": _signed_in_at_a_platform_and_refused,
        "imported": _import_approved,
        "mass": _mass_action_proposed,
        "gallery-officer": _officer_to_change,
        "gallery-administrator": _second_administrator,
    }
    if "fault-500" not in stage.facts:
        for status, address in start_failing().items():
            stage.facts[f"fault-{status}"] = address
    for fact, step in steps.items():
        if fact not in stage.facts:
            stage.facts[fact] = step(stage)
    return "whatever a page lists or shows has something in it"


def _applied(stage: Stage, number: int, name: str) -> dict[str, Any]:
    details = samples.details(number, name=name)
    return stage.anonymous().call(
        "POST",
        "/api/v1/applications",
        data=details,
        files={"licence": ("licence.png", licence_png(details), "image/png")},
        headers={"X-PortSeal-Request": "portseal"},
    )


def _application_approved(stage: Stage) -> object:
    """Its legal-person card can be made."""
    made = _applied(stage, 902, "宁波待制卡样本贸易有限公司")
    for officer, step in (("registrar", "registration"), ("approver", "approval")):
        stage.signed_in(officer).call("POST", f"/api/v1/applications/{made['id']}/{step}", {})
    return made


def _enterprise_of_its_own(stage: Stage) -> object:
    """For what would be in other tests' way: a legal person and an operator with cards, two more
    whose cards are still to be made, a change of data and a recovery that wait, two seals."""
    made = _applied(stage, 903, "宁波展厅样本贸易有限公司")
    for officer, step in (("registrar", "registration"), ("approver", "approval")):
        stage.signed_in(officer).call("POST", f"/api/v1/applications/{made['id']}/{step}", {})
    path = f"/api/v1/applications/{made['reference']}/activation-code"
    access = {"X-PortSeal-Access-Code": made["access_code"]}
    code = stage.anonymous().call("POST", path, {}, headers=access)["activation_code"]
    make_card(stage, OWNER, code)
    owner = stage.signed_in(OWNER)
    added = [
        owner.call(
            "POST",
            "/api/v1/operators",
            {"name": name, "employee_number": f"G-{number}", "rights": ["declare-import"]},
        )
        for number, name in ((51, "李样例"), (52, "赵样例"), (53, "钱样例"))
    ]
    make_card(stage, CLERK, added[0]["activation_code"])
    for number in (stage.numbers[OWNER], stage.numbers[CLERK]):
        values = {"phone": "+8613900000000", "email": "card@sample.example"}
        send_form(owner, f"/cards/{number}", values, to=f"/cards/{number}/contact")
    return made


def _change_proposed(stage: Stage) -> object:
    """The enterprise wants another region and legal representative in the register; a change that
    it proposed before was refused."""
    owner, officer = stage.signed_in(OWNER), stage.signed_in("approver")
    send_form(owner, "/enterprise/data", {"region": "浙江 舟山", "why": "迁址"})
    waiting = officer.call("GET", "/api/v1/data-changes")["changes"]
    (first,) = (each["id"] for each in waiting if each["changes"] == {"region": "浙江 舟山"})
    refusal = {"remarks": {"licence": "licence-missing"}, "reasons": "请附迁址后的营业执照。"}
    officer.call("POST", f"/api/v1/data-changes/{first}/refusal", refusal)
    values = {
        "region": "浙江 宁波 北仑", "legal_representative": "周样例", "why": "迁址并变更法定代表人",
    }  # fmt: skip
    scan = licence_png(samples.details(903, name="宁波展厅样本贸易有限公司") | values)
    licence = {"licence": ("licence.png", scan, "image/png")}
    led_to = send_form(owner, "/enterprise/data", values, licence)
    return owner.fetch("GET", led_to, headers={"Accept": "text/html"}).url  # reads what was done


def _recovery_asked(stage: Stage) -> object:
    """The legal person's card is locked, it says."""
    body = {"uscc": samples.uscc(903), "reason": "PIN 输错被锁定"}
    stage.anonymous().call("POST", "/api/v1/recoveries", body)
    return recovery_of(stage.signed_in("approver"), stage.numbers[OWNER])["id"]


def _seals_asked(stage: Stage) -> object:
    """The number of a seal in use; another one is asked for."""
    owner, officer = stage.signed_in(OWNER), stage.signed_in("approver")
    number = owner.call("POST", "/api/v1/seals", {"name": "报关专用章"})["number"]
    officer.call("POST", f"/api/v1/seals/{number}/approval", {})
    owner.call("POST", "/api/v1/seals", {"name": "合同专用章"})
    return number


def _application_returned(stage: Stage) -> object:
    """Sent back with reasons for two fields and in words."""
    made = _applied(stage, 901, "宁波退单样本贸易有限公司")
    body = {"reasons": "请按营业执照填写企业名称，并重新扫描执照。", "remarks": _REMARKS}
    officer = stage.signed_in("registrar")
    officer.call("POST", f"/api/v1/applications/{made['id']}/return", body)
    return made


def _declaration_signed(stage: Stage) -> object:
    """The address of the report that anybody may read."""
    service, card = stage.signed_in("operator"), stage.cards["operator"]
    signed = service.sign(card, import_declaration(), SignatureFormat.CADES)
    stage.facts["signature"] = signed.signature
    return f"/verify/signatures/{signed.id}"


def _platform_registered(stage: Stage) -> object:
    return register_platform(
        stage, "示例报关平台", "--client-id", "gallery", "--redirect-uri",
        "https://platform.example/callback", "--cas-service", "https://platform.example/cas",
        "--remote-signing",
    )  # fmt: skip


def _platform_change_proposed(stage: Stage) -> object:
    """Of another platform: one more address, another claim; nobody confirms it."""
    terms = {
        "name": "示例核注平台",
        "redirect_uris": ["https://ledger.example/callback"],
        "permitted_by": "示例主管司",
        "evidence": "示例〔2026〕7号",
        "claims": ["name", "urn:portseal:rights"],
    }
    administrator, approver = stage.signed_in("administrator"), stage.signed_in("approver")
    path = "/api/v1/platforms"
    made = administrator.call("POST", f"{path}/proposals", {**terms, "client_id": "ledger"})
    approver.call("POST", f"{path}/proposals/{made['id']}/confirmation", {})
    terms["redirect_uris"] = ["https://ledger.example/callback", "https://m.ledger.example/back"]
    terms["claims"] = ["name", "urn:portseal:card"]
    return administrator.call("POST", f"{path}/ledger/change", terms)["id"]


def _signed_in_at_a_platform_and_refused(stage: Stage) -> object:
    """The gallery's operator opens a platform over CAS, and tries once more while frozen."""
    number, owner = stage.numbers[CLERK], stage.signed_in(OWNER)
    browser, asked = stage.anonymous(), {"service": "https://platform.example/cas"}
    browser.sign_in(stage.cards[CLERK])
    there = browser.fetch("GET", "/cas/login?" + urlencode(asked)).headers["Location"]
    asked["ticket"] = parse_qs(urlsplit(there).query)["ticket"][0]
    stage.anonymous().fetch("GET", "/cas/p3/serviceValidate?" + urlencode(asked))
    owner.move_card(number, "freeze", reason="暂时离岗")
    with suppress(Refusal):
        stage.anonymous().sign_in(stage.cards[CLERK])
    owner.move_card(number, "unfreeze", reason="返岗")
    stage.sessions.pop(CLERK, None)  # it ended with the freezing
    return number


def _mass_action_proposed(stage: Stage) -> object:
    """The operators' cards of the demonstration's enterprise, to be frozen; nobody confirms it."""
    wanted = {"act": "freeze", "uscc": ENTERPRISE["uscc"], "kind": "operator", "reason": "疑似泄露"}
    return stage.signed_in("administrator").call("POST", "/api/v1/mass-actions", wanted)["id"]


def _officer_to_change(stage: Stage) -> object:
    """The page of a registrar who shall become an approver; nobody confirms it."""
    administrator = stage.signed_in("administrator")
    wanted = {"name": "周登记样例", "roles": ["registrar"]}
    officer = administrator.call("POST", "/api/v1/officers", wanted)["officer"]["id"]
    change = {"roles": ["registrar", "approver"], "reason": "兼任审核"}
    administrator.call("POST", f"/api/v1/officers/{officer}/changes", change)
    return f"/admin/officers/{officer}"


def _second_administrator(stage: Stage) -> object:
    """The page of a card that the other administrator does not end alone."""
    administrator, approver = stage.signed_in("administrator"), stage.signed_in("approver")
    wanted = {"name": "钱管理样例", "roles": ["administrator"]}
    number = administrator.call("POST", "/api/v1/officers", wanted)["card"]["number"]
    confirmed = approver.call("POST", f"/api/v1/cards/{number}/activation-code/confirmation", {})
    make_card(stage, "gallery-administrator", confirmed["activation_code"])
    return f"/cards/{number}"


def _import_approved(stage: Stage) -> object:
    """Two enterprises of one import, whose legal-person cards are to be made."""
    rows = ["企业名称,统一社会信用代码,海关注册编码,法定代表人,所在地区"]
    for number in (911, 912):
        name, code = f"宁波导入样本{number}贸易有限公司", f"33029{number:05d}"
        rows.append(f"{name},{samples.uscc(number)},{code},王样例,浙江 宁波")
    registrar, approver = stage.signed_in("registrar"), stage.signed_in("approver")
    file = {"file": ("enterprises.csv", "\n".join(rows).encode(), "text/csv")}
    preview = send_form(registrar, "/imports/enterprises", {}, file)
    led_to = send_form(registrar, preview, {}, to=f"{preview}/confirmation")
    registrar.fetch("GET", led_to, headers={"Accept": "text/html"})  # reads what was done
    queue = "/officer/applications?state=registered&q=" + quote("宁波导入样本")
    waiting = approver.fetch("GET", queue, headers={"Accept": "text/html"}).text
    for identifier in set(re.findall(r'href="/officer/applications/([0-9a-f]{32})"', waiting)):
        approver.call("POST", f"/api/v1/applications/{identifier}/approval", {})
    return preview
