"""EU DSS beside us: what it signs is verified here, what we sign is validated there.

Not collected by itself. With a JDK and Maven (see README.md beside this file):

    mvn -q -f tests/strangers/dss/pom.xml dependency:copy-dependencies -DoutputDirectory=$DIR/lib
    DSS_LIBRARIES=$DIR/lib .venv/bin/pytest -s tests/strangers/dss/compare_with_dss.py
"""

import base64
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from lxml import etree

from portseal.demo.signing_steps import import_declaration
from signing_service.formats.making import holds_documents
from signing_service.formats.manner import Manner, Subject
from signing_service.formats.pades.whole import is_pdf
from signing_service.validation.evidence import SignatureFormat, SignatureLevel
from tests.portseal.service import RunningService
from tests.portseal.test_signing_manners import MANNERS, named
from tests.signing_service.formats.pades.pdf.samples import sample

DECLARATION, PDF = import_declaration(), sample()
LEVELS = [SignatureLevel.B_B, SignatureLevel.B_T, SignatureLevel.B_LT, SignatureLevel.B_LTA]
PASSWORD = "dss-only"


class Dss:
    """A directory with what both sides need, and DSS run on it."""

    def __init__(self, directory: Path, service: RunningService) -> None:
        self.directory = directory
        self.service = service
        (directory / "document.xml").write_bytes(DECLARATION)
        (directory / "document.pdf").write_bytes(PDF)
        (directory / "password").write_text(PASSWORD)
        (directory / "root.pem").write_text(service.stage.file("root.pem").read_text())
        (directory / "signer.p12").write_bytes(self._enrolled())

    def _enrolled(self) -> bytes:
        """A key in a file, certified as an operator's: DSS reads no PKCS#11 here."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dss")])
        request = x509.CertificateSigningRequestBuilder().subject_name(name)
        signed = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        body = {
            "activation_code": self.service.activation_code_of_new_operator("declare-import"),
            "pkcs10": base64.b64encode(signed).decode(),
        }
        pem = self.service.anonymous().call("POST", "/api/v1/enrolments", body)["certificate"]
        issuing = self.service.stage.file("issuing.pem").read_bytes()
        return pkcs12.serialize_key_and_certificates(
            b"dss", key, x509.load_pem_x509_certificate(pem.encode()),
            [x509.load_pem_x509_certificate(issuing)],
            serialization.BestAvailableEncryption(PASSWORD.encode()),
        )  # fmt: skip

    def run(self, *arguments: str) -> list[list[str]]:
        libraries = os.environ["DSS_LIBRARIES"]
        source = Path(__file__).with_name("Dss.java")
        command = ["java", "-cp", f"{libraries}/*", str(source), str(self.directory), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr[-4000:]
        return [line.split("\t") for line in done.stdout.splitlines() if "\t" in line]


@pytest.fixture(scope="module")
def dss(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Dss:
    if "DSS_LIBRARIES" not in os.environ:
        pytest.skip("DSS_LIBRARIES names no directory")
    return Dss(tmp_path_factory.mktemp("dss"), service)


def test_what_dss_signs_is_verified_here(dss: Dss) -> None:
    for line in dss.run("sign", f"{dss.service.origin}/tsa"):
        print(*line)
    failed = []
    anonymous = dss.service.anonymous()
    for file in sorted((dss.directory / "theirs").iterdir()):
        signed = file.read_bytes()
        beside = DECLARATION if "DETACHED" in file.name or file.suffix == ".p7s" else None
        if beside is not None and "ENVELOPING" in file.name:
            beside = None
        report = anonymous.verify(signed) if beside is None else anonymous.verify(beside, signed)
        found = report["finding"]
        levels = [each["level"] for each in report["signatures"]]
        print("theirs", file.name, found["indication"], found["sub_indication"], levels)
        wanted = "B-" + file.stem.rpartition("-")[2]
        if found["indication"] != "TOTAL-PASSED" or set(levels) != {wanted}:
            failed.append((file.name, found["reason"], found["why"]["en"], levels))
    assert failed == []


class _Shipped(etree.Resolver):
    """Schemas by the last part of their addresses, out of DSS's archives."""

    def __init__(self) -> None:
        self._found: dict[str, bytes] = {}
        for archive in Path(os.environ["DSS_LIBRARIES"]).glob("specs-*.jar"):
            with zipfile.ZipFile(archive) as opened:
                for name in opened.namelist():
                    if name.endswith(".xsd"):
                        self._found[name.rpartition("/")[2]] = opened.read(name)
        self._found["XAdES.xsd"] = self._found["XAdES01903v132-201601.xsd"]

    def schema(self, name: str) -> bytes:
        return self._found[name]

    # The stubs leave the context out.
    def resolve(  # type: ignore[override]
        self, system_url: Any, public_id: Any, context: Any
    ) -> Any:
        found = self._found[str(system_url).rpartition("/")[2]]
        return self.resolve_string(found, context, base_url=str(system_url))


def _schema() -> etree.XMLSchema:
    parser, shipped = etree.XMLParser(), _Shipped()
    parser.resolvers.add(shipped)
    root = etree.fromstring(shipped.schema("TS119102-2-v141.xsd"), parser)
    return etree.XMLSchema(root)


def test_what_we_sign_is_validated_by_dss(dss: Dss) -> None:
    ours = dss.directory / "ours"
    ours.mkdir()
    operator, card = dss.service.signed_in("operator"), dss.service.stage.cards["operator"]
    for manner in (*MANNERS, Manner(SignatureFormat.PADES)):
        for level in LEVELS:
            document = PDF if manner.format is SignatureFormat.PADES else DECLARATION
            signed = operator.make(card, Subject.of(document), manner, level).signature
            kind = "" if is_pdf(signed) or holds_documents(signed) else "-detached"
            (ours / f"{named(manner)}-{level}{kind}").write_bytes(signed)
    failed = []
    for line in dss.run("validate"):
        print(*line)
        if not line[2].startswith("TOTAL_PASSED"):
            failed.append(line)
    assert failed == []


def test_our_xml_report_holds_to_the_schema_of_etsi(dss: Dss) -> None:
    """TS 119 102-2 V1.4.1, from DSS's own copy."""
    found = sorted((dss.directory / "ours").iterdir()) if (dss.directory / "ours").exists() else []
    schema = _schema()
    presented = [DECLARATION, *(each.read_bytes() for each in found)]
    for data in presented:
        report = requests.post(
            f"{dss.service.origin}/api/v1/verifications",
            files={"document": ("document", data)},
            headers={"Accept": "application/xml"},
            timeout=30,
        ).content
        assert schema.validate(etree.fromstring(report)), schema.error_log
