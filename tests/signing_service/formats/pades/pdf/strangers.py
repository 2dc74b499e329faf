"""The field's other tools for signed PDFs: poppler's pdfsig and pyHanko."""

import asyncio
import io
import re
import subprocess
from pathlib import Path
from typing import Any

from asn1crypto import keys, x509
from cryptography.hazmat.primitives import serialization
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import PdfSignatureMetadata, SimpleSigner, sign_pdf
from pyhanko.sign.ades.report import AdESSubIndic
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.ades import ades_lta_validation
from pyhanko.sign.validation.policy_decl import (
    PdfSignatureValidationSpec,
    SignatureValidationSpec,
)
from pyhanko.sign.validation.status import PdfSignatureStatus
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.context import CertValidationPolicySpec
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy
from pyhanko_certvalidator.registry import SimpleCertificateStore, SimpleTrustManager

from signing_service.formats.validation_material import ValidationMaterial
from tests.software_keys import Identity, SoftwareAuthority


def pdfsig(directory: Path, pdf: bytes) -> list[str]:
    """What poppler says of each signature; document timestamps are none for it."""
    (directory / "signed.pdf").write_bytes(pdf)
    done = subprocess.run(
        ["pdfsig", "-nocert", "signed.pdf"], cwd=directory, capture_output=True, text=True
    )
    return re.findall(r"Signature Validation: (.*)\.", done.stdout)


def pyhanko_signer(identity: Identity) -> SimpleSigner:
    store = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    for certificate in identity.chain:
        store.register(x509.Certificate.load(certificate.der))
    key = identity.key.private_key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return SimpleSigner(
        signing_cert=x509.Certificate.load(identity.certificate.der),
        signing_key=keys.PrivateKeyInfo.load(key),
        cert_registry=store,
    )


def signed_by_pyhanko(
    pdf: bytes,
    identity: Identity,
    field: str = "Theirs",
    *,
    pades: bool = True,
    digits: int | None = None,
    **metadata: Any,
) -> bytes:
    """`digits` is how many hexadecimal digits are kept for the signature."""
    kind = SigSeedSubFilter.PADES if pades else SigSeedSubFilter.ADOBE_PKCS7_DETACHED
    about = PdfSignatureMetadata(field_name=field, subfilter=kind, **metadata)
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    signed = sign_pdf(writer, about, pyhanko_signer(identity), bytes_reserved=digits)
    return bytes(signed.getvalue())


def archived_by_pyhanko(
    pdf: bytes,
    identity: Identity,
    stamping: Identity,
    material: ValidationMaterial,
    authority: SoftwareAuthority,
) -> bytes:
    """B-LTA, all by pyHanko: its own timestamps, security store and document timestamp."""
    context = ValidationContext(
        trust_roots=[x509.Certificate.load(authority.root.certificate.der)],
        other_certs=list(map(x509.Certificate.load, material.certificates)),
        crls=list(material.crls),
        ocsps=list(material.ocsp),
        allow_fetching=False,
        revocation_mode="hard-fail",
    )
    signer = pyhanko_signer(stamping)
    about = PdfSignatureMetadata(
        field_name="Theirs",
        subfilter=SigSeedSubFilter.PADES,
        validation_context=context,
        embed_validation_info=True,
        use_pades_lta=True,
    )
    stamper = DummyTimeStamper(
        signer.signing_cert, signer.signing_key, certs_to_embed=signer.cert_registry
    )
    writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
    signed = sign_pdf(writer, about, pyhanko_signer(identity), timestamper=stamper)
    return bytes(signed.getvalue())


def pyhanko_verdicts(pdf: bytes, authority: SoftwareAuthority) -> list[PdfSignatureStatus]:
    """Its status of every signature, path and later changes included."""
    reader = PdfFileReader(io.BytesIO(pdf))
    return [
        validate_pdf_signature(each, _context(authority), _context(authority))
        for each in reader.embedded_regular_signatures
    ]


def pyhanko_archival_verdict(pdf: bytes, authority: SoftwareAuthority) -> AdESSubIndic:
    """Its verdict on a B-LTA file (EN 319 102-1, 5.6.3), with nothing but what the file holds."""
    (signature,) = PdfFileReader(io.BytesIO(pdf)).embedded_regular_signatures
    root = x509.Certificate.load(authority.root.certificate.der)
    policy = CertValidationPolicySpec(
        trust_manager=SimpleTrustManager.build(trust_roots=[root]),
        revinfo_policy=CertRevTrustPolicy(REQUIRE_REVINFO),
    )
    specification = PdfSignatureValidationSpec(
        SignatureValidationSpec(cert_validation_policy=policy)
    )
    result = asyncio.run(ades_lta_validation(signature, specification))
    return result.ades_subindic


def _context(authority: SoftwareAuthority) -> ValidationContext:
    root = x509.Certificate.load(authority.root.certificate.der)
    return ValidationContext(trust_roots=[root], allow_fetching=False)
