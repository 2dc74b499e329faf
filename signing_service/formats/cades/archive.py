"""archive-time-stamp-v3 and its ats-hash-index-v3 (EN 319 122-1, 5.5.2 and 5.5.3)."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.hazmat import asn1

from kernel.algorithms import DIGEST_OIDS
from kernel.asn1 import cms, der
from kernel.asn1.certificate import Certificate
from kernel.refusals import Malformed, Refusal, Unprocessable
from signing_service.formats.cms import signed_data
from signing_service.formats.cms.signed_data import DIGEST_ALGORITHMS
from signing_service.formats.cms.signed_data_parts import Parts, SignerParts
from signing_service.formats.document import Digestible
from signing_service.timestamping.client import Timestamper
from signing_service.timestamping.token import read_timestamp
from signing_service.validation.evidence import TimestampEvidence, TimestampKind

_INDEX_OID = der.oid(cms.ID_ATS_HASH_INDEX_V3)
_TOKEN_OIDS = frozenset(
    der.oid(kind) for kind in (cms.ID_SIGNATURE_TIMESTAMP, cms.ID_ARCHIVE_TIMESTAMP_V3)
)
_COUNTER_SIGNATURE_OID = der.oid(cms.ID_COUNTER_SIGNATURE)


def archive_token(
    parts: Parts,
    signer: SignerParts,
    content: bytes | Digestible,
    timestamper: Timestamper,
    digest: str,
) -> bytes:
    """A token over all that `signer` rests on now, with its hash index inside.

    Raises Unprocessable `algorithm.unknown`, and as `Timestamper.stamp`.
    """
    content_digest = signed_data.digest_of(digest, content)
    if content_digest is None:
        raise Unprocessable("algorithm.unknown", "no such digest", name=digest)
    index = _encode_index(parts, signer, digest)
    imprint = hashlib.new(digest, _covered(parts, signer, content_digest, index)).digest()
    token = Parts.read(timestamper.stamp(imprint, digest))
    stamped = token.signer(0).with_attribute(cms.attribute(cms.ID_ATS_HASH_INDEX_V3, index))
    return token.with_signer(0, stamped).encode()


@dataclass(frozen=True, slots=True)
class ArchiveReader:
    """Reads the archive timestamps of one signer."""

    parts: Parts
    signer: SignerParts
    signature: bytes
    content: bytes | Digestible | None
    known: Sequence[Certificate]

    def read(self, token: bytes) -> TimestampEvidence:
        """The evidence; its imprint is not intact where anything indexed is missing or changed.

        Raises Malformed `timestamp.malformed`, `cms.*`.
        """
        encoded = _index_of(token)
        try:
            index = asn1.decode_der(cms.AtsHashIndexV3, encoded)
        except ValueError:
            raise Malformed("timestamp.malformed", "not an ats-hash-index-v3") from None
        name = DIGEST_ALGORITHMS.get(der.encoded(index.algorithm), "")
        covered = _Covered(self, name, encoded)
        things = self._indexed(index, name)
        if things is None:
            return read_timestamp(token, TimestampKind.ARCHIVE, None, known=self.known)
        covers = frozenset(hashlib.sha256(thing).digest() for thing in things)
        return read_timestamp(
            token, TimestampKind.ARCHIVE, covered, known=self.known, covers=covers
        )

    def _indexed(self, index: cms.AtsHashIndexV3, name: str) -> list[bytes] | None:
        """What the index names; None where it names something that is not there."""
        certificates = _found(index.certificates, self.parts.certificates, name)
        infos = _found(index.crls, self.parts.revocation_infos, name)
        values = _found(index.unsigned_values, _unsigned_values(self.signer), name)
        if certificates is None or infos is None or values is None:
            return None
        things = [self.signature, *certificates]
        for response, info in _revocation_objects(infos):
            things += (response, info)
        for value in values:
            things += _things_in(value)
        return things


@dataclass(frozen=True, slots=True)
class _Covered:
    """The concatenation that an archive timestamp covers, under the index's own digest."""

    reader: ArchiveReader
    digest_name: str
    index: bytes

    def digest(self, name: str) -> bytes | None:
        content = self.reader.content
        if name != self.digest_name or content is None:
            return None
        content_digest = signed_data.digest_of(name, content)
        if content_digest is None:
            return None
        reader = self.reader
        return signed_data.digest_of(
            name, _covered(reader.parts, reader.signer, content_digest, self.index)
        )


def _covered(parts: Parts, signer: SignerParts, content_digest: bytes, index: bytes) -> bytes:
    """5.5.3: content type, digest of the content, the signer's fields, the hash index."""
    info = parts.content_info
    content_type = next(der.children(info, der.read_only(info, der.SEQUENCE)))
    kind = info[content_type.start : content_type.end]
    return b"".join((kind, content_digest, signer.signed, index))


def _encode_index(parts: Parts, signer: SignerParts, digest: str) -> bytes:
    def hashes(things: Iterable[bytes]) -> bytes:
        return der.sequence(
            *(der.octet_string(hashlib.new(digest, thing).digest()) for thing in things)
        )

    return der.sequence(
        der.sequence(der.oid(DIGEST_OIDS[digest])),
        hashes(parts.certificates),
        hashes(parts.revocation_infos),
        hashes(_unsigned_values(signer)),
    )


def _index_of(token: bytes) -> bytes:
    """The one hash index in a token. Raises Malformed."""
    found = [
        value
        for attribute in Parts.read(token).signer(0).unsigned
        for kind, value in _attribute_values(attribute)
        if kind == _INDEX_OID
    ]
    if len(found) != 1:
        raise Malformed("timestamp.malformed", "an archive timestamp has one hash index")
    return found[0]


def _attribute_values(attribute: bytes) -> list[tuple[bytes, bytes]]:
    """(Type, value) for each value of an Attribute."""
    kind, values = der.children(attribute, der.read_only(attribute, der.SEQUENCE))
    encoded_kind = attribute[kind.start : kind.end]
    return [(encoded_kind, attribute[e.start : e.end]) for e in der.children(attribute, values)]


def _unsigned_values(signer: SignerParts) -> list[bytes]:
    """Type and value together, for each value: what the index hashes."""
    return [kind + value for each in signer.unsigned for kind, value in _attribute_values(each)]


def _found(wanted: Sequence[bytes], present: Iterable[bytes], name: str) -> list[bytes] | None:
    by_digest = {signed_data.digest_of(name, thing): thing for thing in present}
    found = [by_digest.get(value) for value in wanted]
    return None if None in found else [thing for thing in found if thing is not None]


def _revocation_objects(infos: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Each CRL or OCSP response, bare and as it is wrapped."""
    found = []
    for info in infos:
        if info[:1] == b"\xa1":
            *_, response = der.children(info, der.read_only(info, 0xA1))
            found.append((info[response.start : response.end], info))
        else:
            found.append((info, info))
    return found


def _things_in(type_and_value: bytes) -> list[bytes]:
    """The objects in an unsigned attribute that evidence knows by themselves."""
    kind = der.read(type_and_value)
    value = type_and_value[kind.end :]
    encoded_kind = type_and_value[: kind.end]
    if encoded_kind in _TOKEN_OIDS:
        return [value, *_things_in_token(value)]
    if encoded_kind == _COUNTER_SIGNATURE_OID:
        return _signature_in(value)
    certificates, ocsp, crls = signed_data.values_in_attribute(encoded_kind, value)
    return [value, *(certificate.der for certificate in certificates), *ocsp, *crls]


def _things_in_token(token: bytes) -> list[bytes]:
    try:
        message = signed_data.read(token)
    except Refusal:
        return []
    certificates = (certificate.der for certificate in message.certificates)
    return [*certificates, *message.crls, *message.ocsp, message.signers[0].signature]


def _signature_in(counter_signer: bytes) -> list[bytes]:
    try:
        return [signed_data.read_counter_signer(counter_signer).signature]
    except Refusal:
        return []
