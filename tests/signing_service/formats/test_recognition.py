"""Files are known by their own octets, and a document beside a signature is always held to it."""

from collections.abc import Callable

import pytest

from kernel.refusals import Malformed, Refusal
from signing_service.formats.asic import whole as asic
from signing_service.formats.asic.whole import ContainerType
from signing_service.formats.cades import whole as cades
from signing_service.formats.jades import whole as jades
from signing_service.formats.pades import whole as pades
from signing_service.formats.recognition import read_signatures
from signing_service.formats.xades import whole as xades
from signing_service.validation.evidence import Packaging, SignatureFormat
from tests.signing_service.formats.pades.pdf.samples import sample
from tests.software_keys import Identity, SoftwareAuthority

XML = b"<a>document</a>"
Make = Callable[[Identity, SoftwareAuthority], bytes]


def _xades(signer: Identity, authority: SoftwareAuthority, **options: object) -> bytes:
    prepared = xades.prepare(
        {"a.xml": XML}, signer.certificate, authority.now, packaging=Packaging.DETACHED
    )
    return xades.assemble(prepared, signer.key.sign(prepared.to_be_signed))


ALONE: dict[SignatureFormat, Make] = {
    SignatureFormat.XADES: lambda s, a: xades.sign(XML, s.key, s.certificate, a.now),
    SignatureFormat.PADES: lambda s, a: pades.sign(sample(), s.key, s.certificate, a.now),
    SignatureFormat.JADES: lambda s, a: jades.sign(XML, s.key, s.certificate, a.now),
    SignatureFormat.CADES: lambda s, a: asic.sign(
        {"a.xml": XML}, s.key, s.certificate, a.now, container=ContainerType.ASIC_S
    ),
}
BESIDE: dict[SignatureFormat, Make] = {
    SignatureFormat.XADES: _xades,
    SignatureFormat.CADES: lambda s, a: cades.sign(XML, s.key, s.certificate, a.now),
    SignatureFormat.JADES: lambda s, a: jades.sign(
        XML, s.key, s.certificate, a.now, packaging=Packaging.DETACHED
    ),
}


@pytest.mark.parametrize("format_", ALONE)
def test_a_signed_file_is_known(
    format_: SignatureFormat, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    signed = ALONE[format_](signer, software_authority)
    (evidence,) = read_signatures(signed, None)
    assert evidence.format is format_
    assert evidence.covers_document
    assert read_signatures(None, signed)[0].signature_value == evidence.signature_value


@pytest.mark.parametrize("format_", BESIDE)
def test_a_signature_beside_its_document_is_known(
    format_: SignatureFormat, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    signed = BESIDE[format_](signer, software_authority)
    (evidence,) = read_signatures(XML, signed)
    assert evidence.format is format_
    assert evidence.covers_document
    assert all(reference.intact for reference in evidence.references)
    (other,) = read_signatures(b"<b>other</b>", signed)
    assert not all(reference.intact for reference in other.references)


@pytest.mark.parametrize("format_", ALONE)
def test_another_document_beside_a_signed_file_never_passes_for_signed(
    format_: SignatureFormat, signer: Identity, software_authority: SoftwareAuthority
) -> None:
    signed = ALONE[format_](signer, software_authority)
    if format_ is SignatureFormat.JADES:
        (evidence,) = read_signatures(b"<b>other</b>", signed)
        assert not evidence.covers_document
    else:
        with pytest.raises(Malformed, match=r"signature\.packaging"):
            read_signatures(b"<b>other</b>", signed)


@pytest.mark.parametrize("data", [b"", b"{", b"<", b"PK\x03\x04", b"%PDF-1.7", b"eyJ.e.e", b"0"])
def test_beginnings_are_no_signatures(data: bytes) -> None:
    with pytest.raises(Refusal):
        read_signatures(data, None)
