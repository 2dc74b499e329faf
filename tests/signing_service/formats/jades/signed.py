"""JAdES signatures as the tests make them and look at them."""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
)
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.registry import HeaderParameter

from kernel.refusals import Refusal
from signing_service.formats.claims import PROOF_OF_APPROVAL, Claims, PolicyReference
from signing_service.formats.jades import whole as jades
from signing_service.formats.jades.whole import Serialisation
from signing_service.validation.evidence import (
    SignatureEvidence,
)
from tests.software_keys import Identity, SoftwareAuthority

DOCUMENT = "报关单 declaration".encode()
SERIALISATIONS = tuple(Serialisation)
CLAIMS = Claims(
    commitment=PROOF_OF_APPROVAL,
    roles=("报关员", "declarant"),
    policy=PolicyReference("1.3.6.1.4.1.99999.7", "sha256", bytes(32)),
    mime_type="application/xml",
)
JADES_HEADERS = ("sigT", "iat", "x5t#o", "srCms", "srAts", "sigPId", "sigD", "adoTst")
Key = ECKey | RSAKey | OKPKey


def sign(signer: Identity, authority: SoftwareAuthority, **options: Any) -> bytes:
    document = options.pop("document", DOCUMENT)
    chain = signer.chain[:1]
    now = authority.now
    return jades.sign(document, signer.key, signer.certificate, now, chain=chain, **options)


def verifies(evidence: SignatureEvidence) -> bool:
    certificate, suite = evidence.signing_certificate, evidence.suite
    return (
        certificate is not None
        and suite is not None
        and evidence.covers_document
        and certificate.public_key.verify(suite, evidence.signature_value, evidence.signed_bytes)
        and all(reference.intact for reference in evidence.references)
    )


def holds(data: bytes, **options: Any) -> bool:
    try:
        found = jades.read(data, **options)
    except Refusal:
        return False
    return all(
        each.certificate_reference is not None
        and each.certificate_reference.matches
        and verifies(each)
        and all(stamp.imprint.intact for stamp in each.timestamps)
        for each in found
    )


def public_key(signer: Identity) -> Key:
    pem = signer.key.private_key.public_key()
    data = pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    kinds: dict[str, type[Any]] = {"EC": ECKey, "RSA": RSAKey, "Ed25519": OKPKey}
    key: Key = kinds[signer.certificate.public_key.kind].import_key(data)
    return key


def registry(algorithm: str) -> jws.JWSRegistry:
    """joserfc told of the parameters of TS 119 182-1, which are critical."""
    known = {name: HeaderParameter(name, lambda value: None) for name in JADES_HEADERS}
    made = jws.JWSRegistry(header_registry=known, algorithms=[algorithm], strict_check_header=False)
    made.max_header_length = 16_384  # the chain is in it
    return made


def header_of(data: bytes) -> dict[str, Any]:
    text = data.split(b".")[0]
    if data.startswith(b"{"):
        value = json.loads(data)
        text = (value.get("signatures") or [value])[0]["protected"].encode()
    header: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4)))
    return header


def thumbprint(signer: Identity) -> str:
    digest = signer.certificate.digest("sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
