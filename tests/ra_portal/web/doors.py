"""Every door of the portal: the address, what is sent there, and who may go in.

Somebody goes in when the answer is not a refusal (401, 403, 404) and not the way to sign in. What
is behind a door may still be refused for another reason: the seats below differ in who they are
alone.
"""

import base64
from dataclasses import dataclass, field
from datetime import timedelta

from policies.card_life import card_life_policy
from ra_portal.cards.card import Holder
from ra_portal.imports.columns import ImportKind
from ra_portal.mass_actions.mass_filter import Act, CardFilter
from ra_portal.papers.documents import Upload
from ra_portal.people.identity import HolderKind, Identity, Role
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld, pkcs10

BUSINESS = frozenset({"registrar", "approver", "administrator"})
COUNTER = BUSINESS | {"neighbour"}
"""Officers' lists: who works at another branch sees that branch's own in them."""


@dataclass(frozen=True)
class Door:
    allowed: frozenset[str]
    values: dict[str, str] = field(default_factory=dict)
    """For the variable parts of the rule: a thing of the scene, or with `=` the text itself."""
    body: dict[str, object] = field(default_factory=dict)
    """Form or JSON object; `@` before a thing of the scene."""
    answered: int | None = None
    """What who may go in is told, where that is a refusal too: there is no such thing (404), or
    what was sent proves nothing (401)."""


class Scene:
    """An enterprise of one branch with everything that can belong to one, and its neighbours."""

    def __init__(self, portal: PortalWorld, typed: str = "") -> None:
        """`typed` stands in every text that somebody typed."""
        self.portal, self._typed = portal, typed
        services = portal.services
        head = portal.officer(Role.ADMINISTRATOR)
        services.branches.add(head, "2900", f"宁波{typed}", f"浙江{typed}")
        elsewhere = services.branches.add(head, "2200", "上海", "上海")
        self.seats: dict[str, Identity | None] = {"nobody": None}
        self.seats |= {str(role): portal.officer(role, name=f"官员{role}{typed}") for role in Role}
        self.seats["neighbour"] = portal.officer_at(elsewhere, Role.REGISTRAR, Role.APPROVER)
        owner = self._enterprise(1)
        rival = self._enterprise(2)
        first = portal.operator(owner, "declare-import", name=f"张操作{typed}")
        second = portal.operator(owner, "declare-import", employee_number="E-002")
        other = portal.operator(rival, "declare-import")
        worker = _operator(first.view.operator.id, owner)
        self.seats |= {
            "owner": owner, "worker": worker, "rival": rival,
            "rivals worker": _operator(other.view.operator.id, rival),
        }  # fmt: skip
        assert second.view.card is not None
        made = services.enrolment.enrol(first.activation_code, pkcs10()).card
        row = "甲{},E-9".format(typed.replace('"', "''"))
        preview = Upload(f"姓名,工号\n{row}\n".encode(), f"operators{typed}.csv")
        change = services.data_changes.propose(
            owner, made.holder, {"name": f"章操作{typed}"}, f"更名{typed}"
        )
        moved = services.data_changes.propose(
            owner,
            Holder(HolderKind.LEGAL_PERSON, owner.subject),
            {"region": f"浙江 舟山{typed}"},
            f"迁址{typed}",
            samples.scan(),
        )
        waiting = services.registration.apply(self._details(3), samples.scan())
        mass = services.mass_actions.propose(
            head, Act.FREEZE, CardFilter.read({"uscc": samples.uscc(1)}), f"样本{typed}"
        )
        clerk = portal.officer(Role.REGISTRAR, name=f"周登记{typed}")
        move = services.officer_changes.propose(
            head, clerk.subject, ["approver"], "", f"调岗{typed}"
        )
        colleague = portal.officer(Role.REGISTRAR, name=f"吴登记{typed}")
        (of_colleague,) = portal.cards_of(Holder(HolderKind.OFFICER, colleague.subject))
        self.ids = {
            "officer": colleague.subject,
            "officer card": of_colleague.number,
            "officer change": move.id,
            "enterprise": owner.subject,
            "operator": worker.subject,
            "grant": first.view.history[0].id,
            "card": made.number,
            "new card": second.view.card.number,
            "seal": services.seals.request(owner, f"报关章{typed}"[:40]).number,
            "preview": services.imports.preview(owner, ImportKind.OPERATORS, preview).id,
            "change": change.id,
            "enterprise change": moved.id,
            "application": waiting.application.id,
            "reference": waiting.application.reference,
            "mass": mass.id,
            "recovery": self._recovery(owner),
            "pkcs10": base64.b64encode(pkcs10()).decode(),
            "renewal": services.renewal.begin(worker, made.number, pkcs10()).id,
        }

    def _enterprise(self, number: int) -> Identity:
        registration = self.portal.services.registration
        made = registration.apply(self._details(number), samples.scan())
        identifier = made.application.id
        registration.register(self._officer(Role.REGISTRAR), identifier)
        approved, _ = registration.approve(self._officer(Role.APPROVER), identifier)
        enterprise = approved.enterprise_id
        assert enterprise is not None
        name = approved.details.name
        return Identity(HolderKind.LEGAL_PERSON, enterprise, name, enterprise_id=enterprise)

    def _details(self, number: int) -> dict[str, object]:
        typed = self._typed
        return samples.details(
            number, branch="2900", name=f"宁波样本{number}{typed}",
            legal_representative=f"王样本{typed}", region=f"浙江{typed}",
        )  # fmt: skip

    def _officer(self, role: Role) -> Identity:
        found = self.seats[str(role)]
        assert found is not None
        return found

    def _recovery(self, owner: Identity) -> str:
        """The legal-person card is made, reachable, and locked."""
        services = self.portal.services
        card = services.operators.page(owner).card
        assert card is not None
        services.cards.new_activation_code(self._officer(Role.ADMINISTRATOR), card.number)
        code = services.cards.confirm_code(self._officer(Role.APPROVER), card.number)[1]
        services.enrolment.enrol(code, pkcs10())
        contact = {"phone": "+8613900000000", "email": "legal@example.com"}
        services.contacts.change(owner, card.number, contact)
        days = card_life_policy().recovery.contact_days
        self.portal.authority.clock.advance(timedelta(days=days))
        services.recovery.ask(samples.uscc(1), f"PIN 输错被锁定{self._typed}")
        (case,) = services.recovery.waiting(self._officer(Role.APPROVER)).shown
        return case.id


def _operator(identifier: str, enterprise: Identity) -> Identity:
    return Identity(
        HolderKind.OPERATOR, identifier, "张操作", enterprise_id=enterprise.enterprise_id
    )


ADMINISTRATOR = frozenset({"administrator"})
APPROVER = frozenset({"approver"})
CONFIRMING = frozenset({"approver", "administrator"})
CHANGING_OFFICERS = CONFIRMING | {"system-administrator", "audit-administrator"}
AUDIT = frozenset({"auditor", "audit-administrator"})
MACHINES = frozenset({"administrator", "system-administrator"})
ENTERPRISES = frozenset({"owner", "rival"})
"""Each sees and changes its own."""
OWNER = frozenset({"owner"})
OPERATORS = frozenset({"worker", "rivals worker"})
HOLDER = frozenset({"worker"})
CARD = {"number": "card"}
_OFFICER_CARD = {"number": "officer card"}
NEW = {"number": "new card"}
SEAL = {"number": "seal"}
WHY: dict[str, object] = {"reason": "样本"}
CONTACT: dict[str, object] = {"phone": "+8613900000001", "email": "a@example.com"}


def _of(thing: str) -> dict[str, str]:
    return {"identifier": thing}


def _decide(decision: str, **more: object) -> dict[str, object]:
    return {"decision": decision, **more}


_WAITING = _of("application")
_OPERATOR = _of("operator")
DOORS: dict[str, Door] = {
    # -- reading ---------------------------------------------------------------------------------
    "GET /admin/branches": Door(ADMINISTRATOR),
    "GET /admin/card-making": Door(CONFIRMING | {"neighbour"}),
    "GET /admin/card-making/<origin>/<identifier>": Door(
        CONFIRMING, {"origin": "=enterprise", "identifier": "enterprise"}
    ),
    "GET /admin/cards": Door(COUNTER),
    "GET /admin/console-acts": Door(AUDIT),
    "GET /admin/dashboard": Door(MACHINES),
    "GET /admin/dead-letters": Door(MACHINES),
    "GET /admin/journal": Door(AUDIT),
    "GET /admin/mass": Door(CONFIRMING),
    "GET /admin/mass/<identifier>": Door(CONFIRMING, _of("mass")),
    "GET /admin/officers": Door(MACHINES | {"audit-administrator"}),
    "GET /admin/officers/<identifier>": Door(MACHINES | {"audit-administrator"}, _of("officer")),
    "GET /admin/officer-changes": Door(CHANGING_OFFICERS | {"neighbour"}),
    "GET /admin/policies": Door(MACHINES),
    "GET /api/v1/cards/<number>": Door(BUSINESS | OWNER | HOLDER, CARD),
    "GET /api/v1/cards/<number>/contact": Door(ADMINISTRATOR | OWNER | HOLDER, CARD),
    "GET /api/v1/cards/<number>/moves": Door(BUSINESS | OWNER | HOLDER, CARD),
    "GET /api/v1/console-acts": Door(AUDIT),
    "GET /api/v1/data-changes": Door(COUNTER),
    "GET /api/v1/mass-actions": Door(CONFIRMING),
    "GET /api/v1/officer-changes": Door(CHANGING_OFFICERS | {"neighbour"}),
    "GET /api/v1/operators": Door(ENTERPRISES),
    "GET /api/v1/recoveries": Door(CONFIRMING | {"neighbour"}),
    "GET /api/v1/seals": Door(COUNTER | ENTERPRISES),
    "GET /cards/<number>": Door(BUSINESS | OWNER | HOLDER, CARD),
    "GET /cards/<number>/loss-report": Door(BUSINESS | OWNER | HOLDER, CARD),
    "GET /cards/<number>/replacement": Door(BUSINESS | OWNER | HOLDER, CARD),
    "GET /enterprise": Door(ENTERPRISES),
    "GET /enterprise/data": Door(ENTERPRISES),
    "GET /enterprise/history": Door(ENTERPRISES | OPERATORS),
    "GET /enterprise/operators/<identifier>": Door(OWNER, _OPERATOR),
    "GET /enterprise/operators/<identifier>/data": Door(OWNER, _OPERATOR),
    "GET /enterprise/operators/new": Door(ENTERPRISES),
    "GET /imports/<kind>": Door(ENTERPRISES, {"kind": "=operators"}),
    "GET /imports/<kind>/template.<file_format>": Door(
        ENTERPRISES, {"kind": "=operators", "file_format": "=csv"}
    ),
    "GET /imports/preview/<identifier>": Door(OWNER, _of("preview")),
    "GET /imports/preview/<identifier>/faults.<file_format>": Door(
        OWNER, {**_of("preview"), "file_format": "=csv"}
    ),
    "GET /officer/applications": Door(COUNTER),
    "GET /officer/applications/<identifier>": Door(BUSINESS, _WAITING),
    "GET /officer/applications/<identifier>/papers/<kind>/<int:page>": Door(
        BUSINESS, {**_WAITING, "kind": "=licence", "page": "=1"}
    ),
    "GET /officer/changes": Door(COUNTER),
    "GET /officer/changes/<identifier>": Door(BUSINESS, _of("change")),
    "GET /officer/changes/<identifier>/licence/<int:page>": Door(
        BUSINESS, {**_of("enterprise change"), "page": "=1"}
    ),
    "GET /officer/enterprises": Door(COUNTER),
    "GET /officer/enterprises/<identifier>": Door(BUSINESS, _of("enterprise")),
    "GET /officer/recoveries": Door(CONFIRMING | {"neighbour"}),
    "GET /seals": Door(COUNTER | ENTERPRISES),
    # -- changing: what does little first --------------------------------------------------------
    "POST /officer/applications/by-identity": Door(COUNTER, body={"identity_number": "x"}),
    "POST /officer/applications/next": Door(COUNTER),
    "POST /officer/applications/export": Door(COUNTER),
    "POST /admin/cards/export": Door(COUNTER),
    "POST /api/v1/mass-actions/preview": Door(
        ADMINISTRATOR, body={"act": "freeze", "uscc": samples.uscc(1)}
    ),
    "POST /admin/mass": Door(ADMINISTRATOR, body={"act": "freeze", "uscc": samples.uscc(1)}),
    "POST /enterprise/history/export": Door(ENTERPRISES | OPERATORS, body={"format": "csv"}),
    "POST /admin/branches": Door(ADMINISTRATOR, body={"branch": "x"}),
    "POST /admin/officers": Door(ADMINISTRATOR, body={"name": "某", "roles": "registrar"}),
    "POST /api/v1/officers": Door(ADMINISTRATOR, body={"name": "某", "roles": ["registrar"]}),
    "POST /admin/officers/<identifier>": Door(
        ADMINISTRATOR, _of("officer"), {"roles": "approver", "why": ""}
    ),
    "POST /api/v1/officers/<identifier>/changes": Door(
        ADMINISTRATOR, _of("officer"), {"roles": ["registrar"], "reason": "样本"}
    ),
    "POST /api/v1/officers/<identifier>/retirement": Door(
        ADMINISTRATOR, _of("officer"), {"reason": ""}
    ),
    "POST /admin/officer-changes/<identifier>": Door(
        CONFIRMING, _of("officer change"), _decide("confirm")
    ),
    "POST /api/v1/officer-changes/<identifier>/confirmation": Door(
        CONFIRMING, _of("officer change")
    ),
    "POST /api/v1/officer-changes/<identifier>/refusal": Door(CONFIRMING, _of("officer change")),
    "POST /admin/console-acts": Door(
        frozenset({"audit-administrator"}), body={"act": "0" * 32}, answered=404
    ),
    "POST /api/v1/console-acts/acknowledgements": Door(
        frozenset({"audit-administrator"}), body={"acts": ["0" * 32]}, answered=404
    ),
    "POST /admin/dead-letters/<int:identifier>/retry": Door(
        MACHINES, {"identifier": "=999999"}, answered=404
    ),
    "POST /admin/dead-letters/<int:identifier>/discard": Door(
        MACHINES, {"identifier": "=999999"}, answered=404
    ),
    "POST /imports/<kind>": Door(ENTERPRISES, {"kind": "=operators"}),
    "POST /imports/preview/<identifier>/confirmation": Door(OWNER, _of("preview")),
    "POST /officer/applications/<identifier>/assignment": Door(BUSINESS, _WAITING),
    "POST /officer/applications/<identifier>/notes": Door(BUSINESS, _WAITING, {"note": "样本"}),
    "POST /api/v1/applications/<identifier>/return": Door(
        frozenset({"registrar", "approver"}), _WAITING, {"reasons": ""}
    ),
    "POST /officer/applications/<identifier>/decision": Door(
        frozenset({"registrar"}), _WAITING, _decide("register")
    ),
    "POST /api/v1/applications/<identifier>/registration": Door(frozenset({"registrar"}), _WAITING),
    "POST /api/v1/applications/<identifier>/approval": Door(APPROVER, _WAITING),
    "POST /api/v1/applications/<identifier>/refusal": Door(
        frozenset({"registrar", "approver"}), _WAITING, {"reasons": "样本"}
    ),
    "POST /enterprise/data": Door(ENTERPRISES, body={"name": "", "why": ""}),
    "POST /enterprise/operators/<identifier>/data": Door(OWNER, _OPERATOR, {"name": "", "why": ""}),
    "POST /api/v1/data-changes": Door(
        frozenset({"registrar"}) | OWNER,
        body={"holder_kind": "operator", "holder": "@operator", "changes": {}, "reason": "x"},
    ),
    "POST /officer/changes/<identifier>": Door(APPROVER, _of("change"), _decide("approve")),
    "POST /api/v1/data-changes/<identifier>/approval": Door(APPROVER, _of("enterprise change")),
    "POST /api/v1/data-changes/<identifier>/refusal": Door(
        frozenset({"registrar", "approver"}), _of("change"), {"reasons": "样本"}
    ),
    "POST /officer/recoveries/<identifier>": Door(
        CONFIRMING, _of("recovery"), _decide("approve", note="licence seen")
    ),
    "POST /api/v1/recoveries/<identifier>/approval": Door(CONFIRMING, _of("recovery"), WHY),
    "POST /api/v1/recoveries/<identifier>/refusal": Door(CONFIRMING, _of("recovery"), WHY),
    "POST /seals": Door(ENTERPRISES, body={"name": "合同章"}),
    "POST /api/v1/seals": Door(ENTERPRISES, body={"name": "财务章"}),
    "POST /seals/<number>": Door(APPROVER, SEAL, _decide("refuse")),
    "POST /api/v1/seals/<number>/approval": Door(APPROVER, SEAL),
    "POST /api/v1/seals/<number>/refusal": Door(APPROVER, SEAL),
    "POST /api/v1/seals/<number>/revocation": Door(
        ADMINISTRATOR | OWNER, SEAL, {"reason": "unspecified"}
    ),
    "POST /enterprise/operators/new": Door(ENTERPRISES, body={"name": "乙"}),
    "POST /api/v1/operators": Door(ENTERPRISES, body={"name": "乙", "rights": []}),
    "POST /enterprise/operators/<identifier>/rights": Door(OWNER, _OPERATOR),
    "PUT /api/v1/operators/<identifier>/rights": Door(OWNER, _OPERATOR, {"rights": []}),
    "POST /enterprise/operators/<identifier>/grants": Door(
        OWNER, _OPERATOR, {"right": "declare-export"}
    ),
    "POST /enterprise/operators/<identifier>/grants/<grant_id>/withdrawal": Door(
        OWNER, {**_OPERATOR, "grant_id": "grant"}
    ),
    "POST /enterprise/operators/<identifier>/activation-code": Door(OWNER, _OPERATOR),
    "POST /api/v1/operators/<identifier>/activation-code": Door(OWNER, _OPERATOR),
    "POST /enterprise/activation-codes": Door(OWNER, body={"operator": "@operator"}),
    "POST /admin/card-making/<origin>/<identifier>": Door(
        ADMINISTRATOR,
        {"origin": "=enterprise", "identifier": "enterprise"},
        {"act": "propose", "card": "@new card"},
    ),
    "POST /cards/<number>/activation-code": Door(ADMINISTRATOR | OWNER, NEW),
    "POST /api/v1/cards/<number>/activation-code": Door(ADMINISTRATOR | OWNER, NEW),
    "POST /cards/<number>/activation-code/confirmation": Door(CONFIRMING, NEW),
    "POST /api/v1/cards/<number>/activation-code/confirmation": Door(CONFIRMING, NEW),
    "POST /cards/<number>/witness": Door(
        frozenset({"registrar", "approver"}), CARD, {"token_model": "x", "token_serial": "y"}
    ),
    "POST /api/v1/cards/<number>/witness": Door(
        frozenset({"registrar", "approver"}), CARD, {"token_model": "x", "token_serial": "y"}
    ),
    "POST /cards/<number>/contact": Door(ADMINISTRATOR | OWNER | HOLDER, CARD, CONTACT),
    "PUT /api/v1/cards/<number>/contact": Door(ADMINISTRATOR | OWNER | HOLDER, CARD, CONTACT),
    "POST /api/v1/cards/<number>/renewals": Door(HOLDER, CARD, {"pkcs10": "@pkcs10"}),
    "POST /api/v1/renewals/<identifier>": Door(
        HOLDER, _of("renewal"), {"signature": "MAA="}, answered=401
    ),
    "POST /cards/<number>/freeze": Door(ADMINISTRATOR | OWNER | HOLDER, CARD, WHY),
    "POST /api/v1/cards/<number>/freeze": Door(ADMINISTRATOR | OWNER | HOLDER, CARD, WHY),
    "POST /cards/<number>/unfreeze": Door(ADMINISTRATOR | OWNER | HOLDER, CARD, WHY),
    "POST /api/v1/cards/<number>/unfreeze": Door(ADMINISTRATOR | OWNER | HOLDER, CARD, WHY),
    "POST /admin/mass/<identifier>": Door(CONFIRMING, _of("mass"), _decide("withdraw")),
    "POST /api/v1/mass-actions/<identifier>/withdrawal": Door(CONFIRMING, _of("mass")),
    "POST /api/v1/mass-actions/<identifier>/confirmation": Door(CONFIRMING, _of("mass")),
    "POST /api/v1/mass-actions": Door(
        ADMINISTRATOR, body={"act": "freeze", "uscc": samples.uscc(1), "reason": "样本"}
    ),
    "POST /cards/<number>/replacement": Door(
        ADMINISTRATOR | OWNER, CARD, {"confirmation": "@card"}
    ),
    "POST /api/v1/cards/<number>/replacement": Door(ADMINISTRATOR | OWNER, CARD),
    "POST /cards/<number>/end-proposal": Door(
        ADMINISTRATOR, _OFFICER_CARD, {"reason": "superseded", "why": "样本"}
    ),
    "POST /api/v1/cards/<number>/end-proposal": Door(
        ADMINISTRATOR, _OFFICER_CARD, {"reason": "superseded", "why": "样本"}
    ),
    "POST /cards/<number>/revocation": Door(
        ADMINISTRATOR | OWNER, CARD, {"confirmation": "@card", "reason": "superseded"}
    ),
    "POST /api/v1/cards/<number>/revocation": Door(
        ADMINISTRATOR | OWNER, CARD, {"reason": "superseded"}
    ),
    "POST /cards/<number>/loss-report": Door(
        BUSINESS | OWNER | HOLDER, CARD, {"confirmation": "@card"}
    ),
    "POST /api/v1/cards/<number>/loss-report": Door(BUSINESS | OWNER | HOLDER, CARD),
}
"""In the order in which they are opened to those who may."""

BY_CODE = frozenset({
    "GET /api/v1/applications/<reference>", "PUT /api/v1/applications/<reference>",
    "POST /api/v1/applications/<reference>/activation-code",
})  # fmt: skip
"""For who has the application's access code, whoever is signed in."""

BY_BROWSER = frozenset({
    "GET /application", "GET /application/correction", "POST /application/correction",
    "POST /application/activation-code", "POST /application/leave",
    "GET /application/papers/<kind>/<int:page>", "GET /apply/papers/<kind>/<int:page>",
    "POST /apply/draft/code", "POST /apply/draft/erasure", "GET /answers/<identifier>",
    "POST /application/correction/draft",
})  # fmt: skip
"""For the browser that has shown the access code, or has begun the draft."""

FOR_ANYBODY = frozenset({
    "GET /", "GET /apply", "POST /apply", "POST /apply/draft", "GET /apply/continue",
    "POST /apply/continue", "GET /lost", "POST /lost", "GET /lost/code", "POST /lost/code",
    "GET /lost/done", "GET /make-card", "GET /recover", "POST /recover", "GET /recover/asked",
    "GET /recover/finish",
    "GET /status", "POST /status", "GET /status/reference", "POST /status/reference",
    "GET /status/access-code", "POST /status/access-code", "GET /status/access-code/codes",
    "POST /status/access-code/codes", "POST /api/v1/access-codes",
    "POST /api/v1/access-codes/<identifier>",
    "GET /api/v1/rights", "POST /api/v1/applications",
    "GET /api/v1/card-certificates/<key>", "POST /api/v1/card-codes",
    "POST /api/v1/card-codes/<identifier>", "POST /api/v1/enrolments", "POST /api/v1/recoveries",
    "GET /static/<path:filename>", "GET /portal-files/<path:filename>", "GET /agent/<path:name>",
})  # fmt: skip
"""Applying, what a one-time code opens, and files."""
