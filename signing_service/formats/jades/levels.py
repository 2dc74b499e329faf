"""JAdES from level to level (TS 119 182-1, 5.3 and 6): our own signatures and strangers' alike.

A compact signature becomes a flattened one on its way, because only JSON has unsigned components.
"""

from collections.abc import Mapping
from typing import Any

from kernel.refusals import Unprocessable
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.document import Document
from signing_service.formats.jades import jose_json as json
from signing_service.formats.jades.components import archive_octets, values_in
from signing_service.formats.jades.content import covered_content
from signing_service.formats.jades.header import read_header
from signing_service.formats.jades.place import Place
from signing_service.formats.validation_material import ValidationMaterial, whole_response
from signing_service.timestamping.client import Timestamper


def add_signature_timestamp(
    signed: bytes,
    timestamper: Timestamper,
    *,
    signer: int = 0,
    digest: str = "sha256",
    counter: bytes | None = None,
) -> bytes:
    """B-B to B-T: a timestamp over the base64url-encoded signature value (5.3.4).

    `signer` counts from zero; with `counter` it is the counter-signature upon it whose value has
    these octets. Raises Malformed `jades.*`, `json.*`; Unprocessable
    `algorithm.unknown`; and as `Timestamper.stamp`.
    """
    place = Place.find(signed, signer, counter)
    signature = place.signature
    imprint = digest_of(digest, signature.value.encode())
    if imprint is None:
        raise _unknown(digest)
    stamped = signature.with_component("sigTst", _container(timestamper.stamp(imprint, digest)))
    return place.put(stamped)


def add_validation_material(
    signed: bytes,
    material: ValidationMaterial,
    *,
    signer: int = 0,
    counter: bytes | None = None,
) -> bytes:
    """B-T to B-LT: certificates in xVals, CRLs and OCSP responses in rVals (5.3.5).

    Raises Malformed `jades.*`, `json.*`, `ocsp.malformed`; TooLarge `jades.too-large`.
    """
    place = Place.find(signed, signer, counter)
    signature = place.signature
    there = values_in(signature)
    embedded = read_header(signature.header).certificates
    new = material.without(
        (*(each.der for each in embedded), *there.certificates), there.ocsp, there.crls
    )
    if new.certificates:
        values: list[dict[str, Any]] = [{"x509Cert": _val(each)} for each in new.certificates]
        signature = signature.with_component("xVals", values)
    revocation: dict[str, Any] = {}
    if new.crls:
        revocation["crlVals"] = [_val(each) for each in new.crls]
    if new.ocsp:
        revocation["ocspVals"] = [_val(whole_response(each)) for each in new.ocsp]
    if revocation:
        signature = signature.with_component("rVals", revocation)
    return place.put(signature)


def add_archive_timestamp(
    signed: bytes,
    timestamper: Timestamper,
    *,
    document: Document | Mapping[str, Document] | None = None,
    signer: int = 0,
    digest: str = "sha256",
    counter: bytes | None = None,
) -> bytes:
    """B-LT to B-LTA, or its renewal: arcTst over all that is there (5.3.6).

    A detached signature needs its `document`, or several by name. Raises Unprocessable
    `document.missing`, `document.other`, `algorithm.unknown`, `jades.clear-components`;
    Malformed `jades.*`, `json.*`; and as `Timestamper.stamp`.
    """
    place = Place.find(signed, signer, counter)
    signature = place.signature
    header = read_header(signature.header)
    content = covered_content(header, *place.covered(document))
    if content.octets is None:
        raise Unprocessable("document.missing", "the detached document is needed")
    if not all(reference.intact for reference in content.references):
        # An archive timestamp over another document would only ever show as broken.
        raise Unprocessable("document.other", "this is not the document that was signed")
    if any(not isinstance(each, str) for each in signature.components):
        raise Unprocessable(
            "jades.clear-components", "unsigned components in clear cannot be archived"
        )
    octets = archive_octets(signature, content.octets, len(signature.components))
    imprint = octets.digest(digest)
    if imprint is None:
        raise _unknown(digest)
    token = _container(timestamper.stamp(imprint, digest))
    return place.put(signature.with_component("arcTst", token))


def _container(token: bytes) -> dict[str, Any]:
    """tstContainer (5.4.3.3)."""
    return {"tstTokens": [_val(token)]}


def _val(data: bytes) -> dict[str, str]:
    return {"val": json.encode_base64(data)}


def _unknown(digest: str) -> Unprocessable:
    return Unprocessable("algorithm.unknown", "no such digest", name=digest)
