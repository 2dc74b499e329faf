"""What has happened before the gallery opens, so that every page has something to show. Each step
is done once, whoever asks for it."""

import re
from collections.abc import Callable
from urllib.parse import quote

from portseal.demo.people import ENTERPRISE, licence_png
from portseal.demo.signin_steps import register_platform
from portseal.demo.signing_steps import import_declaration
from portseal.demo.stage import Stage
from signing_service.validation.evidence import SignatureFormat
from tests.portseal.gallery import send_form
from tests.portseal.service import recoveries_wait
from tests.ra_portal import samples

_REMARKS = {"name": "differs-from-licence", "licence": "licence-illegible"}


def everything_to_see(stage: Stage) -> str:
    """Every step that was not done yet."""
    recoveries_wait(stage)
    steps: dict[str, Callable[[Stage], object]] = {
        "returned": _application_returned,
        "report": _declaration_signed,
        "platform": _platform_registered,
        "imported": _import_approved,
        "mass": _mass_action_proposed,
    }
    for fact, step in steps.items():
        if fact not in stage.facts:
            stage.facts[fact] = step(stage)
    return (
        "an application came back, a declaration is signed; a platform, an import and a mass "
        "action are known"
    )


def _application_returned(stage: Stage) -> object:
    """Sent back with reasons for two fields and in words."""
    made = stage.anonymous().call(
        "POST",
        "/api/v1/applications",
        data=samples.details(901, name="宁波退单样本贸易有限公司"),
        files={"licence": ("licence.png", licence_png(), "image/png")},
        headers={"X-PortSeal-Request": "portseal"},
    )
    body = {"reasons": "请按营业执照填写企业名称，并重新扫描执照。", "remarks": _REMARKS}
    officer = stage.signed_in("registrar")
    officer.call("POST", f"/api/v1/applications/{made['id']}/return", body)
    return made


def _declaration_signed(stage: Stage) -> object:
    """The address of the report that anybody may read."""
    service, card = stage.signed_in("operator"), stage.cards["operator"]
    signed = service.sign(card, import_declaration(), SignatureFormat.CADES)
    return f"/verify/signatures/{signed.id}"


def _platform_registered(stage: Stage) -> object:
    return register_platform(
        stage, "示例报关平台", "--client-id", "gallery", "--redirect-uri",
        "https://platform.example/callback",
    )  # fmt: skip


def _mass_action_proposed(stage: Stage) -> object:
    """The operators' cards of the demonstration's enterprise, to be frozen; nobody confirms it."""
    wanted = {"act": "freeze", "uscc": ENTERPRISE["uscc"], "kind": "operator", "reason": "疑似泄露"}
    return stage.signed_in("administrator").call("POST", "/api/v1/mass-actions", wanted)["id"]


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
