"""Reports for programs (ETSI TS 119 102-2 XML, signed) and for people (PDF)."""

import subprocess
from pathlib import Path

import pytest
from lxml import etree

from kernel.refusals import Unavailable
from policies.rights import load_rights
from signing_service.formats.cades import whole as cades
from signing_service.formats.xades import whole as xades
from signing_service.reports.etsi_xml import NAMESPACE, signed_xml_report, xml_report
from signing_service.reports.pdf import DEFAULT_FONT, pdf_report
from signing_service.reports.pdf_words import PDF_WORDS
from signing_service.validation.evidence import TimestampKind
from signing_service.validation.report import ValidationReport
from tests.signing_service.validation.scenery import DOCUMENT, World

E = f"{{{NAMESPACE}}}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"


@pytest.fixture(scope="module")
def world() -> World:
    world = World()
    world.registry.enrol(world.card)
    return world


@pytest.fixture(scope="module")
def passed(world: World) -> ValidationReport:
    signature = cades.sign(
        DOCUMENT, world.card.key, world.card.certificate, world.clock.now(),
        timestamper=world.timestamper(),
    )  # fmt: skip
    return world.verification(load_rights()).verify(DOCUMENT, signature)


@pytest.fixture(scope="module")
def failed(world: World) -> ValidationReport:
    signature = cades.sign(DOCUMENT, world.card.key, world.card.certificate, world.clock.now())
    return world.verification().verify(DOCUMENT + b"!", signature)


def texts(root: etree._Element, name: str) -> list[str]:
    return [element.text or "" for element in root.iter(E + name)]


# -- XML -------------------------------------------------------------------------------------------


def test_the_xml_report_names_verdict_signer_time_and_objects(passed: ValidationReport) -> None:
    root = etree.fromstring(xml_report(passed))
    (status, _) = texts(root, "MainIndication")
    assert status == "urn:etsi:019102:mainindication:total-passed"
    assert texts(root, "Signer") == ["张三"]
    signature = passed.signatures[0]
    proven = signature.time.proven
    assert proven is not None
    moment = proven.isoformat().replace("+00:00", "Z")
    assert texts(root, "POETime") == [moment, moment]
    kinds = [kind.rpartition(":")[2] for kind in texts(root, "ObjectType")]
    assert sorted(kinds) == ["certificate"] * 4 + ["timestamp"]
    # Every reference leads to an object.
    known = {one.get("id") for one in root.iter(E + "ValidationObject")}
    used = {str(one.get("VOReference")) for one in root.iter() if one.get("VOReference")}
    assert used <= known
    articles = [t for t in texts(root, "Type") if ":article-13:" in t]
    assert len(articles) >= 8


def test_the_xml_report_keeps_the_order_of_its_schema(passed: ValidationReport) -> None:
    root = etree.fromstring(xml_report(passed))
    (first, _) = root
    assert [etree.QName(child).localname for child in first] == [
        "SignatureIdentifier", "ValidationConstraintsEvaluationReport", "ValidationTimeInfo",
        "SignersDocument", "SignatureAttributes", "SignerInformation",
        "SignatureValidationProcess", "SignatureValidationStatus",
    ]  # fmt: skip


def test_a_failure_is_told_with_its_sub_indication(failed: ValidationReport) -> None:
    root = etree.fromstring(xml_report(failed))
    assert texts(root, "MainIndication") == ["urn:etsi:019102:mainindication:total-failed"]
    assert texts(root, "SubIndication") == ["urn:etsi:019102:subindication:HASH_FAILURE"]


def test_something_unreadable_has_a_report_too(world: World) -> None:
    root = etree.fromstring(xml_report(world.verification().verify(b"no signature")))
    assert texts(root, "SubIndication") == ["urn:etsi:019102:subindication:FORMAT_FAILURE"]


def test_the_xml_report_is_signed(world: World, passed: ValidationReport, tmp_path: Path) -> None:
    signed = signed_xml_report(
        passed, world.card.key, world.card.certificate, chain=(world.issuing.certificate,)
    )
    (evidence,) = xades.read(signed)
    assert evidence.covers_document
    assert world.judge(evidence).conclusion.passed
    root = etree.fromstring(signed)
    assert root[-1].tag == DS + "Signature"  # where the schema wants it
    report, anchor = tmp_path / "report.xml", tmp_path / "root.pem"
    report.write_bytes(signed)
    anchor.write_text(world.root.certificate.pem)
    found = subprocess.run(
        ["xmlsec1", "--verify", "--trusted-pem", str(anchor), "--verification-time",
         f"{world.clock.now():%Y-%m-%d %H:%M:%S}", "--id-attr:Id", "SignedProperties",
         "--enabled-key-data", "x509", str(report)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert "OK" in found.stdout + found.stderr, found.stderr


def test_names_with_control_characters_do_not_break_the_report(world: World) -> None:
    card = world.issuing.card("张\u0007三\u202e")
    signature = cades.sign(DOCUMENT, card.key, card.certificate, world.clock.now())
    report = world.verification().verify(DOCUMENT, signature)
    assert etree.fromstring(xml_report(report)) is not None
    assert "\u202e" not in text_of(pdf_report(report))


# -- PDF -------------------------------------------------------------------------------------------


def text_of(pdf: bytes) -> str:
    """The text that poppler finds."""
    found = subprocess.run(
        ["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True, timeout=60
    )
    return "".join(found.stdout.decode().split())


@pytest.fixture(scope="module")
def chinese(passed: ValidationReport) -> str:
    return text_of(pdf_report(passed, "zh"))


def test_the_pdf_tells_the_verdict_and_the_four_conditions_in_chinese(
    chinese: str, passed: ValidationReport
) -> None:
    assert "签名有效" in chinese
    assert "《电子签名法》第十三条的四项条件" in chinese
    for condition in passed.signatures[0].article_13:
        assert "".join(condition.question.zh.split()) in chinese
    assert "上海示例报关有限公司" in chinese
    for words in ("进口报关（declare-import）", "5.2.2格式检查", "认证机构自身的记录"):
        assert words in chinese


def test_the_pdf_tells_the_same_in_english(failed: ValidationReport) -> None:
    english = text_of(pdf_report(failed, "en"))
    assert "Thesignatureisnotvalid" in english
    assert "TOTAL-FAILED/HASH_FAILURE" in english
    for condition in failed.signatures[0].article_13:
        assert "".join(condition.question.en.split()) in english


def test_the_same_report_gives_the_same_pdf(passed: ValidationReport) -> None:
    assert pdf_report(passed) == pdf_report(passed)


def test_without_its_font_the_pdf_is_refused(passed: ValidationReport, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as refusal:
        pdf_report(passed, font=tmp_path / "missing.ttc")
    assert refusal.value.code == "report.font"
    assert "fonts-noto-cjk" in refusal.value.detail
    assert DEFAULT_FONT.exists()


def test_every_kind_of_timestamp_has_words() -> None:
    assert {kind.value for kind in TimestampKind} <= set(PDF_WORDS)
