"""What a signature embeds from B-LT on, so that it can be judged when nobody answers any more."""

from collections.abc import Callable, Iterable, Iterator

from kernel.asn1.certificate import Certificate
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.ports import MaterialSource
from signing_service.validation.evidence import SignatureEvidence


class Embedding:
    """Finds it for signatures that are made here. One instance serves all threads."""

    def __init__(
        self, path: Callable[[Certificate], tuple[Certificate, ...]], source: MaterialSource
    ) -> None:
        """`path`: the issuers above a certificate."""
        self._path = path
        self._source = source

    def of(self, evidence: Iterable[SignatureEvidence]) -> ValidationMaterial:
        """Of signers, those who signed upon them, and timestamp authorities, with the authorities
        above each."""
        wanted: list[Certificate] = []
        for each in evidence:
            for certificate in _signers(each):
                wanted += (certificate, *self._path(certificate))
        certificates = list(dict.fromkeys(wanted))
        embedded = ValidationMaterial(tuple(each.der for each in certificates))
        return embedded + self._source.of(certificates)


def _signers(evidence: SignatureEvidence) -> Iterator[Certificate]:
    if evidence.signing_certificate is not None:
        yield evidence.signing_certificate
    for stamp in evidence.timestamps:
        if stamp.signature.signing_certificate is not None:
            yield stamp.signature.signing_certificate
    for counter in evidence.counter_signatures:
        yield from _signers(counter)
