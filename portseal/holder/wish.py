"""A holder's wish as the JSON that the service reads (`PrepareSignature` in openapi.yaml)."""

import base64
from collections.abc import Mapping
from typing import Any

from signing_service.formats.claims import NO_CLAIMS, Claims
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.pades.whole import INVISIBLE, Placement
from signing_service.validation.evidence import SignatureFormat, SignatureLevel

_CONTAINERS = (SignatureFormat.ASIC_S, SignatureFormat.ASIC_E)


def wish(
    manner: Manner,
    subject: Subject,
    level: SignatureLevel | None,
    *,
    qr_code: bool,
    uploads: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Everything but the certificate. `uploads`: identifiers of the documents that were sent
    ahead, by their names."""
    body: dict[str, Any] = {
        "format": str(manner.format),
        "act": str(manner.act),
        "signer": manner.signer,
        "serialisation": str(manner.serialisation),
        "parallel_later": manner.parallel_later,
    }
    if manner.format in _CONTAINERS:
        body["inner"] = str(manner.inner)
    for name, value in (
        ("level", level),
        ("packaging", manner.packaging),
        ("target", manner.target),
        ("suite", None if manner.suite is None else manner.suite.name),
    ):
        if value is not None:
            body[name] = str(value)
    if subject.signed is not None:
        body["signed"] = base64_of(subject.signed)
    body["documents"] = [
        {"name": name, "content": base64_of(content)}
        if isinstance(content, bytes)
        else {"name": name, "upload": (uploads or {})[name]}
        for name, content in subject.documents.items()
    ]
    if manner.claims is not NO_CLAIMS:
        body["claims"] = _claims(manner.claims)
    if manner.placement is not INVISIBLE:
        body["pdf"] = _pdf(manner.placement, qr_code=qr_code)
    if manner.act is Act.FIRST:
        del body["signer"]
    return body


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _claims(claims: Claims) -> dict[str, Any]:
    body: dict[str, Any] = {"roles": list(claims.roles)}
    if claims.commitment is not None:
        body["commitment"] = claims.commitment
    if claims.policy is not None:
        body["policy"] = claims.policy.identifier
    if claims.mime_type is not None:
        body["mime_type"] = claims.mime_type
    return body


def _pdf(placement: Placement, *, qr_code: bool) -> dict[str, Any]:
    named = ("field", "reason", "location", "contact")
    body: dict[str, Any] = {
        name: getattr(placement, name) for name in named if getattr(placement, name) is not None
    }
    if placement.certification is not None:
        body["certification"] = int(placement.certification)
    seal = placement.seal
    if seal is not None:
        body["seal"] = {
            "rectangle": list(map(float, seal.rectangle)),
            "page": seal.page,
            "lines": list(seal.lines),
            "qr_code": qr_code,
        }
        if seal.picture is not None:
            body["seal"]["picture"] = base64_of(seal.picture)
    return body
