"""Counter-signatures: upon an unbroken signature over the document that is shown."""

from dataclasses import replace

import pytest

from kernel.refusals import Refusal
from key_agent.drafts import Draft, check_counter_draft
from signing_service.formats import making
from signing_service.formats.draft import draft_of
from signing_service.formats.manner import Act, Manner, Subject
from signing_service.formats.prepared import PreparedSignature
from signing_service.validation.evidence import Packaging
from tests.key_agent.draft_manners import (
    ASIC_E,
    ASIC_S,
    CADES,
    CLAIMS,
    JADES,
    XADES,
    code_of,
    drafted,
)
from tests.key_agent.test_drafts import DECLARATION, NOW, OTHER
from tests.signing_service.formats.hostile import (
    CMS,
    JWS,
    XML,
    slipping_in,
)
from tests.software_keys import Identity, SoftwareAuthority

COUNTERS = {
    "CAdES": Manner(CADES),
    "CAdES enveloping": Manner(CADES, packaging=Packaging.ENVELOPING),
    "XAdES": Manner(XADES),
    "XAdES enveloping": Manner(XADES, packaging=Packaging.ENVELOPING),
    "JAdES": Manner(JADES),
    "JAdES detached": Manner(JADES, packaging=Packaging.DETACHED),
    "ASiC-S": Manner(ASIC_S),
    "ASiC-E": Manner(ASIC_E),
    "ASiC-E with XAdES": Manner(ASIC_E, inner=XADES),
}


class Upon:
    """Somebody has signed; the service drafts a counter-signature upon it."""

    def __init__(
        self, name: str, document: bytes, by: Identity, signs: Identity | None = None
    ) -> None:
        self.manner = COUNTERS[name]
        self.first = SoftwareAuthority().signer("甲")
        subject = Subject({"entry.xml": document})
        below = making.prepare(self.manner, subject, self.first.certificate, NOW)
        value = (signs or self.first).key.sign(below.to_be_signed)
        self.signed = making.finish(Act.FIRST, below, value, None)
        counter = replace(self.manner, act=Act.COUNTER, packaging=None, claims=CLAIMS)
        prepared = making.prepare(counter, Subject({}, self.signed), by.certificate, NOW)
        self.to_be_signed = prepared.to_be_signed
        self.draft = draft_of(Act.COUNTER, prepared, self.signed)

    def check(self, document: bytes, by: Identity, draft: bytes | None = None) -> Draft:
        return check_counter_draft(
            self.manner.format, document, self.to_be_signed, draft or self.draft,
            by.certificate, by.key.suite,
        )  # fmt: skip

    def code(self, document: bytes, by: Identity, draft: bytes | None = None) -> str:
        with pytest.raises(Refusal) as refusal:
            self.check(document, by, draft)
        return refusal.value.code


@pytest.mark.parametrize("name", COUNTERS)
def test_a_counter_signature_tells_upon_whom(name: str, signer: Identity) -> None:
    upon = Upon(name, DECLARATION, signer)
    told = upon.check(DECLARATION, signer)
    assert told.upon is not None
    assert told.upon.signing_certificate == upon.first.certificate
    assert told.evidence.roles == ("申报员",)


@pytest.mark.parametrize("name", COUNTERS)
def test_a_counter_signature_upon_another_document_is_not_made(name: str, signer: Identity) -> None:
    assert Upon(name, OTHER, signer).code(DECLARATION, signer) == "draft.other-document"


@pytest.mark.parametrize("name", COUNTERS)
def test_a_signature_over_the_document_is_no_counter_signature(name: str, signer: Identity) -> None:
    manner = COUNTERS[name]
    to_be_signed, draft = drafted(manner, DECLARATION, signer)
    with pytest.raises(Refusal, match=r"draft\.other-octets"):
        check_counter_draft(
            manner.format, DECLARATION, to_be_signed, draft, signer.certificate, signer.key.suite
        )
    upon = Upon(name, DECLARATION, signer)
    asked = upon.to_be_signed, upon.draft
    assert code_of(manner, DECLARATION, asked, signer) == "draft.other-octets"


@pytest.mark.parametrize("name", COUNTERS)
def test_a_counter_signature_upon_a_broken_one_is_not_made(name: str, signer: Identity) -> None:
    """The value below was made by another key than its certificate's."""
    stranger = SoftwareAuthority().signer("乙")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PreparedSignature, "check", lambda *_: None)
        upon = Upon(name, DECLARATION, signer, signs=stranger)
    assert upon.code(DECLARATION, signer) == "draft.broken"


@pytest.mark.parametrize(
    ("name", "way"),
    [
        *(("CAdES", way) for way in CMS),
        *(("JAdES", way) for way in JWS),
        *(("XAdES", way) for way in XML if way not in {"description", "qualifier"}),
    ],
)
def test_nothing_more_is_signed_in_a_counter_signature(
    name: str, way: str, signer: Identity
) -> None:
    honest = Upon(name, DECLARATION, signer)
    counter = replace(COUNTERS[name], act=Act.COUNTER, packaging=None)
    with slipping_in(counter.format, way):
        prepared = making.prepare(counter, Subject({}, honest.signed), signer.certificate, NOW)
    honest.to_be_signed = prepared.to_be_signed
    draft = draft_of(Act.COUNTER, prepared, honest.signed)
    assert honest.code(DECLARATION, signer, draft) == "draft.more-than-the-document"
