"""Steps, sources and rights in the reader's language; refusals in Chinese."""

import re

import pytest

from signing_service.reports.names import right_name, source_name, step_name
from signing_service.validation.indications import Step
from signing_service.validation.refusal_words import refusal_in_chinese
from tests.signing_service.validation.scenery import World

LATIN_WORD = re.compile(r"[a-z]{4,}")


@pytest.mark.parametrize("step", list(Step))
def test_every_step_has_its_clause_and_chinese_words(step: Step) -> None:
    named = step_name(step.value)
    assert named.en == step.value
    assert named.zh.split()[0] == step.value.split()[0]
    assert not LATIN_WORD.search(named.zh)


@pytest.mark.parametrize(
    ("source", "chinese"),
    [
        ("the authority's own records", "认证机构自身的记录"),
        ("OCSP response", "OCSP 响应"),
        ("CRL", "吊销列表"),
        ("CRL 17", "吊销列表 17"),
        ("delta CRL 18", "增量吊销列表 18"),
        ("CRLish", "CRLish"),
    ],
)
def test_sources_are_named_in_both_languages(source: str, chinese: str) -> None:
    assert (source_name(source).en, source_name(source).zh) == (source, chinese)


def test_rights_are_named_by_the_catalogue_with_their_codes() -> None:
    named = right_name("declare-import")
    assert (named.en, named.zh) == (
        "Declare imports (declare-import)",
        "进口报关（declare-import）",
    )
    assert right_name("withdrawn-since").zh == "withdrawn-since"


@pytest.mark.parametrize(
    ("presented", "chinese"),
    [
        (b"<a/>", "提交的内容不是可以识别的签名：XML 签名中没有签名。"),
        (b"<!DOCTYPE a><a/>", "提交的内容不是可以识别的签名：XML 文件不得含有文档类型声明。"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_language_at_a_time(
    presented: bytes, chinese: str
) -> None:
    finding = World().verification().verify(presented).finding
    assert finding.why.zh == chinese
    assert not re.search("[一-鿿]", finding.why.en)


def test_a_code_without_words_is_shown_as_code() -> None:
    assert refusal_in_chinese("cms.too-many") == "CMS 签名包含的签名或元素过多"
    assert refusal_in_chinese("xades.novel") == "XML 签名不符合要求（xades.novel）"
    assert refusal_in_chinese("novel.thing") == "提交的内容不符合要求（novel.thing）"
