"""pyHanko's validator on our CAdES, and ours on pyHanko's."""

import asyncio

import pytest
from asn1crypto import cms, x509
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko.sign.validation.generic_cms import async_validate_detached_cms
from pyhanko.sign.validation.status import StandardCMSSignatureStatus
from pyhanko_certvalidator import ValidationContext

from kernel.algorithms import AlgorithmSuite
from signing_service.formats.cades import whole as cades
from signing_service.timestamping.client import LocalTimestamper
from signing_service.validation.evidence import SignatureLevel
from tests.signing_service.formats.pades.pdf.strangers import pyhanko_signer
from tests.software_keys import SIGNING_SUITES, SoftwareAuthority

DOCUMENT = "<报关单>1</报关单>".encode()


def validated(
    signed: bytes, authority: SoftwareAuthority, document: bytes = DOCUMENT
) -> StandardCMSSignatureStatus:
    context = ValidationContext(
        trust_roots=[x509.Certificate.load(authority.root.certificate.der)],
        other_certs=[x509.Certificate.load(authority.issuing.certificate.der)],
        allow_fetching=False,
    )
    content = cms.ContentInfo.load(signed)["content"]
    return asyncio.run(
        async_validate_detached_cms(document, content, context, ts_validation_context=context)
    )


@pytest.mark.parametrize("suite", SIGNING_SUITES, ids=lambda suite: suite.name)
def test_pyhanko_accepts_ours(
    suite: AlgorithmSuite, software_authority: SoftwareAuthority, timestamper: LocalTimestamper
) -> None:
    signer = software_authority.signer(suite=suite)
    signed = cades.sign(
        DOCUMENT, signer.key, signer.certificate, software_authority.now, chain=signer.chain,
        timestamper=timestamper,
    )  # fmt: skip

    status = validated(signed, software_authority)
    assert status.bottom_line
    assert status.timestamp_validity is not None
    assert status.timestamp_validity.valid
    assert not validated(signed, software_authority, DOCUMENT + b" ").bottom_line


@pytest.mark.parametrize("suite", SIGNING_SUITES, ids=lambda suite: suite.name)
def test_pyhankos_is_read(suite: AlgorithmSuite, software_authority: SoftwareAuthority) -> None:
    signer = software_authority.signer(suite=suite)
    digest = suite.digest
    made = asyncio.run(
        pyhanko_signer(signer).async_sign_general_data(
            DOCUMENT, digest, use_cades=True,
            signed_attr_settings=PdfCMSSignedAttributes(signing_time=software_authority.now),
        )
    )  # fmt: skip

    (evidence,) = cades.read(made.dump(), DOCUMENT)
    certificate = evidence.signing_certificate
    assert certificate == signer.certificate
    assert evidence.suite is not None
    assert certificate.public_key.verify(
        evidence.suite, evidence.signature_value, evidence.signed_bytes
    )
    assert evidence.covers_document
    assert all(each.intact for each in evidence.references)
    assert evidence.level is SignatureLevel.B_B
    assert not cades.read(made.dump(), DOCUMENT + b" ")[0].references[0].intact
