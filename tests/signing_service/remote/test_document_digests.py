"""documentDigests of signatures/signDoc: AdES over documents that stay with the platform."""

import base64
import hashlib
import io
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers.cms_embedder import PdfCMSEmbedder, SigIOSetup, SigObjSetup
from pyhanko.sign.signers.pdf_byterange import SignatureObject

from portseal.holder.service import Service
from tests.portseal.cli.test_archive import verify
from tests.portseal.service import RunningService
from tests.signing_service.formats.pades.pdf.samples import sample
from tests.signing_service.formats.pades.pdf.strangers import pdfsig
from tests.signing_service.remote.platform import (
    ECDSA_SHA256,
    SHA256,
    RemotePlatform,
    digest,
    refusal,
    text,
)
from tests.signing_service.remote.test_archived import exported, newest_in_history

DOCUMENT = b"a contract that never leaves the platform"
REACHED = {
    "C": ("AdES-B-B", "AdES-B-T", "AdES-B-LT", "AdES-B-LTA"),
    "X": ("AdES-B-B", "AdES-B-T", "AdES-B-LT"),
    "J": ("AdES-B-B", "AdES-B-T", "AdES-B-LT"),
    "P": ("AdES-B-B", "AdES-B-T"),
}
"""An archive timestamp of XML and JSON covers the document itself; a PDF's store lies in it."""


def member(kind: str, *hashes: str, **more: object) -> dict[str, object]:
    return {
        "hashes": list(hashes),
        "hashAlgorithmOID": SHA256,
        "signature_format": kind,
        "signAlgo": ECDSA_SHA256,
        **more,
    }


def signed(
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    members: list[dict[str, Any]],
) -> list[bytes]:
    hashes = [each for one in members for each in one["hashes"]]
    sad = platform.activation(browser, seal, *hashes)
    body = {"credentialID": seal, "SAD": sad, "documentDigests": members}
    answer = platform.post("signatures/signDoc", token, body)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"SignatureObject"}
    return [base64.b64decode(each) for each in answer.json()["SignatureObject"]]


@pytest.mark.parametrize("kind", ["C", "X", "J"])
def test_a_digest_becomes_a_detached_signature_at_every_level_that_a_digest_reaches(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    kind: str,
) -> None:
    members = [member(kind, digest(DOCUMENT), conformance_level=level) for level in REACHED[kind]]
    made = signed(platform, browser, token, seal, members)
    for level, signature in zip(REACHED[kind], made, strict=True):
        report = service.anonymous().verify(DOCUMENT, signature)
        assert report["finding"]["indication"] == "TOTAL-PASSED", report["finding"]
        (found,) = report["signatures"]
        assert (found["level"], found["packaging"]) == (level.removeprefix("AdES-"), "detached")
        changed = service.anonymous().verify(DOCUMENT + b".", signature)
        assert changed["finding"]["indication"] == "TOTAL-FAILED"


def test_several_digests_in_one_request(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    tmp_path: Path,
) -> None:
    documents = [b"first", b"second", b"third"]
    members = [member("C", *map(digest, documents[:2])), member("J", digest(documents[2]))]
    made = signed(platform, browser, token, seal, members)
    for document, signature in zip(documents, made, strict=True):
        report = service.anonymous().verify(document, signature)
        assert report["finding"]["indication"] == "TOTAL-PASSED"
    (tmp_path / "document").write_bytes(documents[1])
    (tmp_path / "signature.p7s").write_bytes(made[1])
    told = subprocess.run(
        ["openssl", "cms", "-verify", "-binary", "-inform", "DER",
         "-in", tmp_path / "signature.p7s", "-content", tmp_path / "document",
         "-CAfile", service.stage.file("root.pem"), "-purpose", "any",
         "-certfile", service.stage.file("issuing.pem")],
        capture_output=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("level", REACHED["P"])
def test_a_platform_puts_the_signature_into_its_own_pdf(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    tmp_path: Path,
    level: str,
) -> None:
    """The platform, with pyHanko, makes the hole and keeps the PDF; we see its digest alone."""
    steps = PdfCMSEmbedder().write_cms("Seal", IncrementalPdfFileWriter(io.BytesIO(sample())))
    next(steps)
    steps.send(
        SigObjSetup(
            SignatureObject(
                subfilter=SigSeedSubFilter.PADES,
                bytes_reserved=24_000,
                timestamp=datetime.now(UTC),
            )
        )
    )
    prepared, output = steps.send(SigIOSetup(md_algorithm="sha256", in_place=True))
    members = [member("P", text(prepared.document_digest), conformance_level=level)]
    (contents,) = signed(platform, browser, token, seal, members)
    steps.send(contents)
    pdf = output.getvalue()
    assert pdfsig(tmp_path, pdf) == ["Signature is Valid"]
    report = service.anonymous().verify(pdf)
    assert report["finding"]["indication"] == "TOTAL-PASSED", report["finding"]
    (found,) = report["signatures"]
    assert (found["format"], found["level"]) == ("PAdES", level.removeprefix("AdES-"))
    identifier, _ = newest_in_history(browser)
    page = service.anonymous().fetch("GET", f"/verify/signatures/{identifier}")
    assert "签名有效" in page.text, "the CMS over the digest is judged as it was kept"


def test_what_is_kept_of_it_is_its_digest_and_signature(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    tmp_path: Path,
) -> None:
    document = b"kept by the platform alone"
    members = [member("C", digest(document), conformance_level="AdES-B-T")]
    signed(platform, browser, token, seal, members)
    identifier, row = newest_in_history(browser)
    told = hashlib.sha256(document).hexdigest()
    assert f"{told[:8]}…{told[-4:]}" in row
    page = service.anonymous().fetch("GET", f"/verify/signatures/{identifier}")
    assert "签名有效" in page.text
    done = verify(exported(service, identifier, tmp_path))
    assert done.returncode == 0, done.stdout
    assert "needs the document" in done.stdout


@pytest.mark.parametrize(
    ("changes", "code", "told"),
    [
        ({"hashes": ["AAAA"]}, "remote.hash-length", "Invalid digest value length"),
        ({"hashes": ["*"]}, "remote.hash", "Invalid Base64 hashes string parameter"),
        ({"hashes": []}, "remote.request", "hashes"),
        ({"hashes": digest(DOCUMENT)}, "remote.request", "hashes"),
        (
            {"hashAlgorithmOID": "2.16.840.1.101.3.4.2.2"},
            "remote.algorithm",
            "hashAlgorithmOID contradicts with signAlgo",
        ),
        ({"hashAlgorithmOID": "1.3.14.3.2.26"}, "remote.algorithm", "hashAlgorithmOID"),
        ({"signed_envelope_property": "Attached"}, "remote.envelope", "signed_envelope_property"),
        (
            {"signature_format": "X", "signed_envelope_property": "Enveloped"},
            "remote.envelope",
            "signed_envelope_property",
        ),
        (
            {"signature_format": "P", "signed_envelope_property": "Certification"},
            "remote.envelope",
            "signed_envelope_property",
        ),
        (
            {"signature_format": "P", "conformance_level": "AdES-B-LT"},
            "remote.level",
            "conformance_level",
        ),
        (
            {"signature_format": "J", "conformance_level": "AdES-B-LTA"},
            "remote.level",
            "conformance_level",
        ),
        (
            {"signature_format": "X", "conformance_level": "AdES-B-LTA"},
            "remote.level",
            "conformance_level",
        ),
    ],
)
def test_what_cannot_be_signed_is_refused_in_the_specifications_words(
    platform: RemotePlatform,
    token: str,
    seal: str,
    changes: dict[str, object],
    code: str,
    told: str,
) -> None:
    members = [{**member("C", digest(DOCUMENT)), **changes}]
    body = {"credentialID": seal, "SAD": "x", "documentDigests": members}
    refused = platform.post("signatures/signDoc", token, body)
    assert refusal(refused) == (400, "invalid_request", code)
    assert told in refused.json()["error_description"]


def test_another_digest_than_authorised_is_not_signed(
    platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    sad = platform.activation(browser, seal, digest(DOCUMENT))
    members = [member("C", digest(b"another"))]
    body = {"credentialID": seal, "SAD": sad, "documentDigests": members}
    refused = platform.post("signatures/signDoc", token, body)
    assert refusal(refused)[2] == "remote.hash-not-authorised"
    body["documents"] = [{"document": text(DOCUMENT), "signature_format": "C"}]
    assert refusal(platform.post("signatures/signDoc", token, body))[2] == "remote.request"
