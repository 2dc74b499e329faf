"""Declarations: recognised by kind, bound to an enterprise, filed only by who may."""

from pathlib import Path

import pytest

from kernel.refusals import Forbidden, Malformed, Refusal, Unprocessable
from policies.rights import load_rights
from signing_service.declaration import check_right, read_declaration
from signing_service.ports import Holder, HolderKind

SAMPLES = Path(__file__).parents[1] / "samples"
IMPORT = (SAMPLES / "dec-import.xml").read_bytes()
INVENTORY = (SAMPLES / "ceb621.xml").read_bytes()
MANIFEST = (SAMPLES / "mt1401.xml").read_bytes()
ORDER = (SAMPLES / "ceb311.xml").read_bytes()
ENTERED = IMPORT.replace(b"<OperType>C<", b"<OperType>G<")
AGENT = "91310115MA1K3XY208"
RIGHTS = load_rights()


def holder(*rights: str, uscc: str | None = AGENT, customs: str | None = "3122980003") -> Holder:
    return Holder(
        HolderKind.OPERATOR, "op", "张三", "card", "active",
        "上海示例报关有限公司", uscc, customs, rights,
    )  # fmt: skip


def test_an_import_declaration_is_recognised_with_its_declaring_agent() -> None:
    declaration = read_declaration(IMPORT, RIGHTS)
    assert declaration.kind.code == "import-declaration"
    assert declaration.declaring_uscc == AGENT
    assert declaration.customs_code is None
    shown = {field.name_en: field.value for field in declaration.fields}
    assert shown["Declaring agent"] == "上海示例报关有限公司"
    assert shown["Bill of lading"] == "EXMU2611180042"


def test_the_flag_makes_it_an_export_declaration() -> None:
    document = IMPORT.replace(b"<IEFlag>I<", b"<IEFlag>E<")
    assert read_declaration(document, RIGHTS).kind.code == "export-declaration"


def test_an_inventory_names_its_enterprise_by_customs_code() -> None:
    declaration = read_declaration(INVENTORY, RIGHTS)
    assert declaration.kind.code == "ecommerce-inventory"
    assert declaration.customs_code == "3502960001"


@pytest.mark.parametrize(
    ("document", "kind"), [(MANIFEST, "original-manifest"), (ORDER, "ecommerce-order")]
)
def test_what_is_always_declared_is_recognised(document: bytes, kind: str) -> None:
    declaration = read_declaration(document, RIGHTS)
    assert (declaration.kind.code, declaration.act) == (kind, "declare")
    assert declaration.customs_code == "3502960001"


@pytest.mark.parametrize(
    ("document", "right", "refused"),
    [
        (ENTERED, "enter-import", False),
        (ENTERED, "declare-import", False),
        (ENTERED, "enter-export", True),
        (IMPORT, "declare-import", False),
        (IMPORT, "enter-import", True),
    ],
)
def test_who_may_only_enter_does_not_declare(document: bytes, right: str, refused: bool) -> None:
    declaration = read_declaration(document, RIGHTS)
    assert declaration.act == ("enter" if document is ENTERED else "declare")
    if not refused:
        check_right(declaration, holder(right), RIGHTS)
        return
    with pytest.raises(Forbidden) as caught:
        check_right(declaration, holder(right), RIGHTS)
    assert caught.value.code == "right.missing"
    assert caught.value.facts["right"] == "declare-import"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((b"<IEFlag>I<", b"<IEFlag>X<"), "declaration.unknown-kind"),
        ((b"chinaport.gov.cn/dec", b"example.com/dec"), "declaration.unknown-kind"),
        ((b"<OperType>C<", b"<OperType>D<"), "declaration.unknown-act"),
        ((b"<OperType>C</OperType>", b""), "declaration.field-missing"),
        ((b"</OperType>", b"</OperType><OperType>G</OperType>"), "declaration.field-ambiguous"),
        ((b"<IEFlag>I</IEFlag>", b""), "declaration.field-missing"),
        ((b"</IEFlag>", b"</IEFlag><IEFlag>E</IEFlag>"), "declaration.field-ambiguous"),
        ((b"<IEFlag>I<", b"<IEFlag>I<!-- -->E<"), "declaration.field-malformed"),
        ((b"<AgentCodeScc>9", b"<AgentCodeScc>8"), "declaration.declarant-malformed"),
        ((AGENT.encode(), b""), "declaration.field-missing"),
        ((b"</DecHead>", b"</DecHead><DecHead/>"), "declaration.field-missing"),
        ((b"</AgentCodeScc>", b"</AgentCodeScc><AgentCodeScc/>"), "declaration.field-ambiguous"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(
    change: tuple[bytes, bytes], code: str
) -> None:
    assert change[0] in IMPORT
    with pytest.raises(Refusal) as caught:
        read_declaration(IMPORT.replace(*change, 1), RIGHTS)
    assert caught.value.code == code


@pytest.mark.parametrize("document", [b"", b"<", b"\xff\xfe", b"{}", b"<a>" * 100])
def test_what_is_no_xml_is_malformed(document: bytes) -> None:
    with pytest.raises(Malformed):
        read_declaration(document, RIGHTS)


def test_external_entities_are_refused() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><DecMessage>&e;</DecMessage>'
    with pytest.raises(Malformed):
        read_declaration(bomb, RIGHTS)


def test_another_root_is_no_declaration() -> None:
    with pytest.raises(Unprocessable, match="unknown-kind"):
        read_declaration(b"<invoice/>", RIGHTS)


def test_who_holds_the_right_for_the_own_enterprise_may_file() -> None:
    check_right(read_declaration(IMPORT, RIGHTS), holder("declare-import"), RIGHTS)
    check_right(
        read_declaration(INVENTORY, RIGHTS),
        holder("file-ecommerce-inventory", customs="3502960001"),
        RIGHTS,
    )


def test_who_lacks_the_right_is_told_which_one() -> None:
    with pytest.raises(Forbidden) as caught:
        check_right(read_declaration(IMPORT, RIGHTS), holder("declare-export"), RIGHTS)
    assert caught.value.code == "right.missing"
    facts = caught.value.facts
    assert (facts["right"], facts["kind"]) == ("declare-import", "import-declaration")
    assert "Declare imports" in caught.value.detail


@pytest.mark.parametrize("uscc", ["91350200MA0000AB11", None])
def test_nobody_files_for_another_enterprise(uscc: str | None) -> None:
    with pytest.raises(Forbidden) as caught:
        check_right(read_declaration(IMPORT, RIGHTS), holder("declare-import", uscc=uscc), RIGHTS)
    assert caught.value.code == "declaration.other-enterprise"
    assert caught.value.facts["declarant"] == AGENT
