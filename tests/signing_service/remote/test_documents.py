"""signatures/signDoc and signatures/timestamp: AdES signatures and times, judged by others."""

import base64
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import (
    load_der_x509_certificate,
    load_der_x509_crl,
    load_pem_x509_certificate,
)
from cryptography.x509.ocsp import load_der_ocsp_response

from portseal.holder.service import Service
from tests.portseal.service import RunningService
from tests.signing_service.formats.pades.pdf.samples import sample
from tests.signing_service.remote.platform import SHA256, RemotePlatform, digest, refusal, text

LEVELS = ("AdES-B-B", "AdES-B-T", "AdES-B-LT", "AdES-B-LTA")
XML = b"<contract><price>100</price></contract>"


def sealed(
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    *documents: tuple[str, bytes],
    level: str = "AdES-B-T",
    envelope: str | None = None,
    **more: object,
) -> dict[str, Any]:
    """`more`: members of every document."""
    sad = platform.activation(browser, seal, *(digest(content) for _, content in documents))
    if envelope is not None:
        more["signed_envelope_property"] = envelope
    members = [
        {"document": text(content), "signature_format": kind, "conformance_level": level, **more}
        for kind, content in documents
    ]
    body = {"credentialID": seal, "SAD": sad, "documents": members}
    answer = platform.post("signatures/signDoc", token, body)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def at_every_level(
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    document: tuple[str, bytes],
    envelope: str,
) -> dict[str, bytes]:
    """Four signatures over one document, in one request under one authorisation."""
    kind, content = document
    sad = platform.activation(browser, seal, *[digest(content)] * len(LEVELS))
    members = [
        {
            "document": text(content),
            "signature_format": kind,
            "conformance_level": level,
            "signed_envelope_property": envelope,
        }
        for level in LEVELS
    ]
    body = {"credentialID": seal, "SAD": sad, "documents": members}
    answer = platform.post("signatures/signDoc", token, body)
    assert answer.status_code == 200, answer.text
    made = answer.json()["SignatureObject" if envelope == "Detached" else "DocumentWithSignature"]
    return {level: base64.b64decode(each) for level, each in zip(LEVELS, made, strict=True)}


def judged(
    service: RunningService, made: dict[str, Any], content: bytes
) -> tuple[dict[str, Any], bytes]:
    """The report on the one signature that was made, and its file."""
    if "SignatureObject" in made:
        (signature,) = map(base64.b64decode, made["SignatureObject"])
        report = service.anonymous().verify(content, signature)
    else:
        (signature,) = map(base64.b64decode, made["DocumentWithSignature"])
        report = service.anonymous().verify(signature)
    assert report["finding"]["indication"] == "TOTAL-PASSED", report["finding"]
    (found,) = report["signatures"]
    return found, signature


ENVELOPES = [
    ("C", "Attached", "enveloping"),
    ("C", "Detached", "detached"),
    ("X", "Enveloped", "enveloped"),
    ("X", "Enveloping", "enveloping"),
    ("X", "Detached", "detached"),
    ("P", "Certification", "enveloped"),
    ("P", "Revision", "enveloped"),
    ("J", "Attached", "enveloping"),
    ("J", "Detached", "detached"),
]


@pytest.mark.parametrize(("kind", "envelope", "packaging"), ENVELOPES)
def test_a_document_is_sealed_in_every_format_packaging_and_level(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    kind: str,
    envelope: str,
    packaging: str,
) -> None:
    content = sample() if kind == "P" else XML
    for level, signed in at_every_level(
        platform, browser, token, seal, (kind, content), envelope
    ).items():
        beside = (content, signed) if packaging == "detached" else (signed,)
        report = service.anonymous().verify(*beside)
        assert report["finding"]["indication"] == "TOTAL-PASSED", report["finding"]
        (signature,) = report["signatures"]
        assert signature["format"].startswith(f"{kind}AdES")
        assert signature["packaging"] == packaging
        assert signature["level"] == level.removeprefix("AdES-")
        assert signature["signer"]["card"] == seal


@pytest.mark.parametrize(
    ("kind", "level", "made_level"),
    [
        ("C", "AdES-B", "B-B"),
        ("P", "AdES-T", "B-T"),
        ("J", "AdES-LT", "B-LT"),
        ("C", "AdES-LTA", "B-LTA"),
        ("C", "Ades-B-T", "B-T"),
    ],
)
def test_levels_have_earlier_names(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    kind: str,
    level: str,
    made_level: str,
) -> None:
    content = sample() if kind == "P" else XML
    made = sealed(platform, browser, token, seal, (kind, content), level=level)
    assert judged(service, made, content)[0]["level"] == made_level


@pytest.mark.parametrize(
    ("kind", "envelope"), [("C", "Attached"), ("X", "Enveloped"), ("J", "Attached")]
)
def test_without_an_envelope_the_specifications_default_is_made(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    kind: str,
    envelope: str,
) -> None:
    made = sealed(platform, browser, token, seal, (kind, XML), level="AdES-B-B")
    packaging = {each[:2]: each[2] for each in ENVELOPES}[kind, envelope]
    assert judged(service, made, XML)[0]["packaging"] == packaging


@pytest.mark.parametrize("kind", ["C", "J"])
def test_a_seal_signs_beside_another_signature(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    kind: str,
) -> None:
    first = sealed(platform, browser, token, seal, (kind, XML), level="AdES-B-B")
    signed = base64.b64decode(first["DocumentWithSignature"][0])
    made = sealed(
        platform, browser, token, seal, (kind, signed), level="AdES-B-LT", envelope="Parallel"
    )
    report = service.anonymous().verify(base64.b64decode(made["DocumentWithSignature"][0]))
    assert report["finding"]["indication"] == "TOTAL-PASSED", report["finding"]
    assert sorted(each["level"] for each in report["signatures"]) == ["B-B", "B-LT"]


def test_nothing_is_sealed_beside_a_broken_signature(
    platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    first = sealed(platform, browser, token, seal, ("C", XML), level="AdES-B-B")
    signed = base64.b64decode(first["DocumentWithSignature"][0]).replace(b"100", b"999")
    sad = platform.activation(browser, seal, digest(signed))
    member = {
        "document": text(signed),
        "signature_format": "C",
        "signed_envelope_property": "Parallel",
    }
    body = {"credentialID": seal, "SAD": sad, "documents": [member]}
    refused = platform.post("signatures/signDoc", token, body)
    assert refusal(refused) == (400, "invalid_request", "signature.broken")


def test_several_documents_under_one_authorisation(
    service: RunningService, platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    documents = [("C", XML), ("X", XML), ("C", b"plain text")]
    sad = platform.activation(browser, seal, *(digest(content) for _, content in documents))
    members: list[dict[str, object]] = [
        {"document": text(content), "signature_format": kind} for kind, content in documents
    ]
    members[0]["signed_envelope_property"] = members[2]["signed_envelope_property"] = "Detached"
    body = {"credentialID": seal, "SAD": sad, "documents": members}
    made = platform.post("signatures/signDoc", token, body).json()
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
    ("changes", "code", "told"),
    [
        ({"signed_envelope_property": "Enveloped"}, "remote.envelope", "signed_envelope_property"),
        ({"signed_envelope_property": "Wrapped"}, "remote.request", "signed_envelope_property"),
        ({"signature_format": "Z"}, "remote.request", "signature_format"),
        ({"signature_format": 1}, "remote.request", "signature_format"),
        ({"conformance_level": "AdES-B-X"}, "remote.request", "conformance_level"),
        (
            {"conformance_level": "AdES-T", "signature_format": "X"},
            "remote.level",
            "conformance_level",
        ),
        ({"signAlgo": "1.2.840.113549.1.1.5"}, "remote.algorithm", "signAlgo"),
        ({"signAlgoParams": "*"}, "remote.request", "signAlgoParams"),
        ({"document": "###"}, "remote.document", "Invalid Base64 documents string parameter"),
        ({"document": ""}, "remote.document", "document"),
        ({"signed_props": [{"attribute_name": "x"}]}, "remote.signed-props", "(x)"),
        ({"signed_props": [{}]}, "remote.request", "attribute_name"),
        ({"signature_format": "P"}, None, ""),
        ({"signature_format": "X", "document": text(b"no XML")}, None, ""),
        ({"signed_envelope_property": "Parallel"}, None, ""),
        ({"unknown": 1}, "remote.request", "Unknown parameter"),
    ],
)
def test_what_cannot_be_sealed_is_refused_and_the_authorisation_kept(
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    changes: dict[str, object],
    code: str | None,
    told: str,
) -> None:
    sad = platform.activation(browser, seal, digest(XML))
    member = {"document": text(XML), "signature_format": "C"}
    body = {"credentialID": seal, "SAD": sad, "documents": [{**member, **changes}]}
    refused = platform.post("signatures/signDoc", token, body)
    status, error, ours = refusal(refused)
    assert (status, error) == (400, "invalid_request")
    assert code is None or ours == code
    assert told in refused.json()["error_description"]
    body["documents"] = [member]
    assert platform.post("signatures/signDoc", token, body).status_code == 200


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"operationMode": "A"}, "Invalid parameter operationMode"),
        ({"validity_period": 1000}, "validity_period"),
        ({"response_uri": "https://x.example/"}, "response_uri"),
        ({"signatureQualifier": "eu_eidas_qes"}, "signatureQualifier"),
        ({"returnValidationInfo": "yes"}, "returnValidationInfo"),
        ({"documents": []}, "Empty documentDigests and documents objects"),
        ({"documents": None}, "Empty documentDigests and documents objects"),
        ({"documentDigests": []}, "Both documentDigests and documents parameters passed"),
        ({"documents": {}}, "Missing (or invalid type) parameter documents"),
    ],
)
def test_requests_that_contradict_themselves_are_told_so(
    platform: RemotePlatform,
    token: str,
    seal: str,
    changes: dict[str, object],
    told: str,
) -> None:
    member = {"document": text(XML), "signature_format": "C"}
    body = {"credentialID": seal, "SAD": "x", "documents": [member], **changes}
    refused = platform.post("signatures/signDoc", token, body)
    assert refusal(refused) == (400, "invalid_request", "remote.request")
    assert told in refused.json()["error_description"]


def test_what_validates_a_signature_is_returned_where_it_is_not_inside(
    service: RunningService, platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    def info(level: str) -> dict[str, list[str]]:
        sad = platform.activation(browser, seal, digest(XML))
        member = {
            "document": text(XML),
            "signature_format": "C",
            "conformance_level": level,
            "signed_envelope_property": "Detached",
        }
        body = {
            "credentialID": seal,
            "SAD": sad,
            "documents": [member],
            "returnValidationInfo": True,
        }
        answer = platform.post("signatures/signDoc", token, body)
        assert answer.status_code == 200, answer.text
        told: dict[str, list[str]] = answer.json()["validationInfo"]
        return told

    bare = info("AdES-B-T")
    assert set(bare) == {"ocsp", "crl", "certificates"}
    for response in bare["ocsp"]:
        assert load_der_ocsp_response(base64.b64decode(response)).certificate_status.name == "GOOD"
    for crl in bare["crl"]:
        assert load_der_x509_crl(base64.b64decode(crl)).issuer
    roots = {load_der_x509_certificate(base64.b64decode(each)) for each in bare["certificates"]}
    assert load_pem_x509_certificate(service.stage.file("root.pem").read_bytes()) in roots
    assert info("AdES-B-LT") == {}


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
