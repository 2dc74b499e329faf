"""EvidenceRecord and its parts as DER (RFC 4998, 3.1 and 4.1; appendix A, 1988 syntax)."""

from dataclasses import dataclass
from functools import cached_property

from kernel.algorithms import DIGEST_OIDS
from kernel.asn1 import cms, der
from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.evidence_records.hash_tree import ReducedHashTree
from signing_service.formats.cms import signed_data
from signing_service.timestamping.token import imprint_digest, read_tst_info

MAX_RECORD_BYTES = 16 << 20
MAX_TIMESTAMPS = 1000
_MAX_LISTS = 64
_MAX_HASHES = 10_000
_VERSION = der.integer(1)
_ACCEPTED_DIGESTS = {"sha256", "sha384", "sha512"}


@dataclass(frozen=True)
class ArchiveTimestamp:
    """ArchiveTimeStamp: a timestamp, and how the objects lead to its imprint."""

    digest: str
    """hashlib's name."""
    reduced: ReducedHashTree
    """Empty: the imprint is the hash of the one object itself."""
    token: bytes
    """The timestamp's ContentInfo, DER."""

    @cached_property
    def encoded(self) -> bytes:
        lists = (der.sequence(*map(der.octet_string, hashes)) for hashes in self.reduced)
        return der.sequence(
            der.explicit(0, der.oid(DIGEST_OIDS[self.digest])),
            der.explicit(2, b"".join(lists)) if self.reduced else b"",
            self.token,
        )


@dataclass(frozen=True)
class Chain:
    """ArchiveTimeStampChain: each timestamp renews the one before, under one digest."""

    timestamps: tuple[ArchiveTimestamp, ...]
    encoded: bytes
    """DER, as it was read or made: later hash trees cover these octets."""

    @classmethod
    def of(cls, *timestamps: ArchiveTimestamp) -> "Chain":
        return cls(timestamps, der.sequence(*(each.encoded for each in timestamps)))

    @property
    def digest(self) -> str:
        return self.timestamps[0].digest


@dataclass(frozen=True)
class EvidenceRecord:
    """Proof that the objects of one data group existed."""

    chains: tuple[Chain, ...]
    """Each but the first was made by a hash-tree renewal."""

    @property
    def encoded(self) -> bytes:
        digests = dict.fromkeys(chain.digest for chain in self.chains)
        algorithms = (der.sequence(der.oid(DIGEST_OIDS[each])) for each in digests)
        return der.sequence(_VERSION, der.sequence(*algorithms), encode_sequence(self.chains))

    @classmethod
    def read(cls, data: bytes) -> "EvidenceRecord":
        """From DER.

        Raises TooLarge `evidence-record.too-large`, Malformed `evidence-record.malformed`,
        Unprocessable `evidence-record.unsupported` (encrypted data, other digests).
        """
        if len(data) > MAX_RECORD_BYTES:
            raise TooLarge("evidence-record.too-large", "the evidence record is too large")
        try:
            return cls(_read_chains(data))
        except Malformed as malformed:
            raise _malformed(malformed.detail) from None
        except ValueError:
            raise _malformed("elements are missing") from None


def encode_sequence(chains: tuple[Chain, ...]) -> bytes:
    """ArchiveTimeStampSequence, DER: what a hash-tree renewal covers of the past (5.2)."""
    return der.sequence(*(chain.encoded for chain in chains))


def _read_chains(data: bytes) -> tuple[Chain, ...]:
    version, algorithms, *optional, sequence = der.children(data, der.read_only(data, der.SEQUENCE))
    if data[version.start : version.end] != _VERSION or algorithms.tag != der.SEQUENCE:
        raise _malformed("not an EvidenceRecord of version 1")
    if any(element.tag == 0xA1 for element in optional):
        raise Unprocessable("evidence-record.unsupported", "encrypted objects are not supported")
    if [element.tag for element in optional] not in ([], [0xA0]) or sequence.tag != der.SEQUENCE:
        raise _malformed("unknown elements in the record")
    chains = tuple(_read_chain(data, element) for element in der.children(data, sequence))
    if not chains:
        raise _malformed("there is no archive timestamp in it")
    if sum(len(chain.timestamps) for chain in chains) > MAX_TIMESTAMPS:
        raise _malformed("too many archive timestamps")
    return chains


def _read_chain(data: bytes, element: der.Element) -> Chain:
    timestamps = tuple(_read_timestamp(data, each) for each in der.children(data, element))
    if not timestamps or element.tag != der.SEQUENCE:
        raise _malformed("an empty chain")
    if len({timestamp.digest for timestamp in timestamps}) != 1:
        raise _malformed("a chain has one digest (RFC 4998, 5.2)")
    return Chain(timestamps, data[element.start : element.end])


def _read_timestamp(data: bytes, element: der.Element) -> ArchiveTimestamp:
    *optional, last = der.children(data, element)
    tags = [each.tag for each in optional]
    if (
        element.tag != der.SEQUENCE
        or tags != sorted(set(tags))
        or not {0xA0, 0xA1, 0xA2} >= {*tags}
    ):
        raise _malformed("not an ArchiveTimeStamp")
    by_tag = dict(zip(tags, optional, strict=True))
    token = data[last.start : last.end]
    reduced = _read_reduced(data, by_tag[0xA2]) if 0xA2 in by_tag else ()
    message = signed_data.read(token)
    if message.content_type != cms.ID_TST_INFO or message.content is None:
        raise _malformed("not a timestamp token")
    stamped = imprint_digest(read_tst_info(message.content).message_imprint)
    digest = stamped
    if 0xA0 in by_tag:
        algorithm = der.sequence(data[by_tag[0xA0].content : by_tag[0xA0].end])
        digest = signed_data.DIGEST_ALGORITHMS.get(algorithm, "")
    if digest not in _ACCEPTED_DIGESTS:
        raise Unprocessable("evidence-record.unsupported", "an unknown or weak digest")
    if digest != stamped:
        raise _malformed("the timestamp has another digest than its hash tree (4.3, step 4)")
    return ArchiveTimestamp(digest, reduced, token)


def _read_reduced(data: bytes, element: der.Element) -> ReducedHashTree:
    lists = []
    for position, each in enumerate(der.children(data, element)):
        hashes = tuple(
            data[leaf.content : leaf.end] for leaf in der.children(data, each) if leaf.tag == 0x04
        )
        if not hashes or len(hashes) > _MAX_HASHES or position >= _MAX_LISTS:
            raise _malformed("an empty or excessive hash list")
        lists.append(hashes)
    if not lists:
        raise _malformed("an empty reduced hash tree")
    return tuple(lists)


def _malformed(detail: str) -> Malformed:
    return Malformed("evidence-record.malformed", detail)
