"""What the columns of an import are called, and how their cells are read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from kernel.identifiers import parse_customs_code, parse_uscc
from kernel.refusals import Malformed, Refusal, Unprocessable
from policies.rights import RightsCatalogue
from ra_portal import fields
from ra_portal.applications.application import LONGEST_NAME

IDENTITY = "identity_number"


class ImportKind(StrEnum):
    ENTERPRISES = "enterprises"
    """Applications of a branch's enterprises; another officer approves each."""
    OPERATORS = "operators"
    """Of the enterprise that imports them."""


@dataclass(frozen=True)
class Column:
    name: str
    headings: tuple[str, ...]
    """As a file may call it, the first of them in our template; compared without case."""
    read: Callable[[str], str]
    required: bool = True


def columns_of(kind: ImportKind, catalogue: RightsCatalogue) -> tuple[Column, ...]:
    name = fields.text(LONGEST_NAME)
    identity = Column(
        IDENTITY, ("证件号码", "Identity number", IDENTITY), fields.identity_number, required=False
    )
    if kind is ImportKind.OPERATORS:
        return (
            Column("name", ("姓名", "Name"), name),
            Column("employee_number", ("工号", "Employee number"), fields.employee_number),
            identity,
            Column("rights", ("权限", "Rights"), _rights(catalogue), required=False),
        )
    return (
        Column("name", ("企业名称", "Name"), name),
        Column("uscc", ("统一社会信用代码", "Unified social credit code"), parse_uscc),
        Column("customs_code", ("海关注册编码", "Customs registration code"), parse_customs_code),
        Column("legal_representative", ("法定代表人", "Legal representative"), name),
        identity,
        Column("region", ("所在地区", "Region"), fields.text(80)),
        Column("phone", ("电话", "Telephone"), fields.phone, required=False),
        Column("email", ("电子邮箱", "E-mail"), fields.email, required=False),
    )


def find_columns(heading: Sequence[str], columns: Sequence[Column]) -> dict[str, int]:
    """Where each column stands. Raises Unprocessable `import.columns`."""
    known = {
        alias.casefold(): column.name
        for column in columns
        for alias in (*column.headings, column.name)
    }
    found: dict[str, int] = {}
    for position, text in enumerate(heading):
        name = known.get(text.strip().rstrip("*").casefold())
        if name is not None:
            if name in found:
                raise Unprocessable("import.columns", "a column stands twice", column=name)
            found[name] = position
    missing = [column.name for column in columns if column.required and column.name not in found]
    if missing:
        raise Unprocessable(
            "import.columns",
            "the first row must name the columns as the template does",
            missing=",".join(missing),
        )
    return found


def read_row(
    cells: Mapping[str, str], columns: Sequence[Column]
) -> tuple[dict[str, str], dict[str, Refusal]]:
    """The cells as they are kept, those that are wrong as they came; and what is wrong."""
    values, errors = dict(cells), dict[str, Refusal]()
    for column in columns:
        text = cells.get(column.name, "")
        if not text and not column.required:
            continue
        try:
            if not text:
                raise Malformed("field.missing", "this field must be filled in")
            values[column.name] = column.read(text)
        except Refusal as refusal:
            errors[column.name] = refusal
    return values, errors


def _rights(catalogue: RightsCatalogue) -> Callable[[str], str]:
    known = {
        alias.casefold(): right.code
        for right in catalogue.rights
        for alias in (right.code, right.name_zh, right.name_en)
    }

    def read(text: str) -> str:
        for separator in "、,;；|/":
            text = text.replace(separator, "，")
        named = [part.strip().casefold() for part in text.split("，") if part.strip()]
        if not all(part in known for part in named):
            raise Unprocessable("right.unknown", "there is no such right")
        return ",".join(sorted({known[part] for part in named}))

    return read
