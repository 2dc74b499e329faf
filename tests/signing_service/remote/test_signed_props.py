"""signed_props of signatures/signDoc: what a platform asks to be signed beside the document."""

import base64
import io
from typing import Any

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from kernel.asn1 import cms, der
from policies.signature_policy import known_signature_policies
from portseal.holder.service import Service
from signing_service.formats.claims import PROOF_OF_APPROVAL
from signing_service.formats.recognition import read_signatures
from tests.portseal.service import RunningService
from tests.signing_service.formats.pades.pdf.samples import sample
from tests.signing_service.remote.platform import RemotePlatform, digest, refusal, text
from tests.signing_service.remote.test_documents import XML, judged, sealed

XADES = 'xmlns:xades="http://uri.etsi.org/01903/v1.3.2#"'
COMMITMENT = der.sequence(der.oid(PROOF_OF_APPROVAL))
ROLES = der.sequence(
    der.explicit(0, der.sequence(cms.attribute(cms.ID_AT_NAME, der.utf8_string("报关经理"))))
)
XML_COMMITMENT = (
    f"<xades:CommitmentTypeIndication {XADES}><xades:CommitmentTypeId><xades:Identifier>"
    "http://uri.etsi.org/01903/v1.2.2#ProofOfApproval</xades:Identifier>"
    "</xades:CommitmentTypeId><xades:AllSignedDataObjects/></xades:CommitmentTypeIndication>"
).encode()
XML_ROLES = (
    f"<xades:SignerRoleV2 {XADES}><xades:ClaimedRoles><xades:ClaimedRole>报关经理"
    "</xades:ClaimedRole></xades:ClaimedRoles></xades:SignerRoleV2>"
).encode()


def prop(name: str, value: bytes) -> dict[str, str]:
    return {"attribute_name": name, "attribute_value": text(value)}


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        (
            "C",
            [
                prop("commitment-type-indication", COMMITMENT),
                prop("signer-attributes-v2", ROLES),
                prop("mime-type", der.utf8_string("text/xml")),
            ],
        ),
        ("C", [prop(cms.ID_COMMITMENT_TYPE, COMMITMENT), prop(cms.ID_SIGNER_ATTRIBUTES_V2, ROLES)]),
        (
            "P",
            [prop("commitment-type-indication", COMMITMENT), prop("signer-attributes-v2", ROLES)],
        ),
        ("X", [prop("CommitmentTypeIndication", XML_COMMITMENT), prop("SignerRoleV2", XML_ROLES)]),
    ],
)
def test_commitment_and_roles_are_signed(
    service: RunningService,
    platform: RemotePlatform,
    browser: Service,
    token: str,
    seal: str,
    kind: str,
    properties: list[dict[str, str]],
) -> None:
    content = sample() if kind == "P" else XML
    made = sealed(platform, browser, token, seal, (kind, content), signed_props=properties)
    _, signed = judged(service, made, content)
    (found,) = read_signatures(signed, None)
    assert (found.commitment, found.roles) == (PROOF_OF_APPROVAL, ("报关经理",))


def test_what_a_pdf_says_of_its_signature(
    service: RunningService, platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    properties = [
        prop("Reason", b"agreed"),
        prop("Location", "上海".encode()),
        prop("ContactInfo", b"021"),
    ]
    made = sealed(platform, browser, token, seal, ("P", sample()), signed_props=properties)
    _, pdf = judged(service, made, sample())
    (signature,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    told = [signature.sig_object[f"/{each}"] for each in ("Reason", "Location", "ContactInfo")]
    assert told == ["agreed", "上海", "021"]


def test_a_signature_under_an_explicit_policy_names_it(
    service: RunningService, platform: RemotePlatform, browser: Service, token: str, seal: str
) -> None:
    oid, policy = next(iter(known_signature_policies().items()))
    hashed = der.sequence(
        der.sequence(der.oid("2.16.840.1.101.3.4.2.1")), der.octet_string(policy.sha256)
    )
    value = der.sequence(der.oid(oid), hashed)
    commitment = der.sequence(der.oid(next(iter(policy.terms.commitments), PROOF_OF_APPROVAL)))
    properties = [
        prop("signature-policy-identifier", value),
        prop("commitment-type-indication", commitment),
    ]
    made = sealed(platform, browser, token, seal, ("C", XML), signed_props=properties)
    _, signed = judged(service, made, XML)
    (found,) = read_signatures(signed, None)
    assert found.policy == oid


@pytest.mark.parametrize(
    ("kind", "properties"),
    [
        ("C", [{"attribute_name": "content-time-stamp"}]),
        ("C", [prop("content-hints", COMMITMENT)]),
        ("C", [{"attribute_name": "commitment-type-indication"}]),
        ("C", [prop("commitment-type-indication", b"\x30\x03\x06\x01")]),
        ("C", [prop("commitment-type-indication", b"\x30\x02\x06\x00")]),
        ("C", [prop("commitment-type-indication", b"\x30\x03\x06\x01\x80")]),
        ("C", [prop("commitment-type-indication", b"\x30\x04\x06\x02\x2a\x83")]),
        ("C", [prop("commitment-type-indication", b"\x30\x04\x06\x02\x80\x2a")]),
        ("C", [prop("commitment-type-indication", COMMITMENT.replace(b"\x06", b"\x04", 1))]),
        ("C", [prop("commitment-type-indication", b"\x30\x00")]),
        ("C", [prop("commitment-type-indication", COMMITMENT + b"\x00")]),
        (
            "C",
            [prop("commitment-type-indication", der.sequence(COMMITMENT[2:], der.sequence()))],
        ),
        ("C", [prop("commitment-type-indication", COMMITMENT)] * 2),
        (
            "C",
            [
                prop("commitment-type-indication", COMMITMENT),
                prop(cms.ID_COMMITMENT_TYPE, COMMITMENT),
            ],
        ),
        ("C", [prop("signer-attributes-v2", der.sequence(der.explicit(1, b"")))]),
        ("C", [prop("mime-type", b"text/xml")]),
        ("C", [prop("mime-type", der.utf8_string("a\nb"))]),
        (
            "C",
            [
                prop(
                    "signature-policy-identifier",
                    der.sequence(der.oid("1.2.3"), der.sequence(COMMITMENT, der.octet_string(b""))),
                )
            ],
        ),
        ("C", [prop("CommitmentTypeIndication", XML_COMMITMENT)]),
        ("C", [prop("Reason", b"x")]),
        ("X", [prop("commitment-type-indication", COMMITMENT)]),
        ("X", [prop("CommitmentTypeIndication", XML_ROLES)]),
        (
            "X",
            [
                prop(
                    "SignerRoleV2",
                    XML_ROLES.replace(b"<xades:ClaimedRole>", b"<xades:ClaimedRole><xades:X/>"),
                )
            ],
        ),
        ("X", [prop("SignerRoleV2", b"<!DOCTYPE x [<!ENTITY e 'x'>]>" + XML_ROLES)]),
        ("P", [prop("Name", "别人".encode())]),
        ("P", [prop("Reason", b"\xff")]),
        ("P", [prop("Reason", b"a\x00b")]),
        ("P", [prop("mime-type", der.utf8_string("application/pdf"))]),
        ("P", [prop("Reason", b"x"), prop("commitment-type-indication", COMMITMENT)]),
        ("J", [prop("srCms", b"{}")]),
    ],
)
def test_what_is_not_wholly_understood_is_not_signed(
    platform: RemotePlatform, token: str, seal: str, kind: str, properties: list[dict[str, Any]]
) -> None:
    content = sample() if kind == "P" else XML
    document = {"document": text(content), "signature_format": kind, "signed_props": properties}
    body = {"credentialID": seal, "SAD": "x", "documents": [document]}
    refused = platform.post("signatures/signDoc", token, body)
    assert refusal(refused) == (400, "invalid_request", "remote.signed-props")
    told = refused.json()["error_description"]
    assert told.startswith("Invalid parameter signed_props (")
    assert properties[-1]["attribute_name"] in told


def test_upon_a_digest_a_pdf_keeps_its_own_words(
    platform: RemotePlatform, token: str, seal: str
) -> None:
    member = {
        "hashes": [digest(XML)],
        "signature_format": "P",
        "signed_props": [prop("Reason", b"x")],
    }
    body = {"credentialID": seal, "SAD": "x", "documentDigests": [member]}
    refused = platform.post("signatures/signDoc", token, body)
    assert refusal(refused)[2] == "remote.signed-props"


def test_base64_is_read_strictly(platform: RemotePlatform, token: str, seal: str) -> None:
    wrong = base64.b64encode(COMMITMENT).decode() + "\n"
    document = {
        "document": text(XML),
        "signature_format": "C",
        "signed_props": [
            {"attribute_name": "commitment-type-indication", "attribute_value": wrong}
        ],
    }
    body = {"credentialID": seal, "SAD": "x", "documents": [document]}
    refused = platform.post("signatures/signDoc", token, body)
    assert refusal(refused)[2] == "remote.signed-props"
