"""Every format in every packaging, signed by one key: for tests of what holds for all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kernel.asn1.certificate import Certificate
from kernel.keys import KeyHandle
from signing_service.formats.asic import whole as asic
from signing_service.formats.asic.whole import ContainerType
from signing_service.formats.cades import whole as cades
from signing_service.formats.jades import whole as jades
from signing_service.formats.jades.whole import Serialisation
from signing_service.formats.pades import whole as pades
from signing_service.formats.xades import whole as xades
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import Packaging, SignatureFormat
from tests.signing_service.formats.pades.pdf.samples import sample

_SAID = b"Pay 100 yuan, page 1"
Sign = Callable[..., bytes]


@dataclass(frozen=True)
class Kind:
    """One way to sign a document."""

    format: SignatureFormat
    sign: Sign
    means: dict[str, Any]
    takes: str = "octets"
    """What it signs: `octets`, `xml` or `pdf`."""
    detached: bool = False
    named: bool = False
    """Whether documents go by names."""

    def signed(
        self,
        document: bytes,
        key: KeyHandle,
        certificate: Certificate,
        at: datetime,
        timestamper: Timestamper | None = None,
        chain: tuple[Certificate, ...] = (),
    ) -> bytes:
        what: Any = {"document": document} if self.named else document
        if "target" in self.means:
            what = b'<f xmlns="urn:f"><data Id="d1">' + document + b"</data></f>"
        return self.sign(
            what, key, certificate, at, chain=chain, timestamper=timestamper, **self.means
        )


def _packed(packaging: Packaging, **more: Any) -> dict[str, Any]:
    return {"packaging": packaging, **more}


def _asic(container: ContainerType, inner: SignatureFormat) -> Kind:
    format_ = SignatureFormat[container.name]
    return Kind(format_, asic.sign, {"container": container, "inner": inner}, named=True)


KINDS = {
    "CAdES detached": Kind(SignatureFormat.CADES, cades.sign, {}, detached=True),
    "CAdES enveloping": Kind(SignatureFormat.CADES, cades.sign, _packed(Packaging.ENVELOPING)),
    "XAdES enveloped": Kind(SignatureFormat.XADES, xades.sign, _packed(Packaging.ENVELOPED), "xml"),
    "XAdES enveloping": Kind(
        SignatureFormat.XADES, xades.sign, _packed(Packaging.ENVELOPING), "xml"
    ),
    "XAdES internally detached": Kind(
        SignatureFormat.XADES,
        xades.sign,
        _packed(Packaging.INTERNALLY_DETACHED, target="d1"),
        "xml",
    ),
    "XAdES detached": Kind(
        SignatureFormat.XADES, xades.sign, _packed(Packaging.DETACHED), detached=True, named=True
    ),
    "PAdES": Kind(SignatureFormat.PADES, pades.sign, {}, "pdf"),
    **{
        f"JAdES {each}": Kind(SignatureFormat.JADES, jades.sign, {"serialisation": each})
        for each in Serialisation
    },
    "JAdES detached": Kind(
        SignatureFormat.JADES, jades.sign, _packed(Packaging.DETACHED), detached=True
    ),
    "ASiC-S with CAdES": _asic(ContainerType.ASIC_S, SignatureFormat.CADES),
    "ASiC-S with XAdES": _asic(ContainerType.ASIC_S, SignatureFormat.XADES),
    "ASiC-E with CAdES": _asic(ContainerType.ASIC_E, SignatureFormat.CADES),
    "ASiC-E with XAdES": _asic(ContainerType.ASIC_E, SignatureFormat.XADES),
}


def pdf_with(text: bytes) -> bytes:
    """A PDF of one page whose content says `text`, twenty characters of it."""
    assert len(text) == len(_SAID)
    return sample(1).replace(_SAID, text)
