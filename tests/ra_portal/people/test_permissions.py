"""The table of permissions holds in the use cases, cell by cell; the families stand apart."""

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kernel.refusals import Forbidden, Refusal
from policies.data_file import InvalidPolicyFile
from policies.permissions import PERMISSIONS_FILE, load_permissions, permissions
from ra_portal.applications.queue import Asked
from ra_portal.fields import InvalidFields
from ra_portal.imports.columns import ImportKind
from ra_portal.papers.documents import Upload
from ra_portal.people.identity import HolderKind, Identity, Role, console
from ra_portal.people.register import Asked as RegisterAsked
from tests.ra_portal.console.test_console_acts import AT_THE_CONSOLE
from tests.ra_portal.world import PortalWorld, pkcs10

ROOT = Path(__file__).parents[3]
TABLE = permissions()
FAMILIES = {
    "business": Role.REGISTRAR,
    "system": Role.SYSTEM_ADMINISTRATOR,
    "audit": Role.AUDITOR,
    "key-centre": Role.RECOVERY_OFFICER,
}

Act = Callable[[PortalWorld, Identity], object]
_NUMBERS = itertools.count(1)


def operators_card(portal: PortalWorld) -> str:
    owner = portal.legal_person(next(_NUMBERS))
    card = portal.operator(owner).view.card
    assert card is not None
    return card.number


def officers_card(portal: PortalWorld, family: str) -> str:
    added = portal.services.officers.add(console("tests"), "某官员", [FAMILIES[family]])
    return added.card.number


def managed(family: str) -> Act:
    def act(portal: PortalWorld, by: Identity) -> object:
        portal.services.officers.add(by, "新官员", [FAMILIES[family]])
        return portal.services.cards.revoke(by, officers_card(portal, family), "superseded")

    return act


def confirmed(family: str) -> Act:
    return lambda portal, by: portal.services.cards.confirm_code(by, officers_card(portal, family))


def reported(family: str) -> Act:
    return lambda portal, by: portal.services.life.report_loss(
        by, officers_card(portal, family), "telephone"
    )


ACTS: dict[str, Act] = {
    "application.read": lambda portal, by: portal.services.queue.page(by, Asked()),
    "application.register": lambda portal, by: portal.services.registration.register(by, "none"),
    "application.approve": lambda portal, by: portal.services.registration.approve(by, "none"),
    "application.decide": lambda portal, by: portal.services.registration.refuse(by, "none", "why"),
    "application.assign": lambda portal, by: portal.services.assignments.assign(by, "none", None),
    "application.import": lambda portal, by: portal.services.imports.preview(
        by, ImportKind.ENTERPRISES, Upload(b"", "none.csv")
    ),
    "branch.manage": lambda portal, by: portal.services.branches.add(by, "2200", "样本", "上海"),
    "enterprise.read": lambda portal, by: portal.services.register.page(by, RegisterAsked()),
    "card.read": lambda portal, by: portal.services.cards.search(by),
    "card.manage": lambda portal, by: portal.services.cards.revoke(
        by, operators_card(portal), "superseded"
    ),
    "card.confirm": lambda portal, by: portal.services.cards.confirm_code(
        by, operators_card(portal)
    ),
    "card.report": lambda portal, by: portal.services.life.report_loss(
        by, operators_card(portal), "telephone"
    ),
    "card.witness": lambda portal, by: portal.services.cards.witness(by, "none", "model", "1"),
    "seal.decide": lambda portal, by: portal.services.seals.approve(by, "none"),
    "dashboard.read": lambda portal, by: portal.services.figures.latest(by),
    "letter.manage": lambda portal, by: portal.services.dead_letters.all(by),
    "officer.read": lambda portal, by: portal.services.officers.all(by),
    "officer.change.read": lambda portal, by: portal.services.officer_changes.waiting(by),
    "journal.read": lambda portal, by: portal.services.journal.page(by),
    "journal.verify": lambda portal, by: portal.services.journal.verify(by),
} | {
    f"officer.{family}.{name}": made(family)
    for family in FAMILIES
    for name, made in (("manage", managed), ("confirm", confirmed), ("report", reported))
}

ELSEWHERE = {
    *AT_THE_CONSOLE,
    "key.confirm",
    "escrow.confirm",
    "journal.acknowledge",
    *("seal.end", "system.read", "platform.read", "platform.manage", "platform.confirm"),
    *("key.recovery.read", "key.recovery.open", "key.recovery.approve"),
}
"""Shown in test_seals.py; by tests of the pages that use it; in sso/test_platform_pages.py; in
key_centre/test_recoveries.py; in console/test_console_acts.py."""


def test_every_permission_has_its_act() -> None:
    assert {row.code for row in TABLE.permissions} == ACTS.keys() | ELSEWHERE


def test_every_role_stands_in_the_table() -> None:
    assert {row.code for row in TABLE.roles} == {str(role) for role in Role}


@pytest.mark.parametrize("permission", sorted(ACTS))
def test_each_cell_of_the_table_holds(portal: PortalWorld, permission: str) -> None:
    for role in Role:
        by = portal.officer(role)
        refusal = refused(ACTS[permission], portal, by)
        denied = refusal is not None and refusal.code == "role.missing"
        assert denied is not TABLE.allows([role], permission), (role, refusal)


@pytest.mark.parametrize("permission", sorted(ACTS))
def test_the_console_and_holders_have_what_the_table_says(
    portal: PortalWorld, permission: str
) -> None:
    refusal = refused(ACTS[permission], portal, console("root"))
    denied = refusal is not None and refusal.code == "role.missing"
    assert denied is (TABLE[permission].console == "never"), refusal
    stranger = portal.legal_person(next(_NUMBERS) + 500)
    told = refused(ACTS[permission], portal, stranger)
    assert told is not None
    assert told.code in {"role.missing", "card.foreign"}


def refused(act: Act, portal: PortalWorld, by: Identity) -> Refusal | None:
    try:
        act(portal, by)
    except Refusal as refusal:
        return refusal
    return None


@pytest.mark.parametrize(
    "roles",
    [
        [Role.ADMINISTRATOR, Role.AUDITOR],
        [Role.SYSTEM_ADMINISTRATOR, Role.ADMINISTRATOR],
        [Role.AUDIT_ADMINISTRATOR, Role.SYSTEM_ADMINISTRATOR],
    ],
)
def test_nobody_holds_roles_of_two_families(portal: PortalWorld, roles: list[Role]) -> None:
    with pytest.raises(InvalidFields) as told:
        portal.services.officers.add(console("root"), "某人", roles)
    assert told.value.facts == {"roles": "officer.roles-apart"}


def test_an_administrator_ends_no_auditors_card(portal: PortalWorld) -> None:
    number = officers_card(portal, "audit")
    with pytest.raises(Forbidden, match=r"role\.missing"):
        portal.services.cards.revoke(portal.officer(Role.ADMINISTRATOR), number, "superseded")
    with pytest.raises(Forbidden, match=r"role\.missing"):
        portal.services.cards.replace(portal.officer(Role.SYSTEM_ADMINISTRATOR), number)


def test_the_console_appoints_until_somebody_with_a_card_can(portal: PortalWorld) -> None:
    officers, enrolment = portal.services.officers, portal.services.enrolment
    added = officers.add(console("root"), "首席", [Role.ADMINISTRATOR])
    officers.add(console("root"), "登记", [Role.REGISTRAR])  # the first one has no card yet
    assert added.activation_code is not None
    enrolment.enrol(added.activation_code, pkcs10())
    with pytest.raises(Forbidden, match=r"console\.use-card"):
        officers.add(console("root"), "登记", [Role.REGISTRAR])
    officers.add(console("root"), "审计", [Role.AUDIT_ADMINISTRATOR])  # another family
    officers.add(console("root"), "登记", [Role.REGISTRAR], emergency="the card is lost")


def test_an_officer_who_appoints_sees_no_code(portal: PortalWorld) -> None:
    """The second person fetches it: see test_four_eyes.py."""
    first = portal.officer(Role.AUDIT_ADMINISTRATOR)
    added = portal.services.officers.add(first, "新审计员", [Role.AUDITOR])
    assert added.activation_code is None
    second = portal.officer(Role.SYSTEM_ADMINISTRATOR)
    _, code = portal.services.cards.confirm_code(second, added.card.number)
    assert code


def test_the_program_asks_for_no_permission_that_the_table_lacks() -> None:
    known = {row.code for row in TABLE.permissions}
    asked = set()
    for room in ("ra_portal", "portseal"):
        for path in (ROOT / room).rglob("*"):
            if path.suffix in {".py", ".html"}:
                text = path.read_text("utf-8")
                asked |= set(re.findall(r'\.(?:may|require|require_one_of)\("([a-z.-]+)"', text))
    assert asked
    assert asked <= known


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('roles = ["auditor", "audit-administrator"]', 'roles = ["administrator"]', "alone"),
        ('roles = ["approver"]', 'roles = ["approver", "auditor"]', "audits"),
        ('roles = ["registrar"]', 'roles = ["king"]', "unknown role"),
        ('code = "auditor"', 'code = "registrar"', "stands twice"),
    ],
)
def test_a_table_that_lets_the_audited_audit_is_refused(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    text = PERMISSIONS_FILE.read_text("utf-8")
    assert old in text
    changed = tmp_path / "permissions.toml"
    changed.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(InvalidPolicyFile, match=fault):
        load_permissions(changed)


def test_an_identity_of_an_operator_may_nothing_here() -> None:
    operator = Identity(HolderKind.OPERATOR, "o", "操作员", frozenset(Role))
    assert not any(operator.may(row.code) for row in TABLE.permissions)
