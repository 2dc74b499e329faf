"""What a seal signs, before other validators: openssl, xmlsec1, poppler, pyHanko, joserfc."""

import base64
import io
import json
import subprocess
from pathlib import Path

import pytest
from asn1crypto import pem, x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws
from joserfc.jwk import ECKey
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from kernel.asn1.certificate import Certificate
from portseal.holder.service import Service
from tests.portseal.service import RunningService
from tests.signing_service.formats.jades.signed import registry
from tests.signing_service.formats.pades.pdf.samples import sample
from tests.signing_service.formats.pades.pdf.strangers import pdfsig
from tests.signing_service.remote.platform import RemotePlatform
from tests.signing_service.remote.test_documents import XML, at_every_level


@pytest.mark.parametrize("envelope", ["Attached", "Detached"])
def test_openssl_accepts_cades(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    tmp_path: Path,
    envelope: str,
) -> None:
    (tmp_path / "document").write_bytes(XML)
    given = ["-content", str(tmp_path / "document")] if envelope == "Detached" else []
    made = at_every_level(platform, browser, token, seal, ("C", XML), envelope)
    for level, signature in made.items():
        (tmp_path / "signature.p7s").write_bytes(signature)
        told = subprocess.run(
            ["openssl", "cms", "-verify", "-binary", "-inform", "DER",
             "-in", tmp_path / "signature.p7s", *given, "-purpose", "any",
             "-CAfile", service.stage.file("root.pem"),
             "-certfile", service.stage.file("issuing.pem")],
            capture_output=True, check=False,
        )  # fmt: skip
        assert (told.returncode, told.stdout) == (0, XML), (level, told.stderr)


@pytest.mark.parametrize("envelope", ["Enveloped", "Enveloping"])
def test_xmlsec1_accepts_xades(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    tmp_path: Path,
    envelope: str,
) -> None:
    made = at_every_level(platform, browser, token, seal, ("X", XML), envelope)
    for level, signature in made.items():
        (tmp_path / "signature.xml").write_bytes(signature)
        told = subprocess.run(
            ["xmlsec1", "--verify", "--trusted-pem", service.stage.file("root.pem"),
             "--untrusted-pem", service.stage.file("issuing.pem"), "--id-attr:Id",
             "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", "--id-attr:Id",
             "http://www.w3.org/2000/09/xmldsig#:Object", tmp_path / "signature.xml"],
            capture_output=True, check=False,
        )  # fmt: skip
        assert told.returncode == 0, (level, told.stderr)


@pytest.mark.parametrize("envelope", ["Certification", "Revision"])
def test_poppler_and_pyhanko_accept_pades(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    tmp_path: Path,
    envelope: str,
) -> None:
    made = at_every_level(platform, browser, token, seal, ("P", sample()), envelope)
    for level, signed in made.items():
        assert "Signature is Valid" in pdfsig(tmp_path, signed), level
        status = pyhanko_verdict(service, signed)
        assert status.bottom_line, (level, status.pretty_print_details())
        assert (status.docmdp_ok is True) is True
    (embedded,) = PdfFileReader(io.BytesIO(made["AdES-B-LTA"])).embedded_regular_signatures
    assert (embedded.docmdp_level is not None) is (envelope == "Certification")


def pyhanko_verdict(service: RunningService, pdf: bytes):  # type: ignore[no-untyped-def]
    """Its status of the one signature."""
    _, _, root = pem.unarmor(service.stage.file("root.pem").read_bytes())
    _, _, issuing = pem.unarmor(service.stage.file("issuing.pem").read_bytes())
    context = ValidationContext(
        trust_roots=[x509.Certificate.load(root)],
        other_certs=[x509.Certificate.load(issuing)],
        allow_fetching=False,
    )
    (signature,) = PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures
    return validate_pdf_signature(signature, context, context)


def test_joserfc_accepts_jades(
    platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    info = platform.post("credentials/info", token, {"credentialID": seal}).json()
    certificate = Certificate.parse(base64.b64decode(info["cert"]["certificates"][0]))
    public = certificate.public_key.pyca.public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    made = at_every_level(platform, browser, token, seal, ("J", XML), "Attached")
    for signature in made.values():
        value = json.loads(signature)
        read = jws.deserialize_json(value, ECKey.import_key(public), registry=registry("ES256"))
        assert read.payload == XML
