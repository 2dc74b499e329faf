"""pyHanko's CSC client signs a PDF with a seal, and poppler and our own report accept it."""

import asyncio
import io
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import PdfSignatureMetadata, async_sign_pdf
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers.csc_signer import (
    CSCAuthorizationInfo,
    CSCAuthorizationManager,
    CSCServiceSessionInfo,
    CSCSigner,
    fetch_certs_in_csc_credential,
)

from portseal.holder.service import Service
from tests.portseal.service import RunningService
from tests.signing_service.formats.pades.pdf.samples import sample
from tests.signing_service.formats.pades.pdf.strangers import pdfsig
from tests.signing_service.remote.platform import SHA256, RemotePlatform, card_proof


class InBrowser(CSCAuthorizationManager):
    """The legal person agrees on our page: the token with scope `credential` is the SAD."""

    platform: RemotePlatform
    browser: Service

    async def authorize_signature(self, hash_b64s: list[str]) -> CSCAuthorizationInfo:
        seal = self.csc_session_info.credential_id
        return CSCAuthorizationInfo(self.platform.activation(self.browser, seal, *hash_b64s))


class ByCard(CSCAuthorizationManager):
    """A program beside the card has it sign the authorisation: credentials/authorize."""

    platform: RemotePlatform
    service: RunningService

    async def authorize_signature(self, hash_b64s: list[str]) -> CSCAuthorizationInfo:
        info = self.csc_session_info
        assert info.oauth_token is not None
        request = self.format_csc_auth_request(hash_b64s=hash_b64s)
        request["hashAlgorithmOID"] = SHA256
        request["authData"] = card_proof(
            self.service, self.platform, info.oauth_token, info.credential_id, hash_b64s
        )
        answer = self.platform.post("credentials/authorize", info.oauth_token, request)
        assert answer.status_code == 200, answer.text
        return self.parse_csc_auth_response(answer.json())


async def signed_pdf(
    info: CSCServiceSessionInfo, kind: type[CSCAuthorizationManager], **means: Any
) -> bytes:
    async with aiohttp.ClientSession() as session:
        credential = await fetch_certs_in_csc_credential(session, info)
        assert credential.hash_pinning_required
        manager = kind(info, credential)
        for name, value in means.items():
            setattr(manager, name, value)
        metadata = PdfSignatureMetadata(
            field_name="Seal", subfilter=SigSeedSubFilter.PADES, md_algorithm="sha256"
        )
        writer = IncrementalPdfFileWriter(io.BytesIO(sample()))
        signed = await async_sign_pdf(writer, metadata, CSCSigner(session, manager))
        return bytes(signed.getvalue())


@pytest.mark.parametrize("kind", [InBrowser, ByCard])
def test_pyhanko_signs_a_pdf_with_a_seal_in_the_token(
    service: RunningService,
    platform: RemotePlatform,
    seal: str,
    tmp_path: Path,
    kind: type[CSCAuthorizationManager],
) -> None:
    browser = service.signed_in("legal-person")
    info = CSCServiceSessionInfo(
        service.origin, seal, oauth_token=platform.service_token(browser), api_ver="v2"
    )
    means = {"browser": browser} if kind is InBrowser else {"service": service}
    pdf = asyncio.run(signed_pdf(info, kind, platform=platform, **means))
    assert pdfsig(tmp_path, pdf) == ["Signature is Valid"]
    report = service.anonymous().verify(pdf)
    assert report["finding"]["indication"] == "TOTAL-PASSED", report["finding"]
    signer = report["signatures"][0]["signer"]
    assert signer["card"] == seal
