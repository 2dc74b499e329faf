"""From B-B to the level that was asked for: one way, whoever's key signed."""

from signing_service.embedding import Embedding
from signing_service.formats import making
from signing_service.formats.catalogue import raise_counter, raise_to
from signing_service.formats.document import Document
from signing_service.formats.prepared import PreparedSignature
from signing_service.formats.recognition import read_signatures
from signing_service.formats.validation_material import ValidationMaterial
from signing_service.timestamping.client import Timestamper
from signing_service.validation.evidence import SignatureLevel


class Raising:
    """One instance serves all threads."""

    def __init__(self, timestamper: Timestamper, embedding: Embedding) -> None:
        self._timestamper = timestamper
        self._embedding = embedding

    def raised(
        self,
        level: SignatureLevel,
        prepared: PreparedSignature,
        made: bytes,
        value: bytes,
        beside: Document | None,
    ) -> bytes:
        """The signature, or counter-signature, that was prepared so, in the finished file `made`.
        `value` in the X.509 shape; `beside`: the document that lies beside it.

        Raises as `raise_to`, `raise_counter`; Unavailable `timestamp.*`.
        """
        if level is SignatureLevel.B_B:
            return made
        signer, is_counter = making.position_of(prepared, read_signatures(beside, made))

        def material(signed: bytes) -> ValidationMaterial:
            return self._embedding.of(read_signatures(beside, signed))

        if is_counter:
            return raise_counter(
                level, prepared, made, value, beside, self._timestamper, material, signer=signer
            )
        return raise_to(
            level, prepared.format, made, beside, self._timestamper, material, signer=signer
        )
