"""One signature for four agencies: each verifies its own part and learns nothing of the others."""

import io
import json
from base64 import b64decode, b64encode
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.entropy import SystemEntropy
from kernel.refusals import Malformed, Refusal, TooLarge, Unprocessable
from signing_service.formats import bundle as bundles
from signing_service.formats.bundle import Bundle, Part, Proof
from signing_service.formats.cades import whole as cades
from signing_service.formats.document import StreamedDocument
from signing_service.validation.evidence import SignatureEvidence, SignatureLevel
from tests.software_keys import SoftwareAuthority

AUTHORITY = SoftwareAuthority()
SIGNER = AUTHORITY.signer()
PARTS = [
    Part("海关", "<报关单>1</报关单>".encode()),
    Part("国家外汇管理局", b"<foreign-exchange>2</foreign-exchange>"),
    Part("国家税务总局", b"<tax>3</tax>"),
    Part("商务部", b"<licence>4</licence>"),
]


def signed(parts: list[Part]) -> tuple[Bundle, list[bytes]]:
    """The bundle and each agency's proof."""
    bundle = bundles.build(parts, SystemEntropy())
    prepared = bundles.prepare(bundle, SIGNER.certificate, AUTHORITY.now, chain=SIGNER.chain)
    signature = cades.assemble(prepared, SIGNER.key.sign(prepared.to_be_signed))
    return bundle, [proof.to_bytes() for proof in bundle.signed(signature)]


BUNDLE, PROOFS = signed(PARTS)


def verifies(document: bytes, proof: bytes) -> bool:
    try:
        (evidence,) = bundles.read_part(document, proof)
    except Refusal:
        return False
    return _verifies(evidence)


def _verifies(evidence: SignatureEvidence) -> bool:
    certificate, suite = evidence.signing_certificate, evidence.suite
    return (
        certificate is not None
        and suite is not None
        and certificate.public_key.verify(suite, evidence.signature_value, evidence.signed_bytes)
        and all(reference.intact for reference in evidence.references)
        and evidence.covers_document
    )


def document(part: Part) -> bytes:
    assert isinstance(part.document, bytes)
    return part.document


def test_each_of_four_agencies_verifies_its_own_part_alone() -> None:
    for part, proof in zip(PARTS, PROOFS, strict=True):
        (evidence,) = bundles.read_part(document(part), proof)

        assert _verifies(evidence)
        assert evidence.signing_certificate == SIGNER.certificate
        assert evidence.level is SignatureLevel.B_B
        assert evidence.content_type == bundles.MIME_TYPE
        assert [reference.name for reference in evidence.references] == [
            "document",
            "bundle manifest",
        ]


def test_no_part_passes_with_another_agency_s_proof() -> None:
    for (i, part), (j, proof) in product(enumerate(PARTS), enumerate(PROOFS)):
        assert verifies(document(part), proof) == (i == j)


def test_the_verdict_on_a_foreign_declaration_is_a_broken_digest() -> None:
    (evidence,) = bundles.read_part(b"<forged/>", PROOFS[0])

    assert [reference.intact for reference in evidence.references] == [False, True]


def test_a_proof_holds_neither_content_nor_plain_digest_of_the_others() -> None:
    """Even who guesses a neighbour's declaration exactly cannot confirm the guess."""
    plain = Proof.from_bytes(PROOFS[0])
    known = {plain.salt, *plain.path, plain.manifest}
    for part in PARTS[1:]:
        text = document(part)
        digest = SIGNER.key.suite.hash(text)
        for proof in (PROOFS[0], *known):
            assert text not in proof
            assert digest not in proof
            assert b64encode(digest) not in proof
        assert part.recipient.encode() not in PROOFS[0]
    others = [Proof.from_bytes(proof).salt for proof in PROOFS[1:]]
    assert not any(b64encode(salt) in PROOFS[0] for salt in others)


def test_the_same_declaration_twice_has_different_leaves() -> None:
    bundle, _ = signed([PARTS[0], PARTS[0]])

    assert bundle.proofs[0].path != bundle.proofs[1].path
    assert bundle.manifest != signed([PARTS[0], PARTS[0]])[0].manifest


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 40), data=st.data())
def test_every_part_of_a_bundle_of_any_size_is_proven(count: int, data: st.DataObject) -> None:
    parts = [Part(f"agency {i}", b"declaration %d" % i) for i in range(count)]
    _, proofs = signed(parts)

    assert all(verifies(document(part), proof) for part, proof in zip(parts, proofs, strict=True))
    chosen = data.draw(st.integers(0, count - 1))
    other = json.loads(proofs[chosen]) | {"index": (chosen + 1) % count}
    if count > 1:
        assert not verifies(document(parts[chosen]), json.dumps(other).encode())


@settings(max_examples=150, deadline=None)
@given(position=st.integers(0, len(PROOFS[1]) - 1), change=st.integers(1, 255))
def test_a_changed_proof_never_proves_another_declaration(position: int, change: int) -> None:
    changed = bytearray(PROOFS[1])
    changed[position] ^= change

    assert not verifies(b"<forged/>", bytes(changed))
    if verifies(document(PARTS[1]), bytes(changed)):
        # What is not under the signature of the manifest: white space, unsigned attributes.
        assert Proof.from_bytes(bytes(changed)).root(document(PARTS[1])) is not None


def test_paths_that_are_too_short_or_too_long_prove_nothing() -> None:
    fields = json.loads(PROOFS[0])
    node = b64encode(bytes(32)).decode()
    for path in ([], fields["path"][:1], [*fields["path"], node], [node, *fields["path"]]):
        assert not verifies(document(PARTS[0]), json.dumps(fields | {"path": path}).encode())


def test_an_inner_node_does_not_pass_for_a_leaf() -> None:
    """A bundle of one whose leaf would be the digest of two neighbours."""
    left, right = (b64decode(each) for each in json.loads(PROOFS[0])["path"])
    fields = json.loads(PROOFS[0]) | {"path": [], "salt": b64encode(left).decode()}

    assert not verifies(right, json.dumps(fields).encode())


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1}, {"index": True}, {"index": "0"}, {"path": "x"}, {"path": [1]},
        {"path": ["AA=="] * 14}, {"salt": "*"}, {"recipient": ""}, {"recipient": 1},
        {"manifest": 1}, {"manifest": "{}"}, {"signature": None},
    ],
)  # fmt: skip
def test_malformed_proofs_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(Malformed):
        bundles.read_part(document(PARTS[0]), json.dumps(json.loads(PROOFS[0]) | change).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"1", b"[" * 100_000, b'{"a":1,"a":1}', b"\xff"])
def test_what_is_no_proof_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match=r"bundle\.malformed"):
        bundles.read_part(b"x", data)
    with pytest.raises(TooLarge):
        bundles.read_part(b"x", bytes(3 << 20))


def test_a_manifest_has_one_form() -> None:
    manifest = BUNDLE.manifest
    for changed in (manifest + b" ", manifest.replace(b":", b": "), manifest.replace(b"4", b"0")):
        with pytest.raises(Malformed):
            bundles.Manifest.from_bytes(changed)


def test_what_cannot_be_bundled_is_refused() -> None:
    for parts, digest in (
        ([], "sha256"), ([Part("", b"x")], "sha256"), ([Part("x", b"x")] * 4097, "sha256"),
        ([Part("x", b"x")], "sha1"),
    ):  # fmt: skip
        with pytest.raises(Unprocessable):
            bundles.build(parts, SystemEntropy(), digest=digest)


def test_a_streamed_declaration_is_bundled_and_proven() -> None:
    parts = [Part("a", StreamedDocument(io.BytesIO(b"large"))), Part("b", b"small")]
    _, proofs = signed(parts)

    (evidence,) = bundles.read_part(StreamedDocument(io.BytesIO(b"large")), proofs[0])

    assert _verifies(evidence)
