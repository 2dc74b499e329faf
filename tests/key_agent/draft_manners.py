"""Drafts of every manner that the agent signs in, as a service makes them."""

from collections.abc import Mapping

import pytest

from kernel.refusals import Refusal
from key_agent.drafts import Draft, check_draft
from signing_service.formats import making
from signing_service.formats.claims import PROOF_OF_APPROVAL, Claims
from signing_service.formats.draft import draft_of
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.validation.evidence import Packaging, SignatureFormat
from tests.key_agent.test_drafts import NOW
from tests.software_keys import Identity

CADES, XADES, JADES = SignatureFormat.CADES, SignatureFormat.XADES, SignatureFormat.JADES
ASIC_S, ASIC_E, PADES = SignatureFormat.ASIC_S, SignatureFormat.ASIC_E, SignatureFormat.PADES
CLAIMS = Claims(commitment=PROOF_OF_APPROVAL, roles=("申报员",))
MANNERS = {
    "CAdES enveloping": Manner(CADES, packaging=Packaging.ENVELOPING),
    "XAdES enveloping": Manner(XADES, packaging=Packaging.ENVELOPING),
    "XAdES detached": Manner(XADES, packaging=Packaging.DETACHED),
    "JAdES detached": Manner(JADES, packaging=Packaging.DETACHED),
    "ASiC-S with XAdES": Manner(ASIC_S, inner=XADES),
    "ASiC-E with CAdES": Manner(ASIC_E),
    "ASiC-E with XAdES": Manner(ASIC_E, inner=XADES),
}


def drafted(
    manner: Manner, document: bytes, by: Identity, more: Mapping[str, bytes] | None = None
) -> tuple[bytes, bytes]:
    """(to be signed, draft) as a service makes them, over the document and what it adds."""
    subject = Subject({"entry.xml": document, **(more or {})})
    prepared = making.prepare(manner, subject, by.certificate, NOW)
    return prepared.to_be_signed, draft_of(Act.FIRST, prepared, None)


def check(manner: Manner, document: bytes, asked: tuple[bytes, bytes], by: Identity) -> Draft:
    to_be_signed, draft = asked
    return check_draft(manner.format, document, to_be_signed, draft, by.certificate, by.key.suite)


def code_of(manner: Manner, document: bytes, asked: tuple[bytes, bytes], by: Identity) -> str:
    with pytest.raises(Refusal) as refusal:
        check(manner, document, asked, by)
    return refusal.value.code
