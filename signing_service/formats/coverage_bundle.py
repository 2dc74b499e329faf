"""Whether a bundle that a card is asked to sign holds the holder's own declarations alone."""

from collections.abc import Sequence

from kernel.algorithms import AlgorithmSuite
from kernel.asn1.certificate import Certificate
from kernel.refusals import Refusal
from signing_service.formats.bundle import CLAIMS, Manifest, Part, Proof
from signing_service.formats.statement import Statement


def covers_bundle(
    parts: Sequence[Part],
    proofs: Sequence[bytes],
    to_be_signed: bytes,
    suite: AlgorithmSuite,
    certificate: Certificate,
) -> bool:
    """Whether a value over `to_be_signed` signs a bundle of just these declarations for these
    agencies, each at its place."""
    try:
        read = [Proof.from_bytes(each) for each in proofs]
        manifests = {each.manifest for each in read}
        if len(manifests) != 1 or len(read) != len(parts):
            return False
        root = {proof.root(part.document) for proof, part in zip(read, parts, strict=True)}
        places = all(
            (proof.recipient, proof.index) == (part.recipient, index)
            for index, (proof, part) in enumerate(zip(read, parts, strict=True))
        )
        manifest = Manifest.from_bytes(read[0].manifest)
        return (
            places
            and manifest.count == len(parts)
            and root == {manifest.root}
            and Statement(certificate, suite, CLAIMS).is_in_attributes(
                to_be_signed, suite.hash(read[0].manifest)
            )
        )
    except (Refusal, ValueError):
        return False
