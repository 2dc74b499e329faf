"""CAdES signatures read: every signer's evidence, with its timestamps and counter-signatures."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.x509 import ObjectIdentifier

from kernel.asn1 import cms, der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal, TooLarge
from signing_service.formats.cades.archive import ArchiveReader
from signing_service.formats.cades.recurring import Moulds
from signing_service.formats.cms import signed_data
from signing_service.formats.cms.evidence import Covered, signer_evidence
from signing_service.formats.cms.signed_data import SignedMessage, Signer, read_counter_signer
from signing_service.formats.cms.signed_data_parts import Parts
from signing_service.formats.document import Digestible
from signing_service.formats.prepared import MAX_DOCUMENT_BYTES
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import (
    SignatureEvidence,
    TimestampEvidence,
    TimestampKind,
)

MAX_TIMESTAMPS = 32
MAX_COUNTER_SIGNATURES = 16
MAX_COUNTER_DEPTH = 3
_SIGNATURE_TIMESTAMP = ObjectIdentifier(cms.ID_SIGNATURE_TIMESTAMP)
_CONTENT_TIMESTAMP = der.oid(cms.ID_CONTENT_TIMESTAMP)
_ARCHIVE_TIMESTAMP = ObjectIdentifier(cms.ID_ARCHIVE_TIMESTAMP_V3)
_ARCHIVE_TIMESTAMP_V2 = ObjectIdentifier(cms.ID_ARCHIVE_TIMESTAMP_V2)
_COUNTER_SIGNATURE = ObjectIdentifier(cms.ID_COUNTER_SIGNATURE)
_moulds = Moulds()
_VALUES = frozenset(map(ObjectIdentifier, (cms.ID_CERTIFICATE_VALUES, cms.ID_REVOCATION_VALUES)))


def read(
    signature: bytes,
    document: bytes | Digestible | None = None,
    *,
    known: Sequence[Certificate] = (),
) -> list[SignatureEvidence]:
    """Every signer's evidence. `document` is needed for detached signatures.

    Raises TooLarge `document.too-large`, `cms.too-large`; Malformed `cms.*`.
    """
    if isinstance(document, bytes) and len(document) > MAX_DOCUMENT_BYTES:
        raise TooLarge("document.too-large", "the document is too large")
    if not known:
        detached = Covered("document", document, whole=document is not None)
        evidence = _moulds.evidence(signature, detached)
        if evidence is not None:
            return [evidence]
    return read_the_long_way(signature, document, known)


def read_the_long_way(
    signature: bytes,
    document: bytes | Digestible | None = None,
    known: Sequence[Certificate] = (),
) -> list[SignatureEvidence]:
    """As `read`, whatever was read before. Raises as `read`."""
    message = signed_data.read(signature)
    covered = _covered(message, document)
    if all(_is_plain(signer) for signer in message.signers):
        found = [
            signer_evidence(message, signer, covered, known=known) for signer in message.signers
        ]
        if not known:
            _moulds.remember(signature, message, found[0])
        return found
    source = _Source(signature, message, covered, known)
    return [source.evidence(index) for index in range(len(message.signers))]


def content(signature: bytes) -> bytes | None:
    """The enveloped document; None where the signature is detached. Raises as `read`."""
    return signed_data.read(signature).content


def _covered(message: SignedMessage, document: bytes | Digestible | None) -> Covered:
    if message.content is None:
        return Covered("document", document, whole=document is not None)
    same = document is None or document == message.content
    if document is not None and not isinstance(document, bytes):
        same = document.digest("sha256") == signed_data.digest_of("sha256", message.content)
    return Covered("document", message.content, whole=same)


def _is_plain(signer: Signer) -> bool:
    return not signer.unsigned and _CONTENT_TIMESTAMP not in signer.signed


@dataclass(frozen=True, slots=True)
class _Source:
    """One SignedData whose signers carry more than their signatures."""

    encoded: bytes
    message: SignedMessage
    covered: Covered
    known: Sequence[Certificate]

    def evidence(self, index: int) -> SignatureEvidence:
        signer = self.message.signers[index]
        return _Reader(self, signer, self.covered, index, depth=0).evidence()


class _Reader:
    """Collects what one signer's attributes hold."""

    def __init__(
        self, source: _Source, signer: Signer, covered: Covered, index: int | None, depth: int
    ) -> None:
        """`index` of the signer among the message's; None for a counter-signature."""
        self._source = source
        self._signer = signer
        self._covered = covered
        self._index = index
        self._depth = depth
        self._observations: list[str] = []
        self._message, self._known = self._with_values()

    def evidence(self) -> SignatureEvidence:
        signer, observations = self._signer, self._observations
        timestamps = self._timestamps()
        counter_signatures = self._counter_signatures()
        return signer_evidence(
            self._message,
            signer,
            self._covered,
            known=self._source.known,
            timestamps=timestamps,
            counter_signatures=counter_signatures,
            observations=tuple(observations),
        )

    def _with_values(self) -> tuple[SignedMessage, tuple[Certificate, ...]]:
        """The message with what this signer's certificate and revocation values add."""
        message = self._source.message
        certificates, ocsp, crls = message.certificates, message.ocsp, message.crls
        for attribute in self._signer.unsigned:
            if attribute.type in _VALUES:
                kind = der.oid(attribute.type.dotted_string)
                for value in cms.values(attribute):
                    more, more_ocsp, more_crls = signed_data.values_in_attribute(kind, value)
                    certificates += more
                    ocsp += more_ocsp
                    crls += more_crls
        message = message._replace(
            certificates=tuple(dict.fromkeys(certificates)), ocsp=ocsp, crls=crls
        )
        return message, (*message.certificates, *self._source.known)

    def _timestamps(self) -> tuple[TimestampEvidence, ...]:
        signer = self._signer
        found: list[tuple[TimestampKind, bytes]] = [
            (TimestampKind.CONTENT, token) for token in signer.signed.get(_CONTENT_TIMESTAMP, ())
        ]
        for attribute in signer.unsigned:
            if attribute.type == _SIGNATURE_TIMESTAMP:
                found += [(TimestampKind.SIGNATURE, each) for each in cms.values(attribute)]
            elif attribute.type == _ARCHIVE_TIMESTAMP:
                found += [(TimestampKind.ARCHIVE, each) for each in cms.values(attribute)]
            elif attribute.type == _ARCHIVE_TIMESTAMP_V2:
                self._observations.append("an archive timestamp of version 2 was not evaluated")
        if len(found) > MAX_TIMESTAMPS:
            raise Malformed("cms.too-many", "at most {most} timestamps", most=MAX_TIMESTAMPS)
        archive = self._archive_reader(found)
        timestamps = []
        for kind, token in found:
            try:
                timestamps.append(self._timestamp(kind, token, archive))
            except (Refusal, ValueError) as error:
                code = error.code if isinstance(error, Refusal) else "der.malformed"
                self._observations.append(f"a {kind} cannot be read ({code})")
        order = list(TimestampKind)
        timestamps.sort(key=lambda each: (order.index(each.kind), each.generated_at))
        return tuple(timestamps)

    def _timestamp(
        self, kind: TimestampKind, token: bytes, archive: ArchiveReader | None
    ) -> TimestampEvidence:
        if kind is TimestampKind.ARCHIVE:
            if archive is None:
                raise Malformed("timestamp.malformed", "an archive timestamp out of its place")
            return archive.read(token)
        stamped = self._covered.content if kind is TimestampKind.CONTENT else self._signer.signature
        return read_timestamp(token, kind, stamped, known=self._known)

    def _archive_reader(self, found: list[tuple[TimestampKind, bytes]]) -> ArchiveReader | None:
        if self._index is None or all(kind is not TimestampKind.ARCHIVE for kind, _ in found):
            return None
        parts = Parts.read(self._source.encoded)
        return ArchiveReader(
            parts,
            parts.signer(self._index),
            self._signer.signature,
            self._covered.content,
            self._known,
        )

    def _counter_signatures(self) -> tuple[SignatureEvidence, ...]:
        encoded = [
            value
            for attribute in self._signer.unsigned
            if attribute.type == _COUNTER_SIGNATURE
            for value in cms.values(attribute)
        ]
        if len(encoded) > MAX_COUNTER_SIGNATURES or (encoded and self._depth >= MAX_COUNTER_DEPTH):
            raise Malformed("cms.too-many", "too many or too deep counter-signatures")
        covered = Covered("countersigned signature", self._signer.signature, whole=True)
        found = []
        for value in encoded:
            try:
                counter_signer = read_counter_signer(value)
                reader = _Reader(self._source, counter_signer, covered, None, self._depth + 1)
                found.append(reader.evidence())
            except Refusal as refusal:
                self._observations.append(f"a counter-signature cannot be read ({refusal.code})")
        return tuple(found)
