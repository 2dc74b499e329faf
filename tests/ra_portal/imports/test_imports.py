"""Imports: every bad cell is marked, nothing happens before the confirmation, four eyes stay."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event

from hsm.secret_keys import SecretKey
from kernel.refusals import Conflict, Forbidden, NotFound, Unprocessable
from ra_portal.applications.application import ApplicationState
from ra_portal.applications.queue import Asked
from ra_portal.cards.card import CardState
from ra_portal.imports.columns import ImportKind
from ra_portal.imports.imports import Imports
from ra_portal.papers.documents import Upload
from ra_portal.people.identity import Role
from ra_portal.people.personal_data import PersonalData
from ra_portal.spreadsheets.writing import SheetFormat, write
from records.database import Database
from tests.ra_portal import samples
from tests.ra_portal.world import PortalWorld

ENTERPRISES = [
    "企业名称*",
    "统一社会信用代码*",
    "海关注册编码*",
    "法定代表人*",
    "证件号码",
    "所在地区*",
]
OPERATORS = ["姓名*", "工号*", "证件号码", "权限"]
NUMBER = samples.identity_number()


def sheet(heading: list[str], *rows: list[str]) -> Upload:
    return Upload(write([heading, *rows], SheetFormat.XLSX), "导入.xlsx")


def enterprise(number: int, **changes: str) -> list[str]:
    details = {**samples.details(number), "identity_number": NUMBER, **changes}
    names = ("name", "uscc", "customs_code", "legal_representative", "identity_number", "region")
    return [str(details[name]) for name in names]


@pytest.fixture
def imports(portal: PortalWorld) -> Imports:
    return portal.services.imports


def test_enterprises_come_in_for_a_second_officer_to_approve(any_portal: PortalWorld) -> None:
    imports, officer = (
        any_portal.services.imports,
        any_portal.officer(Role.REGISTRAR, Role.APPROVER),
    )
    any_portal.services.registration.apply(samples.details(3), samples.scan())
    preview = imports.preview(
        officer,
        ImportKind.ENTERPRISES,
        sheet(
            ENTERPRISES,
            enterprise(1),
            enterprise(2, uscc="91330201MA2AB0002X", customs_code="?"),
            enterprise(3),
            enterprise(4),
            enterprise(4),
        ),
    )
    assert [sorted(row.errors) for row in preview.rows] == [
        [], ["customs_code", "uscc"], ["uscc"], ["uscc"], ["uscc"],
    ]  # fmt: skip
    assert NUMBER not in str([row.cells for row in preview.rows])
    queue = any_portal.services.queue
    assert len(queue.page(officer, Asked()).applications) == 1, "nothing is taken over yet"

    assert imports.confirm(officer, preview.id) == 1
    taken = queue.page(officer, Asked((ApplicationState.REGISTERED,))).applications
    assert [each.details.uscc for each in taken] == [samples.uscc(1)]
    assert queue.review(officer, taken[0].id).identity_number == NUMBER[:6] + "*" * 8 + NUMBER[-4:]
    with pytest.raises(Conflict, match=r"import\.confirmed"):
        imports.confirm(officer, preview.id)
    with pytest.raises(Forbidden, match=r"registration\.same-officer"):
        any_portal.services.registration.approve(officer, taken[0].id)
    _, card = any_portal.services.registration.approve(
        any_portal.officer(Role.APPROVER), taken[0].id
    )
    assert card.state is CardState.REQUESTED


def test_a_fault_is_told_by_the_row_of_the_file(portal: PortalWorld, imports: Imports) -> None:
    by = portal.legal_person()
    rows = [["甲", "E-1", "", ""], [], ["", "", "", ""], ["乙", "?", "", ""]]
    preview = imports.preview(by, ImportKind.OPERATORS, sheet(OPERATORS, *rows))
    assert [(row.number, sorted(row.errors)) for row in imports.show(by, preview.id).rows] == [
        (2, []), (5, ["employee_number"]),
    ]  # fmt: skip


def test_an_enterprise_imports_operators_and_makes_their_codes_at_once(
    any_portal: PortalWorld,
) -> None:
    by, services = any_portal.legal_person(), any_portal.services
    any_portal.operator(by, employee_number="E-1")
    preview = services.imports.preview(
        by,
        ImportKind.OPERATORS,
        sheet(
            OPERATORS,
            ["甲", "E-1", "", ""],
            ["乙", "E-2", NUMBER, "进口报关、declare-export"],
            ["丙", "E-3", "123", "皇帝"],
            ["", "E-4", "", ""],
        ),
    )
    assert [sorted(row.errors) for row in preview.rows] == [
        ["employee_number"], [], ["identity_number", "rights"], ["name"],
    ]  # fmt: skip
    assert services.imports.confirm(by, preview.id) == 1
    found = {each.operator.name: each for each in services.operators.page(by).operators}
    assert len(found) == 2
    added = found["乙"]
    assert (added.operator.name, added.rights) == ("乙", ("declare-export", "declare-import"))
    assert services.operators.masked_identity(added.operator) == NUMBER[:6] + "*" * 8 + NUMBER[-4:]
    ids = [each.operator.id for each in services.operators.page(by).operators]
    offered = services.operators.offer_codes(by, [*ids, ids[0]])
    assert len({each.activation_code for each in offered}) == 2
    stranger = any_portal.legal_person(2)
    with pytest.raises(NotFound, match=r"operator\.unknown"):
        services.operators.offer_codes(stranger, ids)


def test_an_import_is_its_bringers_alone(portal: PortalWorld, imports: Imports) -> None:
    officer, other = portal.officer(Role.REGISTRAR), portal.officer(Role.REGISTRAR)
    preview = imports.preview(officer, ImportKind.ENTERPRISES, sheet(ENTERPRISES, enterprise(1)))
    for act in (imports.show, imports.confirm):
        with pytest.raises(NotFound, match=r"import\.unknown"):
            act(other, preview.id)
    with pytest.raises(Forbidden, match=r"role\.missing"):
        imports.preview(
            portal.officer(Role.APPROVER), ImportKind.ENTERPRISES, sheet(ENTERPRISES, enterprise(1))
        )
    with pytest.raises(Forbidden, match=r"legal-person\.required"):
        imports.preview(officer, ImportKind.OPERATORS, sheet(OPERATORS, ["甲", "1", "", ""]))


def test_a_branchs_imports_are_the_branchs(portal: PortalWorld, imports: Imports) -> None:
    head = portal.officer(Role.ADMINISTRATOR)
    branch = portal.services.branches.add(head, "2900", "宁波", "浙江")
    officer = portal.officer_at(branch, Role.REGISTRAR)
    preview = imports.preview(officer, ImportKind.ENTERPRISES, sheet(ENTERPRISES, enterprise(1)))
    imports.confirm(officer, preview.id)
    (taken,) = portal.services.queue.page(officer, Asked()).applications
    assert taken.details.branch_id == branch.id


@pytest.mark.parametrize(
    "heading", [["姓名"], ["姓名", "工号", "姓名"], ["nonsense"], ["'=1+1"]], ids=str
)
def test_columns_that_are_missing_or_doubled_are_told(
    portal: PortalWorld, imports: Imports, heading: list[str]
) -> None:
    with pytest.raises(Unprocessable, match=r"import\.columns"):
        imports.preview(
            portal.legal_person(), ImportKind.OPERATORS, sheet(heading, ["x", "y", "z"])
        )


def test_two_who_take_over_the_same_enterprise_get_it_once(
    portal: PortalWorld, imports: Imports
) -> None:
    one, other = portal.officer(Role.REGISTRAR), portal.officer(Role.REGISTRAR)
    file = sheet(ENTERPRISES, enterprise(1), enterprise(2))
    first = imports.preview(one, ImportKind.ENTERPRISES, file)
    second = imports.preview(other, ImportKind.ENTERPRISES, file)
    assert imports.confirm(one, first.id) == 2
    with pytest.raises(Conflict, match=r"application\.exists"):
        imports.confirm(other, second.id)


@contextmanager
def watched(world: PortalWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Statements of the transactions that write, and uses of the token during them."""
    counted, real = Counter[str](), Database.transaction

    @contextmanager
    def transaction(database: Database) -> Iterator[Connection]:
        with real(database) as connection:
            counted["open"] += 1
            try:
                yield connection
            finally:
                counted["open"] -= 1

    def statement(*_: object) -> None:
        counted["statements"] += 1 if counted["open"] else 0

    def token_used(act: Callable[..., bytes]) -> Callable[..., bytes]:
        def used(*given: object) -> bytes:
            counted["token, in a transaction"] += counted["open"]
            counted["token"] += 1
            return act(*given)

        return used

    monkeypatch.setattr(Database, "transaction", transaction)
    for name in ("encrypt", "decrypt", "mac"):
        monkeypatch.setattr(SecretKey, name, token_used(getattr(SecretKey, name)))
    engine = world.authority.database.engine
    event.listen(engine, "before_cursor_execute", statement)
    yield counted
    event.remove(engine, "before_cursor_execute", statement)


@pytest.mark.parametrize("kind", list(ImportKind))
def test_however_many_rows_an_import_holds_the_database_for_a_few_statements(
    any_portal: PortalWorld, monkeypatch: pytest.MonkeyPatch, kind: ImportKind
) -> None:
    """And the token, which takes its time with each row, is done with them before."""
    services, rows = any_portal.services, 60
    if kind is ImportKind.ENTERPRISES:
        by = any_portal.officer(Role.REGISTRAR)
        file = sheet(ENTERPRISES, *(enterprise(number) for number in range(1, rows + 1)))
    else:
        by = any_portal.legal_person()
        staff = ([f"甲{each}", f"E-{each}", NUMBER, "进口报关"] for each in range(rows))
        file = sheet(OPERATORS, *staff)
    with watched(any_portal, monkeypatch) as counted:
        preview = services.imports.preview(by, kind, file)
        assert services.imports.confirm(by, preview.id) == rows
    assert counted["token"] > 2 * rows, "each number is sealed and indexed for its row"
    assert counted["token, in a transaction"] == 0
    assert counted["statements"] < 25
    with any_portal.authority.database.reading() as connection:
        assert any_portal.authority.journal.verify(connection).intact


def test_an_import_without_a_good_row_takes_nothing_over(
    any_portal: PortalWorld,
) -> None:
    by, imports = any_portal.officer(Role.REGISTRAR), any_portal.services.imports
    preview = imports.preview(
        by, ImportKind.ENTERPRISES, sheet(ENTERPRISES, enterprise(1, customs_code="?"))
    )
    assert imports.confirm(by, preview.id) == 0


def test_a_page_opens_its_own_rows_and_no_others(
    any_portal: PortalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows the import has; the totals are of all."""
    owner, imports = any_portal.legal_person(), any_portal.services.imports
    opened: list[str] = []
    open_text = PersonalData.open_text

    def counted(self: PersonalData, sealed: bytes, purpose: str, row: str) -> str:
        text = open_text(self, sealed, purpose, row)
        if purpose == "import":
            opened.append(text)
        return text

    monkeypatch.setattr(PersonalData, "open_text", counted)
    cost = []
    for rows in (150, 1500):
        staff = ([f"甲{n}", f"E-{n}", "", "进口报关" if n % 100 else "?"] for n in range(rows))
        preview = imports.preview(owner, ImportKind.OPERATORS, sheet(OPERATORS, *staff))
        opened.clear()
        page = imports.page(owner, preview.id, 2, 100)
        cost.append(len(opened))
        assert page.preview.rows == preview.rows[100:200]
        assert (page.total, page.bad, page.last) == (rows, -(-rows // 100), -(-rows // 100))
        bad = imports.page(owner, preview.id, 1, 10, only_bad=True)
        assert bad.preview.rows == tuple(row for row in preview.rows if row.errors)[:10]
        assert imports.page(owner, preview.id, 99, 100).number == page.last
        assert imports.show(owner, preview.id).rows == preview.rows
    assert cost == [1, 1]
