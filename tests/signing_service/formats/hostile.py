"""A service that slips something more among what is signed beside the document."""

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from kernel.asn1 import cms, der
from signing_service.formats.cades import writing as cades_writing
from signing_service.formats.claims import PROOF_OF_APPROVAL
from signing_service.formats.jades import parallel as jades_parallel
from signing_service.formats.jades import writing as jades_writing
from signing_service.formats.pades import writing as pades_writing
from signing_service.formats.pades.pdf.syntax import Name, text_string
from signing_service.formats.xades import text as xades_text
from signing_service.validation.evidence import SignatureFormat
from tests.signing_service.formats.pades.pdf.samples import (
    EMPTY_SIGNATURE_FIELD,
    TEXT_FIELD,
    sample,
)

_SIGNATURE_END = "</xades:SignedSignatureProperties>"
_PROPERTIES_END = "</xades:SignedDataObjectProperties>"
_COMMITMENT = (
    "<xades:CommitmentTypeIndication><xades:CommitmentTypeId><xades:Identifier>"
    "http://uri.etsi.org/01903/v1.2.2#ProofOfApproval</xades:Identifier>"
    "</xades:CommitmentTypeId><xades:AllSignedDataObjects></xades:AllSignedDataObjects>"
)
_QUALIFIED = (
    f"{_COMMITMENT}<xades:CommitmentTypeQualifiers><xades:CommitmentTypeQualifier>"
    "I owe you a million</xades:CommitmentTypeQualifier></xades:CommitmentTypeQualifiers>"
    "</xades:CommitmentTypeIndication>"
)
_DESCRIBED = "</xades:MimeType></xades:DataObjectFormat>"
_OWED = base64.b64encode(b"I owe you a million").decode()

XML: dict[str, tuple[str, str]] = {
    "place": (
        _SIGNATURE_END,
        "<xades:SignatureProductionPlaceV2><xades:City>I owe you a million</xades:City>"
        f"</xades:SignatureProductionPlaceV2>{_SIGNATURE_END}",
    ),
    "foreign": (_SIGNATURE_END, f'<Pay xmlns="urn:pay">1000000</Pay>{_SIGNATURE_END}'),
    "certified-role": (
        _SIGNATURE_END,
        "<xades:SignerRoleV2><xades:CertifiedRolesV2>I owe you a million"
        f"</xades:CertifiedRolesV2></xades:SignerRoleV2>{_SIGNATURE_END}",
    ),
    "text": (_SIGNATURE_END, f"I owe you a million{_SIGNATURE_END}"),
    "instruction": (_SIGNATURE_END, f"<?pay 1000000?>{_SIGNATURE_END}"),
    "qualifier": (_PROPERTIES_END, f"{_QUALIFIED}{_PROPERTIES_END}"),
    "description": (
        _DESCRIBED,
        "</xades:MimeType><xades:Encoding>urn:pay:1000000</xades:Encoding></xades:DataObjectFormat>",
    ),
}
"""What the signed properties hold, and what the service makes of it."""

JWS: dict[str, dict[str, Any]] = {
    "place": {"sigPl": {"addressLocality": "I owe you a million"}, "crit": ["sigPl"]},
    "invented": {"pay": 1000000},
    "key": {"kid": "I owe you a million"},
    "qualifier": {
        "srCms": [
            {
                "commId": {"id": "http://uri.etsi.org/01903/v1.2.2#ProofOfApproval"},
                "commQuals": [{"pay": 1000000}],
            }
        ],
        "crit": ["srCms"],
    },
    "certified-role": {"srAts": {"certified": [{"pay": _OWED}]}, "crit": ["srAts"]},
}

CMS: dict[str, bytes] = {
    "unknown": cms.attribute("1.2.3.4.5", der.octet_string(b"I owe you a million")),
    "place": cms.attribute(
        "1.2.840.113549.1.9.16.2.17",
        der.sequence(der.explicit(1, der.utf8_string("I owe you a million"))),
    ),
    "qualifier": cms.attribute(
        cms.ID_COMMITMENT_TYPE,
        der.sequence(
            der.oid(PROOF_OF_APPROVAL),
            der.sequence(der.sequence(der.oid("1.2.3.4.5"), der.utf8_string("1000000"))),
        ),
    ),
}

_AMOUNT = text_string("amount")
UNLOCKED_PDF = sample(fields=(TEXT_FIELD, EMPTY_SIGNATURE_FIELD))
LOCKED_PDF = sample(
    fields=(
        TEXT_FIELD,
        EMPTY_SIGNATURE_FIELD
        + b" /Lock <</Type /SigFieldLock /Action /Include /Fields [(amount) (price)]>>",
    )
)
LOCKS: dict[str, tuple[bytes, str | None, dict[str, Any] | None]] = {
    "a new field": (LOCKED_PDF, None, {"Action": Name("All")}),
    "a field without a lock": (UNLOCKED_PDF, "approval", {"Action": Name("All")}),
    "every field": (LOCKED_PDF, "approval", {"Action": Name("All")}),
    "fewer fields": (LOCKED_PDF, "approval", {"Action": Name("Include"), "Fields": [_AMOUNT]}),
    "the other fields": (
        LOCKED_PDF,
        "approval",
        {"Action": Name("Exclude"), "Fields": [_AMOUNT, text_string("price")]},
    ),
    "permissions": (
        LOCKED_PDF,
        "approval",
        {"Action": Name("Include"), "Fields": [_AMOUNT, text_string("price")], "P": 1},
    ),
    "no action": (LOCKED_PDF, "approval", {"Fields": [_AMOUNT, text_string("price")]}),
    "nothing": (LOCKED_PDF, "approval", None),
}
"""A PDF, a signature field in it or None for a new one, and what a service makes the signature lock
instead of what the document says; None: it says nothing."""

_BY_CMS = (
    SignatureFormat.CADES,
    SignatureFormat.PADES,
    SignatureFormat.ASIC_S,
    SignatureFormat.ASIC_E,
)
WAYS = [
    *((each, way) for each in _BY_CMS for way in CMS),
    *((SignatureFormat.XADES, way) for way in XML),
    *((SignatureFormat.JADES, way) for way in JWS),
]
"""Formats as they usually are, with what can be slipped in."""


@contextmanager
def slipping_in(format_: SignatureFormat, way: str) -> Iterator[None]:
    """While it lasts, signatures of this format are prepared with something more."""
    with pytest.MonkeyPatch.context() as patch:
        if format_ is SignatureFormat.XADES:
            _replace(patch, xades_text, "signed_properties", lambda text: _xml(text, *XML[way]))
        elif format_ is SignatureFormat.JADES:
            for module in (jades_writing, jades_parallel):
                _replace(patch, module, "signed_header", lambda header: _jws(header, JWS[way]))
        else:
            # Without claims the writer does not ask for them.
            _replace(patch, cades_writing, "signed_attributes", lambda whole: _cms(whole, CMS[way]))
        yield


@contextmanager
def locking(parameters: dict[str, Any] | None, *, in_the_field: bool = False) -> Iterator[None]:
    """While it lasts, signatures in a PDF lock this (FieldMDP); `in_the_field`: and a new field
    says that it is to be locked."""

    def certify(update: Any, signature: dict[str, Any], *_: Any) -> None:
        if parameters is None:
            return
        given = {"Type": Name("TransformParams"), "V": Name("1.2"), **parameters}
        signature["Reference"] = [
            {
                "Type": Name("SigRef"),
                "TransformMethod": Name("FieldMDP"),
                "TransformParams": given,
            }
        ]

    honest = pades_writing._put_field

    def put_field(update: Any, *rest: Any) -> None:
        honest(update, *rest)
        for reference, value in list(update._objects.items()):
            if isinstance(value, dict) and "FT" in value:
                update.put(reference, {**value, "Lock": parameters})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pades_writing, "_certify", certify)
        if in_the_field:
            patch.setattr(pades_writing, "_put_field", put_field)
        yield


def _replace(
    patch: pytest.MonkeyPatch, module: object, name: str, change: Callable[[Any], Any]
) -> None:
    honest = getattr(module, name)
    patch.setattr(module, name, lambda *args, **more: change(honest(*args, **more)))


def _xml(text: str, found: str, replaced: str) -> str:
    assert found in text
    return text.replace(found, replaced)


def _jws(header: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    critical = [*header.get("crit", []), *more.get("crit", [])]
    return header | more | ({"crit": critical} if critical else {})


def _cms(whole: bytes, more: bytes) -> bytes:
    found = der.children(whole, der.read_only(whole, der.SET))
    return der.set_of([*(whole[each.start : each.end] for each in found), more])
