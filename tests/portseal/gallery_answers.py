"""Pages that no address alone shows: the answer to a form, and refusals."""

import base64
import hashlib
import json
from dataclasses import dataclass
from urllib.parse import urlencode

from portseal.holder.service import Service
from tests.portseal.gallery import (
    APPLICANT,
    APPROVED,
    EXHIBITS,
    OWNER,
    Exhibit,
    Facts,
    FirstLink,
    Recorded,
)
from tests.portseal.gallery_acts import (
    MAIL_OF_APPLICATION,
    SUBMIT,
    Form,
    Told,
    access_mail,
    access_reference,
    access_text,
    altered_declaration,
    clerk_number,
    codes_proposed,
    declaration,
    enlarged,
    fresh_employee,
    fresh_uscc,
    in_use,
    licence,
    opened,
    prose,
    secret_proposed,
    signature,
    text_code,
    token_lost,
)
from tests.ra_portal.samples import identity_number

_CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(b"v" * 43).digest()).rstrip(b"=").decode()
_CALLBACK = "https://platform.example/callback"
_PLATFORM = {
    "response_type": "code",
    "client_id": "gallery",
    "redirect_uri": _CALLBACK,
    "state": "s-1",
    "code_challenge": _CHALLENGE,
    "code_challenge_method": "S256",
}
_ACT = [{"type": "urn:portseal:act", "act": "撤销报关单 310120261129", "reference": "DEC-7"}]
_CONSENT = "/csc/v2/oauth2/authorize"


def _asked(path: str, **more: str) -> str:
    return f"{path}?{urlencode({**_PLATFORM, **more})}"


@dataclass(frozen=True)
class SealAsked:
    """A platform asks to seal two documents; or, without any, to see the seals."""

    sample: str = _CONSENT

    def __call__(self, service: Service, facts: Facts) -> str:
        digests = [hashlib.sha256(each).digest() for each in (b"bill of lading", b"invoice")]
        return _asked(
            _CONSENT,
            scope="credential",
            credentialID=str(facts["gallery-seal"]),
            numSignatures="2",
            hashes=",".join(base64.b64encode(each).decode() for each in digests),
            hashAlgorithmOID="2.16.840.1.101.3.4.2.1",
            description="提单 COSU6123 及其商业发票",
        )


@dataclass(frozen=True)
class OperatorsBatch:
    """The operators' cards of the gallery's own enterprise, to be made together."""

    sample: str = "/admin/card-making/enterprise/0"

    def __call__(self, service: Service, facts: Facts) -> str:
        found = FirstLink("/officer/enterprises?q=宁波展厅", "/officer/enterprises/")
        address = found(service, facts)
        return address.replace("/officer/enterprises", "/admin/card-making/enterprise")


_APPLICATION: dict[str, Told] = {
    "#name": "宁波新申请样本贸易有限公司",
    "#uscc": fresh_uscc,
    "#customs_code": "3302900904",
    "#region": "浙江 宁波",
    "#legal_representative": "王样例",
}
_HAND_IN = f"{SUBMIT}:not([formaction])"
_ASK_IN_VAIN = Form({"#card": "OP-2026-22222222"})
_ACCESS_IN_VAIN = Form({"#reference": "AP-2026-22222222", "#contact": MAIL_OF_APPLICATION})
_ACCESS = Form({"#reference": access_reference, "#contact": MAIL_OF_APPLICATION})
_ASK_FREEZE = Form(
    {"#card": clerk_number},
    tick=("[name=purpose][value=freeze]", "[name=channel][value=sms]"),
)

_PUBLIC = (
    Exhibit(
        "handed-in", None, "/apply",
        (Form(_APPLICATION, attach={"#licence": licence}, press=_HAND_IN),),
    ),
    Exhibit(
        "apply-refused", None, "/apply",
        (Form({**_APPLICATION, "#uscc": "91330201MA2AC000", "#customs_code": "33O29"},
              attach={"#licence": prose}, press=_HAND_IN),),
    ),
    Exhibit(
        "draft-code", None, "/apply",
        (Form({"#name": "宁波新申请样本贸易有限公司"}, press="button[formaction$='/apply/draft']"),
         Form(press="form[action$='/apply/draft/code'] button")),
    ),
    Exhibit(
        "draft-refused", None, "/apply/continue", (Form({"#code": "2222-3333-4444-5555-6666"}),)
    ),
    Exhibit(
        "status-refused", None, "/status",
        (Form({"#reference": "AP-2026-22222222", "#access_code": "2222-3333-4444"}),),
    ),
    Exhibit("reference-refused", None, "/status/reference", (Form({"#uscc": "91330201MA2AC000"}),)),
    Exhibit("access-refused", None, "/status/access-code", (Form({"#contact": "3 号楼"}),)),
    Exhibit("access-codes", None, "/status/access-code", (_ACCESS_IN_VAIN,),
            arrives="/status/access-code/codes"),
    Exhibit("access-codes-refused", None, "/status/access-code",
            (_ACCESS_IN_VAIN, Form({"#sms": "123456789012", "#mail": "123456789012"}))),
    Exhibit("access-renewed", None, "/status/access-code",
            (_ACCESS, Form({"#sms": access_text, "#mail": access_mail}))),
    Exhibit("application-code", APPROVED, "/application",
            (Form(press="form[action$='/activation-code'] button"),)),
    Exhibit("correction-refused", APPLICANT, "/application/correction",
            (Form({"#name": "", "#uscc": "91330201MA2AC000"}),)),
    Exhibit("lost-refused", None, "/lost", (Form(),)),
    Exhibit("lost-code", None, "/lost", (_ASK_IN_VAIN,), arrives="/lost/code"),
    Exhibit("lost-code-refused", None, "/lost", (_ASK_IN_VAIN, Form({"#code": "12345678"}))),
    Exhibit("lost-done", None, "/lost", (in_use, _ASK_FREEZE, Form({"#code": text_code})),
            arrives="/lost/done"),
    Exhibit("recover-refused", None, "/recover", (Form({"#uscc": "91330201MA2AC000"}),)),
    Exhibit("recover-asked", None, "/recover/asked"),
    Exhibit("verdict-passed", None, "/verify",
            (Form(attach={"#document": declaration, "#signature": signature}),)),
    Exhibit("verdict-failed", None, "/verify",
            (Form(attach={"#document": altered_declaration, "#signature": signature}),)),
    Exhibit("verify-refused", None, "/verify", (Form(attach={"#document": prose}),)),
)  # fmt: skip
_SIGNING_IN = (
    Exhibit("sign-in-refused", None, "/sso/sign-in?next=/",
            (Form({"#token": "e" * 120}, press="#sign-in-form button"),)),
    Exhibit("sign-in-platform", None,
            _asked("/oidc/authorize", scope="openid", login_hint="示例操作员")),
    Exhibit("sign-in-step-up", None,
            _asked("/oidc/authorize", scope="openid", authorization_details=json.dumps(_ACT))),
    Exhibit("sign-in-cas", None, "/cas/login?service=https://platform.example/cas"),
    Exhibit("consent-list", OWNER, _asked(_CONSENT, scope="service")),
    Exhibit("consent-seal", OWNER, SealAsked(), fresh=True),
)  # fmt: skip
_ENTERPRISE = (
    Exhibit("operator-added", OWNER, "/enterprise/operators/new",
            (Form({"#name": "孙样例", "#employee_number": fresh_employee},
                  tick=("[value=declare-import]",)),)),
    Exhibit("operator-refused", OWNER, "/enterprise/operators/new",
            (Form({"#employee_number": "!", "#identity_number": "1"}),)),
    Exhibit("activation-codes", OWNER, "/enterprise",
            (Form(tick=("input[name=operator]",),
                  press="form[action$='/activation-codes'] button"),)),
    Exhibit("grant-refused", OWNER, FirstLink("/enterprise", "/enterprise/operators/"),
            (Form({"[name=first]": "2026-12-31", "[name=last]": "2026-12-01"},
                  {"[name=right]": "declare-import"}, press="form[action$='/grants'] button"),)),
    Exhibit("rights-saved", OWNER, FirstLink("/enterprise", "/enterprise/operators/"),
            (Form(press="form[action$='/rights'] button"),)),
    Exhibit("data-refused", OWNER, "/enterprise/data", (Form({"#customs_code": "1"}),)),
    Exhibit("operator-data-refused", OWNER,
            FirstLink("/enterprise", "/enterprise/operators/", "/data"),
            (Form({"#name": "李а"}),)),
    Exhibit("import-refused", OWNER, "/imports/operators", (Form(attach={"#file": prose}),)),
)  # fmt: skip
_OFFICERS = (
    Exhibit("review-open", "registrar",
            FirstLink("/officer/applications", "/officer/applications/")),
    Exhibit("review-refused", "registrar",
            FirstLink("/officer/applications", "/officer/applications/"),
            (opened("#decision summary"), Form(press="#decision [value=return]"))),
    Exhibit("data-change-refused", "approver",
            FirstLink("/officer/changes", "/officer/changes/"),
            (opened("#decision summary"), Form(press="#decision [value=refuse]"))),
    Exhibit("queue-by-identity", "registrar", "/officer/applications",
            (opened("main details summary"),
             Form({"[name=identity_number]": identity_number()},
                  press="form[action$='/by-identity'] button"))),
    Exhibit("officer-refused", "administrator", "/admin/officers", (Form(),)),
    Exhibit("officer-change-refused", "administrator",
            Recorded("gallery-officer", "/admin/officers/0"),
            (Form(),)),
    Exhibit("card-end-refused", "administrator",
            Recorded("gallery-administrator", "/cards/0"),
            (Form(press="form[action$='/end-proposal'] button"),)),
    Exhibit("branch-refused", "administrator", "/admin/branches", (Form({"#branch": "?"}),)),
    Exhibit("card-batch-refused", "administrator",
            OperatorsBatch(),
            (Form(press="button[value=propose]"),)),
    Exhibit("card-batch-codes", "approver",
            FirstLink("/admin/card-making", "/admin/card-making/import/"),
            (codes_proposed, Form(tick=("input[name=card]",), press="button[value=confirm]"))),
    Exhibit("mass-preview", "administrator", "/admin/mass",
            (Form({"#region": "浙江"}),)),
    Exhibit("mass-refused", "administrator", "/admin/mass", (Form({"#uscc": "1"}),)),
    Exhibit("platform-refused", "administrator", "/admin/platforms/new",
            (Form({"#redirect_uris": "http://platform.example"}),)),
    Exhibit("platform-secret", "approver", "/admin/platforms",
            (secret_proposed, Form(press="article:last-of-type [value=confirm]"))),
    Exhibit("key-order-refused", "recovery-officer", "/key-centre/orders/new",
            (Form({"#serial": "01", "#number": "1", "#issued_by": "示例法院", "#reason": "取证"},
                  attach={"#evidence": prose, "#transport_key": prose}),)),
    Exhibit("key-recovery-refused", "recovery-approver",
            FirstLink("/key-centre?ground=order", "/key-centre/recoveries/"),
            (Form({"#transport_key_sha256": "0" * 64, "#reason": "已电话核实"},
                  press="[value=approve]"),)),
)  # fmt: skip
_REFUSALS = (
    Exhibit("error-400", None, "/status",
            (token_lost, Form({"#reference": "AP-2026-22222222", "#access_code": "2222-3333"}))),
    Exhibit("error-403", "legal-person", "/officer/applications"),
    Exhibit("error-405", None, "/apply/draft"),
    Exhibit("error-413", None, "/status",
            (enlarged(70_000, "#reference"), Form({"#access_code": "2222-3333"}))),
    Exhibit("error-platform", None, "/oidc/authorize?client_id=nobody"),
)  # fmt: skip

_FAULTS = tuple(
    Exhibit(f"error-{status}", None, Recorded(f"fault-{status}", "/nowhere"))
    for status in (429, 500, 503)
)

ANSWERS = (*_PUBLIC, *_SIGNING_IN, *_ENTERPRISE, *_OFFICERS, *_REFUSALS, *_FAULTS)
EVERY_EXHIBIT = (*EXHIBITS, *ANSWERS)

PICTURED = {
    "portal.apply": "handed-in",
    "portal.draft_code": "draft-code",
    "portal.continue_draft": "draft-refused",
    "portal.status": "status-refused",
    "portal.reference_again": "reference-refused",
    "portal.access_again": "access-refused",
    "portal.access_codes": "access-renewed",
    "portal.application_code": "application-code",
    "portal.correction": "correction-refused",
    "portal.lost": "lost-refused",
    "portal.lost_code": "lost-code-refused",
    "portal.recover": "recover-refused",
    "portal.new_operator": "operator-added",
    "portal.many_codes": "activation-codes",
    "portal.grant": "grant-refused",
    "portal.enterprise_data": "data-refused",
    "portal.operator_data": "operator-data-refused",
    "portal.import_file": "import-refused",
    "portal.decide": "review-refused",
    "portal.decide_change": "data-change-refused",
    "portal.queue_by_identity": "queue-by-identity",
    "portal.officers": "officer-refused",
    "portal.one_officer": "officer-change-refused",
    "portal.propose_card_end": "card-end-refused",
    "portal.branches": "branch-refused",
    "portal.move_card_batch": "card-batch-codes",
    "portal.mass": "mass-preview",
    "verification.page": "verdict-passed",
    "sso.sign_in_form": "sign-in-refused",
    "sso.new_platform": "platform-refused",
    "sso.decide_proposal": "platform-secret",
    "key_centre_pages.new_order": "key-order-refused",
    "key_centre_pages.decide": "key-recovery-refused",
}
"""Endpoints of forms that are answered with a page, and an exhibit of such an answer."""

_CARD = "the card's page again, with what was refused, or as in operator-added"
_BACK = "leads back to the page that it stands on, with a message as in rights-saved"
_ONWARD = "leads on at once to the platform or the page that was asked for"
NOT_PICTURED_ANSWERS = {
    "portal.save_draft": "the form again, or for its script",
    "portal.save_correction": "for the page's script",
    "portal.erase_draft": _BACK,
    "portal.leave": "leads home",
    "portal.operator_code": "as operator-added",
    "portal.card_code": _CARD,
    "portal.confirm_card_code": _CARD,
    "portal.replace_card": _CARD,
    "portal.witness_card": _CARD,
    "portal.revoke_card": _CARD,
    "portal.freeze_card": _CARD,
    "portal.unfreeze_card": _CARD,
    "portal.report_loss": _CARD,
    "portal.change_contact": _CARD,
    "portal.operator_rights": _BACK,
    "portal.withdraw_grant": _BACK,
    "portal.assign": _BACK,
    "portal.note": _BACK,
    "portal.take_next": "leads on to the application that was taken",
    "portal.decide_officer_change": _BACK,
    "portal.decide_recovery": _BACK,
    "portal.decide_mass": _BACK,
    "portal.decide_seal": _BACK,
    "portal.request_seal": _BACK,
    "portal.retry_letter": _BACK,
    "portal.discard_letter": _BACK,
    "portal.acknowledge_console_act": _BACK,
    "portal.confirm_import": _BACK,
    "portal.export_history": "a file to take away",
    "portal.export_queue": "a file to take away",
    "portal.export_cards": "a file to take away",
    "verification.pdf": "a file to take away",
    "key_centre_pages.fetch": "a file to take away",
    "sso.change_platform": "as platform-refused",
    "sso.rotate_secret": _BACK,
    "sso.disable_platform": _BACK,
    "sso.sign_out_form": "as signed-out",
    "sso.sign_in": _ONWARD,
    "remote_pages.decide": _ONWARD,
    "sso.authorize_post": _ONWARD,
    "sso.end_session_post": _ONWARD,
}
"""Endpoints of forms whose answer is no page of its own, and what it is."""
