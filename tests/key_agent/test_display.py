"""What a person sees of a document: from the templates, and cleaned of whatever could deceive."""

import re
from pathlib import Path

import pytest

from key_agent.display import add_totals, show, templates
from key_agent.pinentry import pages
from key_agent.windows import MAX_LINES, MAX_WIDTH, clean, columns, view
from key_agent.words import Words
from policies.rights import load_rights

SAMPLES = Path(__file__).parents[1] / "samples"
DECLARATION = (SAMPLES / "dec-import.xml").read_bytes()
INVENTORY = (SAMPLES / "ceb621.xml").read_bytes()
ZH, EN = Words("zh"), Words("en")


def test_a_declaration_is_shown_in_chinese() -> None:
    shown = show(DECLARATION, "dec.xml", ZH)
    assert (shown.kind, shown.name) == ("dec-message", "报关单")
    assert shown.lines[:4] == (
        "文件：dec.xml",
        "进出口: 进口",
        "操作: 申报",
        "客户端编号: CSN20261120000042",
    )
    assert "境内收发货人: 厦门示例进出口有限公司" in shown.lines
    assert "总价: 38,928.00 EUR" in shown.lines
    assert "  1. 贴片机用送料器  40  12400.00  EUR" in shown.lines


def test_an_inventory_of_cross_border_trade_is_shown() -> None:
    shown = show(INVENTORY, None, EN)
    assert shown.name == "Cross-border e-commerce import inventory"
    assert "Merchant: 厦门示例进出口有限公司" in shown.lines
    assert "Total value: 128.00 142" in shown.lines
    assert "Goods: 1" in shown.lines


def test_an_order_of_cross_border_trade_is_shown() -> None:
    shown = show((SAMPLES / "ceb311.xml").read_bytes(), None, EN)
    assert shown.name == "Cross-border e-commerce order"
    assert "Paid: 150.56 142" in shown.lines
    assert "  1. 示例保健食品  1  128.00  142" in shown.lines
    assert not any("000000" in line for line in shown.lines), "who bought it is nobody's business"


def test_a_manifest_is_shown_with_its_consignments() -> None:
    shown = show((SAMPLES / "mt1401.xml").read_bytes(), None, ZH)
    assert shown.name == "原始舱单"
    assert "运输工具名称: EXAMPLE STAR" in shown.lines
    assert "提运单: 2" in shown.lines
    assert "  2. EXMU2611180043  3  90  SPARE PARTS" in shown.lines


def test_whatever_the_service_files_has_a_template() -> None:
    known = {(template.namespace, template.root) for template in templates()}
    assert {(kind.namespace, kind.root) for kind in load_rights().kinds} <= known


def test_every_template_names_its_fields_in_both_languages() -> None:
    assert {template.kind for template in templates()} >= {"dec-message", "ceb621"}
    for template in templates():
        for field in template.field:
            assert field.values_zh.keys() == field.values_en.keys(), field.path


def test_a_second_value_does_not_hide_behind_the_first() -> None:
    doubled = DECLARATION.replace(
        b"<AgentName>", b"<AgentName>somebody else</AgentName><AgentName>"
    )
    shown = show(doubled, None, EN)
    assert "Declarant: somebody else" in shown.lines
    assert "Declarant: 上海示例报关有限公司" in shown.lines


def test_a_long_value_pushes_no_other_out_of_sight() -> None:
    long = "长".encode() * 100
    doubled = DECLARATION.replace(b"<AgentName>", b"<AgentName>%b</AgentName><AgentName>" % long)
    lines = view("title", "site", *show(doubled, None, EN).lines).lines
    assert "Declarant: 上海示例报关有限公司" in lines
    named = "贴片机用送料器".encode()
    assert named in DECLARATION
    lines = view("title", "site", *show(DECLARATION.replace(named, long), None, EN).lines).lines
    (row,) = [line for line in lines if line.startswith("  1. 长")]
    assert row.endswith("…  40  12400.00  EUR")


def test_amounts_of_different_currencies_are_never_added() -> None:
    mixed = DECLARATION.replace(b"<TradeCurr>EUR", b"<TradeCurr>USD", 1)
    shown = show(mixed, None, EN)
    assert "Total value: 12,400.00 USD" in shown.lines
    assert "Total value: 26,528.00 EUR" in shown.lines
    both = add_totals([shown, show(DECLARATION, None, EN)])
    assert both == ["Total value: 12,400.00 USD", "Total value: 65,456.00 EUR"]


def test_an_amount_that_is_no_number_is_no_total() -> None:
    shown = show(DECLARATION.replace(b">12400.00<", b">many<"), None, EN)
    assert "Total value: ? EUR" in shown.lines


@pytest.mark.parametrize(
    "amount",
    [
        "9E+999999", "1E-999999", "9E+3", "sNaN", "NaN", "Infinity", "-Infinity", "1_000", "١٢",
        "9" * 25, "0." + "1" * 13, "9" * 100_000, ".", "+", "--1", "1.2.3",
    ],
    ids=lambda amount: amount[:12],
)  # fmt: skip
def test_no_amount_is_so_odd_that_the_document_cannot_be_shown(amount: str) -> None:
    odd = amount.encode()
    once = DECLARATION.replace(b">12400.00<", b">%b<" % odd)
    all_odd = re.sub(rb"<DeclTotal>[^<]*<", b"<DeclTotal>%b<" % odd, DECLARATION)
    assert all_odd.count(b">%b<" % odd) > once.count(b">%b<" % odd) > 0
    shown = [show(document, None, EN) for document in (once, all_odd, all_odd)]
    for each in shown:
        assert "Total value: ? EUR" in each.lines
    assert add_totals(shown) == ["Total value: ? EUR"]


def test_totals_are_exact_to_the_last_digit() -> None:
    large, small = b"9" * 24, b".000000000001"
    document = DECLARATION.replace(b">12400.00<", b">%b<" % large, 1)
    document = re.sub(rb">(?!9{24})[^<]*</DeclTotal>", b">%b</DeclTotal>" % small, document)
    shown = show(document, None, EN)
    ones = document.count(small)
    total = f"{int(large):,}.{ones:012d}"
    assert f"Total value: {total} EUR" in shown.lines
    assert add_totals([shown]) == [f"Total value: {total} EUR"]


def test_a_long_list_says_how_much_is_not_shown() -> None:
    one = DECLARATION[DECLARATION.index(b"<DecList>") : DECLARATION.index(b"</DecList>") + 10]
    long = DECLARATION.replace(b"</DecLists>", one * 20 + b"</DecLists>")
    shown = show(long, None, EN)
    assert "Goods: 23" in shown.lines
    assert "  … and 19 more" in shown.lines


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (b"%PDF-1.7\n...", "pdf"),
        ("一行文字\n第二行".encode(), "text"),
        (b"\x00\x01\x02", "unknown"),
        (b"<unknown/>", "unknown"),
        (b"<broken", "unknown"),
        (b"", "text"),
    ],
)
def test_other_documents_are_named_by_kind_size_and_digest(document: bytes, kind: str) -> None:
    shown = show(document, None, EN)
    assert shown.kind == kind
    assert shown.lines[0] == f"Size: {len(document):,} octets"
    assert shown.lines[1].startswith("SHA-256: ")


def test_text_is_shown_as_it_is() -> None:
    assert show("甲\n乙".encode(), None, EN).lines[2:] == ("  甲", "  乙")


@pytest.mark.parametrize(
    "hostile",
    [
        "Site: https://bank.example\nAmount: 1",
        "abc\u202egnp.exe",
        "a\u2066b\u2069c",
        "x\x1b[2Jy",
        "one\u2028two",
        "tab\there\r",
    ],
)
def test_nothing_in_a_document_draws_over_its_neighbours(hostile: str) -> None:
    shown = clean(hostile)
    assert shown.isprintable()
    assert "\n" not in shown


def test_a_line_is_clipped_by_what_it_takes_on_the_screen() -> None:
    assert clean("长" * 100) == "长" * (MAX_WIDTH // 2) + "…"
    assert clean("x" * 100) == "x" * MAX_WIDTH + "…"


def test_the_end_of_a_long_origin_is_shown_on_every_page() -> None:
    """Whose an origin is, its end tells."""
    origin = f"https://id.customs.gov.cn.{'a' * 60}.evil.example"
    lines = [f"第 {number} 行：一些比较长的中文内容，占去许多字节" for number in range(40)]
    shown = view("title", EN("site", origin=origin), *lines)
    assert all(columns(line) <= MAX_WIDTH for line in shown.lines)
    made = pages(shown)
    assert len(made) > 2
    for page in made:
        assert origin in page.replace("\n", "").replace(" ", "")
        assert len(page.encode()) < 990
    assert sum(page.count("第") for page in made) == 40


def test_the_longest_origin_is_shown_whole() -> None:
    origin = "https://" + ".".join(["x" * 62] * 4) + ":65535"
    assert "".join(view("title", origin).lines) == origin


def test_every_page_of_a_long_question_names_the_site() -> None:
    lines = [f"第 {number} 行：一些比较长的中文内容，占去许多字节" for number in range(40)]
    made = pages(view("title", "Site: https://portal.example", *lines))
    assert len(made) > 2
    for number, page in enumerate(made, 1):
        assert page.startswith(f"Site: https://portal.example ({number}/{len(made)})\n")
        assert len(page.encode()) < 990
    assert sum(page.count("第") for page in made) == 40


SUMMARY = ["It asks you to sign 40 documents", "Total value: 38,928.00 EUR", "USB key: operator"]


@pytest.mark.parametrize("count", range(18, 50))
@pytest.mark.parametrize("site", ["https://portal.example", "https://" + "x" * 240])
def test_the_page_where_the_pin_is_typed_repeats_what_it_is_for(count: int, site: str) -> None:
    lines = [f"第 {number} 行：一些比较长的中文内容" for number in range(count)]
    shown = view("title", site, *SUMMARY[:2], *lines, SUMMARY[2], summary=SUMMARY)
    *before, last = pages(shown)
    assert before
    for line in SUMMARY:
        assert last.split("\n").count(line) == 1
    assert sum(page.count("第") for page in (*before, last)) == count
    for page in (*before, last):
        assert page.count("\n") < MAX_LINES
        assert len(page.encode()) < 990


def test_what_fits_one_page_is_not_said_twice() -> None:
    (page,) = pages(view("title", "Site", *SUMMARY, summary=SUMMARY))
    assert page == "\n".join(["Site", *SUMMARY])
