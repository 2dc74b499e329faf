"""Several declarations under one signature, each provable alone (docs/decisions, "Bundles").

What is signed is a small manifest with the root of a Merkle tree (RFC 9162, 2.1) over salted
leaves. Each agency gets its own declaration, unchanged, and a proof: the signed manifest, its
leaf's salt and the path to the root. It learns nothing of the other declarations but how many
there are: a neighbour's leaf is a digest with 256 bits of salt that it never sees.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kernel.algorithms import AlgorithmSuite
from kernel.asn1 import der
from kernel.asn1.certificate import Certificate
from kernel.entropy import Entropy
from kernel.refusals import Malformed, TooLarge, Unprocessable
from signing_service.formats.cades import whole as cades
from signing_service.formats.claims import Claims
from signing_service.formats.cms.signed_data import digest_of
from signing_service.formats.document import Document
from signing_service.formats.prepared import MAX_SIGNATURE_BYTES, PreparedSignature
from signing_service.validation.evidence import DigestReference, SignatureEvidence

MAX_PARTS = 4096
MAX_RECIPIENT = 128
SALT_BYTES = 32
MIME_TYPE = "application/vnd.portseal.bundle+json"
CLAIMS = Claims(mime_type=MIME_TYPE)
_TYPE = "portseal-bundle-1"
_DIGESTS = {"sha256": 32, "sha384": 48, "sha512": 64}
_MAX_MANIFEST_BYTES = 1024
_MAX_PROOF_BYTES = 2 * MAX_SIGNATURE_BYTES
_PROOF = re.compile(rb'\{"index":\d{1,4},"manifest":"')
_LEAF, _NODE = b"\x00", b"\x01"


@dataclass(frozen=True, slots=True)
class Part:
    """One declaration for one agency."""

    recipient: str
    """The agency's name, as it stands in the proof."""
    document: Document


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is signed."""

    digest: str
    """hashlib's name."""
    count: int
    root: bytes

    def to_bytes(self) -> bytes:
        """JSON in one form: keys in order, no white space."""
        return _json(
            {"type": _TYPE, "digest": self.digest, "count": self.count, "root": _b64(self.root)}
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Manifest":
        """Raises Malformed `bundle.malformed`."""
        fields = _object(data, _MAX_MANIFEST_BYTES, {"type", "digest", "count", "root"})
        digest, count, root = fields["digest"], fields["count"], _octets(fields["root"])
        if (
            fields["type"] != _TYPE
            or not isinstance(digest, str)
            or len(root) != _DIGESTS.get(digest)
            or type(count) is not int
            or not 1 <= count <= MAX_PARTS
        ):
            raise Malformed("bundle.malformed", "not a bundle's manifest")
        manifest = cls(digest, count, root)
        if manifest.to_bytes() != data:
            raise Malformed("bundle.malformed", "a manifest in another form")
        return manifest


@dataclass(frozen=True, slots=True)
class Proof:
    """What an agency needs beside its declaration."""

    recipient: str
    index: int
    salt: bytes
    path: tuple[bytes, ...]
    """The neighbours' digests from the leaf up to the root."""
    manifest: bytes
    signature: bytes = b""
    """CAdES over the manifest, detached; empty before it is signed."""

    def to_bytes(self) -> bytes:
        """JSON."""
        return _json(
            {
                "recipient": self.recipient,
                "index": self.index,
                "salt": _b64(self.salt),
                "path": [_b64(each) for each in self.path],
                "manifest": self.manifest.decode(),
                "signature": _b64(self.signature),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> "Proof":
        """Raises Malformed `bundle.malformed`, TooLarge `bundle.too-large`."""
        names = {"recipient", "index", "salt", "path", "manifest", "signature"}
        fields = _object(data, _MAX_PROOF_BYTES, names)
        recipient, index, path = fields["recipient"], fields["index"], fields["path"]
        manifest = fields["manifest"]
        if (
            not isinstance(recipient, str)
            or not _is_recipient(recipient)
            or type(index) is not int
            or not isinstance(path, list)
            or len(path) > MAX_PARTS.bit_length()
            or not isinstance(manifest, str)
        ):
            raise Malformed("bundle.malformed", "not a bundle's proof")
        return cls(
            recipient,
            index,
            _octets(fields["salt"]),
            tuple(map(_octets, path)),
            manifest.encode(),
            _octets(fields["signature"]),
        )

    def root(self, document: Document) -> bytes | None:
        """The root that this declaration leads to; None where the proof cannot be one."""
        manifest = Manifest.from_bytes(self.manifest)
        size = _DIGESTS[manifest.digest]
        if (
            not 0 <= self.index < manifest.count
            or len(self.salt) != SALT_BYTES
            or any(len(each) != size for each in self.path)
        ):
            return None
        leaf = _leaf(manifest.digest, self.recipient, self.salt, document)
        return _climb(manifest.digest, leaf, self.index, manifest.count, self.path)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A manifest to be signed and the proofs that go with it, in the order of the parts."""

    manifest: bytes
    proofs: tuple[Proof, ...]

    def signed(self, signature: bytes) -> tuple[Proof, ...]:
        """The proofs to hand out, once the manifest is signed (at whatever level)."""
        return tuple(replace(proof, signature=signature) for proof in self.proofs)


def build(parts: Sequence[Part], entropy: Entropy, *, digest: str = "sha256") -> Bundle:
    """Bind declarations together. Streamed documents are read once.

    Raises Unprocessable `bundle.count`, `bundle.recipient`, `algorithm.unknown`.
    """
    if not 1 <= len(parts) <= MAX_PARTS:
        raise Unprocessable("bundle.count", "1 to {most} declarations", most=MAX_PARTS)
    if digest not in _DIGESTS:
        raise Unprocessable("algorithm.unknown", "no such digest", name=digest)
    if not all(_is_recipient(part.recipient) for part in parts):
        raise Unprocessable("bundle.recipient", "each declaration names its agency")
    salts = [entropy.token(SALT_BYTES) for _ in parts]
    leaves = [
        _leaf(digest, part.recipient, salt, part.document)
        for part, salt in zip(parts, salts, strict=True)
    ]
    root, paths = _tree(digest, leaves)
    manifest = Manifest(digest, len(parts), root).to_bytes()
    proofs = (
        Proof(part.recipient, index, salts[index], tuple(paths[index]), manifest)
        for index, part in enumerate(parts)
    )
    return Bundle(manifest, tuple(proofs))


def pack(documents: Sequence[bytes], proofs: Sequence[Proof]) -> bytes:
    """Both as one, DER, while the signature is awaited."""
    return der.sequence(
        *(
            der.sequence(der.octet_string(document), der.octet_string(proof.to_bytes()))
            for document, proof in zip(documents, proofs, strict=True)
        )
    )


def unpack(packed: bytes) -> tuple[list[bytes], list[Proof]]:
    """What `pack` made. Raises Malformed `bundle.malformed`."""
    documents, proofs = [], []
    for each in der.children(packed, der.read_only(packed, der.SEQUENCE)):
        document, proof = der.children(packed, each)
        documents.append(packed[document.content : document.end])
        proofs.append(Proof.from_bytes(packed[proof.content : proof.end]))
    return documents, proofs


def prepare(
    bundle: Bundle,
    certificate: Certificate,
    signing_time: datetime,
    *,
    chain: Sequence[Certificate] = (),
    suite: AlgorithmSuite | None = None,
) -> PreparedSignature:
    """The one signature for all, to be completed with `cades.assemble`. Raises as
    `cades.prepare`."""
    return cades.prepare(
        bundle.manifest, certificate, signing_time,
        chain=chain, suite=suite, claims=CLAIMS,
    )  # fmt: skip


def is_proof(data: bytes) -> bool:
    """Told by its first member: our own proofs have their members in order."""
    return _PROOF.match(data) is not None


def read_part(
    document: Document, proof: bytes, *, known: Sequence[Certificate] = ()
) -> list[SignatureEvidence]:
    """The evidence for one declaration alone, for the same engine as any other signature.

    That the declaration belongs to the signed bundle is its first digest: the manifest's root
    against the root that the declaration leads to. Raises Malformed `bundle.malformed`, `cms.*`;
    TooLarge `bundle.too-large`.
    """
    given = Proof.from_bytes(proof)
    manifest = Manifest.from_bytes(given.manifest)
    belongs = DigestReference("document", manifest.digest, manifest.root, given.root(document))
    found = []
    for evidence in cades.read(given.signature, given.manifest, known=known):
        covered = tuple(each._replace(name="bundle manifest") for each in evidence.references)
        found.append(evidence._replace(references=(belongs, *covered)))
    return found


def _leaf(digest: str, recipient: str, salt: bytes, document: Document) -> bytes:
    content = digest_of(digest, document)
    if content is None:
        raise Unprocessable("document.digest", "the document's digest cannot be made")
    name = recipient.encode()
    return hashlib.new(
        digest, b"".join((_LEAF, salt, len(name).to_bytes(2, "big"), name, content))
    ).digest()


def _node(digest: str, left: bytes, right: bytes) -> bytes:
    return hashlib.new(digest, _NODE + left + right).digest()


def _tree(digest: str, leaves: Sequence[bytes]) -> tuple[bytes, list[list[bytes]]]:
    """The root, and each leaf's path (RFC 9162, 2.1.1 and 2.1.3.1)."""
    if len(leaves) == 1:
        return leaves[0], [[]]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    left, left_paths = _tree(digest, leaves[:split])
    right, right_paths = _tree(digest, leaves[split:])
    for path in left_paths:
        path.append(right)
    for path in right_paths:
        path.append(left)
    return _node(digest, left, right), left_paths + right_paths


def _climb(digest: str, leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to (RFC 9162, 2.1.3.2); None for one of a wrong length."""
    current, last = leaf, count - 1
    for neighbour in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            current = _node(digest, neighbour, current)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            current = _node(digest, current, neighbour)
        index, last = index >> 1, last >> 1
    return current if last == 0 else None


def _is_recipient(name: str) -> bool:
    return 1 <= len(name) <= MAX_RECIPIENT and name.isprintable()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _octets(value: object) -> bytes:
    text = value if isinstance(value, str) else "not text"
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("bundle.malformed", "not base64") from None


def _json(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _object(data: bytes, limit: int, names: set[str]) -> dict[str, object]:
    if len(data) > limit:
        raise TooLarge("bundle.too-large", "too large for a bundle's proof", limit=limit)
    try:
        pairs = json.loads(data, object_pairs_hook=list)
        fields = dict(pairs)
    except (ValueError, TypeError, RecursionError):
        raise Malformed("bundle.malformed", "not a JSON object") from None
    if len(pairs) != len(names) or set(fields) != names:
        raise Malformed("bundle.malformed", "other members than a bundle has")
    return fields
