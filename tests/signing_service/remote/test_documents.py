"""signatures/signDoc and signatures/timestamp: AdES signatures and times, judged by others."""

import base64
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest

from portseal.holder.service import Service
from tests.portseal.service import RunningService
from tests.signing_service.formats.pdf.samples import sample
from tests.signing_service.formats.pdf.strangers import pdfsig
from tests.signing_service.remote.platform import SHA256, RemotePlatform, digest, refusal, text

XML = b"<contract><price>100</price></contract>"


def sealed(
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    *documents: tuple[str, bytes],
    level: str = "AdES-B-T",
) -> dict[str, Any]:
    sad = platform.activation(browser, seal, *(digest(content) for _, content in documents))
    members = [
        {"document": text(content), "signature_format": kind, "conformance_level": level}
        for kind, content in documents
    ]
    body = {"credentialID": seal, "SAD": sad, "documents": members}
    answer = platform.post("signatures/signDoc", token, body)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.mark.parametrize("level", ["AdES-B-B", "AdES-B-T"])
@pytest.mark.parametrize("kind", ["C", "X", "P", "J"])
def test_a_document_is_sealed_in_every_format(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    kind: str,
    level: str,
) -> None:
    content = sample() if kind == "P" else XML
    made = sealed(platform, browser, token, seal, (kind, content), level=level)
    if kind == "C":
        (signature,) = made["SignatureObject"]
        report = service.anonymous().verify(content, base64.b64decode(signature))
    else:
        (signed,) = made["DocumentWithSignature"]
        report = service.anonymous().verify(base64.b64decode(signed))
    assert report["finding"]["indication"] == "TOTAL-PASSED", report["finding"]
    (signature,) = report["signatures"]
    assert signature["format"].startswith(f"{kind}AdES")
    assert signature["level"] == level.removeprefix("AdES-")
    assert signature["signer"]["card"] == seal


def test_poppler_accepts_a_sealed_pdf(
    platform: RemotePlatform, browser: Service, token: str, seal: str, tmp_path: Path
) -> None:
    made = sealed(platform, browser, token, seal, ("P", sample()))
    pdf = base64.b64decode(made["DocumentWithSignature"][0])
    assert pdfsig(tmp_path, pdf) == ["Signature is Valid"]


def test_several_documents_under_one_authorisation(
    service: RunningService, platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    documents = [("C", XML), ("X", XML), ("C", b"plain text")]
    made = sealed(platform, browser, token, seal, *documents, level="AdES-B-B")
    assert len(made["SignatureObject"]) == 2
    assert len(made["DocumentWithSignature"]) == 1
    second = base64.b64decode(made["SignatureObject"][1])
    report = service.anonymous().verify(b"plain text", second)
    assert report["finding"]["indication"] == "TOTAL-PASSED"


def test_another_document_than_authorised_is_not_sealed(
    platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    sad = platform.activation(browser, seal, digest(XML))
    changed = {"document": text(XML + b"\n"), "signature_format": "C"}
    body = {"credentialID": seal, "SAD": sad, "documents": [changed]}
    refused = platform.post("signatures/signDoc", token, body)
    assert refusal(refused)[2] == "remote.hash-not-authorised"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"signed_envelope_property": "Enveloped"}, "remote.envelope"),
        ({"signature_format": "Z"}, "remote.request"),
        ({"conformance_level": "AdES-B-LTA"}, "remote.request"),
        ({"signAlgo": "1.2.840.113549.1.1.5"}, "remote.algorithm"),
        ({"document": "###"}, "remote.request"),
        ({"signed_props": []}, "remote.request"),
        ({"signature_format": "P"}, None),
        ({"signature_format": "X", "document": text(b"no XML")}, None),
    ],
)
def test_what_cannot_be_sealed_is_refused_and_the_authorisation_kept(
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    changes: dict[str, object],
    code: str | None,
) -> None:
    sad = platform.activation(browser, seal, digest(XML))
    member = {"document": text(XML), "signature_format": "C"}
    body = {"credentialID": seal, "SAD": sad, "documents": [{**member, **changes}]}
    status, error, ours = refusal(platform.post("signatures/signDoc", token, body))
    assert 400 <= status < 500
    assert error == "invalid_request"
    assert code is None or ours == code
    body["documents"] = [member]
    assert platform.post("signatures/signDoc", token, body).status_code == 200


def test_openssl_accepts_a_timestamp(
    service: RunningService, platform: RemotePlatform, token: str, tmp_path: Path
) -> None:
    body = {"hash": digest(XML), "hashAlgo": SHA256}
    answer = platform.post("signatures/timestamp", token, body)
    assert answer.status_code == 200, answer.text
    (tmp_path / "token.der").write_bytes(base64.b64decode(answer.json()["timestamp"]))
    done = subprocess.run(
        [
            "openssl", "ts", "-verify", "-token_in", "-in", tmp_path / "token.der",
            "-digest", hashlib.sha256(XML).hexdigest(),
            "-CAfile", service.stage.file("root.pem"),
            "-untrusted", service.stage.file("issuing.pem"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert "Verification: OK" in done.stdout + done.stderr


@pytest.mark.parametrize(
    "body",
    [
        {"hash": digest(XML)},
        {"hash": digest(XML), "hashAlgo": "1.3.14.3.2.26"},
        {"hash": digest(XML), "hashAlgo": SHA256, "hashAlgorithmOID": SHA256},
        {"hash": "AAAA", "hashAlgo": SHA256},
        {"hash": 7, "hashAlgo": SHA256},
    ],
)
def test_a_malformed_timestamp_request_is_refused(
    platform: RemotePlatform, token: str, body: dict[str, object]
) -> None:
    assert refusal(platform.post("signatures/timestamp", token, body))[1] == "invalid_request"
