"""The validation report in ETSI's XML (TS 119 102-2), signed by the service's own key."""

import subprocess
from pathlib import Path

import pytest
import requests
from lxml import etree

from portseal.demo.signing_steps import import_declaration
from portseal.holder.service import Service
from signing_service.formats.jades import whole as jades
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.recognition import read_signatures
from signing_service.reports.etsi_xml import NAMESPACE
from signing_service.validation.evidence import SignatureFormat
from tests.portseal.service import RunningService

XADES = "http://uri.etsi.org/01903/v1.3.2#"


def xml_report(service: RunningService, presented: bytes) -> bytes:
    answer = requests.post(
        f"{service.origin}/api/v1/verifications",
        files={"document": ("document", presented)},
        headers={"Accept": "application/xml"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("application/xml")
    return answer.content


@pytest.fixture(scope="module")
def countersigned(service: RunningService) -> bytes:
    operator, card = service.signed_in("operator"), service.stage.cards["operator"]
    manner = Manner(SignatureFormat.JADES)
    first = operator.make(card, Subject.of(import_declaration()), manner).signature
    upon = Manner(SignatureFormat.JADES, act=Act.COUNTER)
    return operator.make(card, Subject({}, first), upon).signature


@pytest.fixture(scope="module")
def report(service: RunningService, countersigned: bytes) -> bytes:
    return xml_report(service, countersigned)


def test_xmlsec1_verifies_the_report_up_to_the_root(
    service: RunningService, report: bytes, tmp_path: Path
) -> None:
    (tmp_path / "report.xml").write_bytes(report)
    command = ["xmlsec1", "--verify", "--trusted-pem", str(service.stage.file("root.pem"))]
    command += ["--id-attr:Id", f"{XADES}:SignedProperties", "report.xml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    forged = report.replace(b"total-passed", b"total-failed")
    assert forged != report
    (tmp_path / "report.xml").write_bytes(forged)
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode != 0


def test_its_signer_is_the_service_and_its_time_is_proven(
    service: RunningService, report: bytes
) -> None:
    (evidence,) = read_signatures(report, None)
    certificate = evidence.signing_certificate
    assert certificate is not None
    assert certificate.attribute("2.5.4.3") == "PortSeal Validation Reports"
    assert [oid.rpartition("32473.")[2] for oid in certificate.policies] == ["1.12"]
    verdict = service.anonymous().verify(report)
    assert verdict["finding"]["indication"] == "TOTAL-PASSED"
    assert verdict["signatures"][0]["level"] == "B-T"


def test_it_names_the_signature_and_the_counter_signature(report: bytes) -> None:
    root = etree.fromstring(report)
    names = {"v": NAMESPACE, "ds": "http://www.w3.org/2000/09/xmldsig#"}
    reports = root.findall("v:SignatureValidationReport", names)
    assert len(reports) == 2
    main, counter = (
        each.findtext("v:SignatureIdentifier/v:DigestAlgAndValue/ds:DigestValue", None, names)
        for each in reports
    )
    named = reports[0].findtext(
        "v:SignatureAttributes/v:CounterSignature/v:CounterSignature/v:DigestValue", None, names
    )
    assert named == counter != main
    indications = [each.findtext(".//v:MainIndication", None, names) for each in reports]
    assert indications == ["urn:etsi:019102:mainindication:total-passed"] * 2


def test_a_stranger_s_rubbish_gets_a_signed_report_too(service: RunningService) -> None:
    report = xml_report(service, b"no signature at all")
    assert b"total-failed" in report
    assert len(read_signatures(report, None)) == 1


def test_pages_and_papers_name_the_counter_signature(
    service: RunningService, countersigned: bytes
) -> None:
    anonymous: Service = service.anonymous()
    files = {"document": ("document", countersigned)}
    asked = anonymous.fetch("POST", "/verify", files=files, headers={"Accept-Language": "zh"})
    page = anonymous.fetch("GET", asked.headers["Location"]).text
    assert "副署" in page
    pdf = requests.post(
        f"{service.origin}/api/v1/verifications",
        files=files,
        headers={"Accept": "application/pdf", "Accept-Language": "zh"},
        timeout=30,
    ).content
    text = subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True, check=True)
    assert "副署" in text.stdout.decode()
    (evidence,) = jades.read(countersigned)
    assert len(evidence.counter_signatures) == 1
